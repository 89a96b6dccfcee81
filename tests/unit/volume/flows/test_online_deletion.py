# SPDX-License-Identifier: Apache-2.0
"""Deletions under a guest: Nova speaks, says nothing or lies; and the service dies in between."""

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.volumes import PLAN, Recorder

DELETE = 7200


@pytest.fixture
def volume(site):
    return site.add_volume("in-use")


@pytest.fixture
def doomed(site, volume):
    """A snapshot that is to be deleted."""
    return site.add_snapshot(volume, "deleting")


def images_show(site, state):
    site.driver.answers["online_deletion_state"] = state


def test_a_snapshot_is_gone_when_nova_has_merged_it(site, volume, doomed):
    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run(3)
    assert site.operation(uuid)["state"] == "waiting"

    images_show(site, "done")
    site.call_back(doomed, "deleting")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.snapshot(doomed)["deleted"] is True
    assert site.nova.arguments[0][1:] == (doomed, PLAN["delete_info"])
    assert site.driver.argument("complete_online_deletion", 1) == PLAN
    assert site.driver.methods()[-1] == "complete_online_deletion"


def test_no_file_goes_on_a_word_of_an_earlier_request(site, doomed):
    site.set(models.snapshots, doomed, progress="90%")
    images_show(site, "unknown")

    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run(30)

    assert site.operation(uuid)["state"] == "waiting"
    assert site.driver.called("complete_online_deletion") == 0


def test_no_file_goes_on_a_word_that_came_late(site, doomed):
    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run()
    # As if for a request before this one: the images do not show it.
    site.call_back(doomed, "deleting")
    site.run(120)

    assert site.operation(uuid)["state"] == "waiting"
    assert site.driver.called("complete_online_deletion") == 0


def test_a_failure_of_novas_removes_nothing(site, doomed):
    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run()

    site.call_back(doomed, "error_deleting")
    site.run(2)

    assert site.operation(uuid)["state"] == "failed"
    assert site.words(doomed)[0] == "error_deleting"
    assert site.driver.called("complete_online_deletion") == 0


def test_a_failed_deletion_that_the_images_show_done_is_a_success(site, doomed):
    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run()
    images_show(site, "done")

    site.call_back(doomed, "error_deleting")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.called("complete_online_deletion") == 1


@pytest.mark.parametrize(("state", "end"), [("done", "succeeded"), ("undone", "failed"),
                                            ("unknown", "failed")])  # fmt: skip
def test_at_the_deadline_the_images_decide(site, doomed, state, end):
    site.conf.set_override("nova_snapshot_delete_timeout", 300)
    try:
        uuid = site.cast("delete_snapshot", snapshot_id=doomed)
        site.run(290)
        images_show(site, state)
        site.run(20)
    finally:
        site.conf.clear_override("nova_snapshot_delete_timeout")

    assert site.operation(uuid)["state"] == end
    assert site.driver.called("complete_online_deletion") == (end == "succeeded")


def test_a_deletion_that_nova_refuses_has_changed_nothing(site, doomed):
    site.nova.answers["delete_volume_snapshot"] = exception.NovaRefused(reason="guest is paused")

    operation = site.do("delete_snapshot", snapshot_id=doomed)

    assert "guest is paused" in operation["error"]
    assert site.words(doomed)[0] == "error_deleting"
    assert site.driver.called("complete_online_deletion") == 0


@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("error", [exception.NovaRefused(reason="paused"),
                                   exception.NovaUnavailable(reason="away")], ids=repr)  # fmt: skip
def test_a_request_that_nova_did_not_take_is_forgotten_unless_another_may_be_under_way(
    site, doomed, asked_before, error
):
    site.driver.answers["plan_online_deletion"] = {**PLAN, "asked_before": asked_before}
    site.driver.answers["abandon_online_deletion"] = None
    site.nova.answers["delete_volume_snapshot"] = error

    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run(60)

    assert site.operation(uuid)["state"] == "failed"
    assert site.driver.called("abandon_online_deletion") == (not asked_before)


@pytest.mark.parametrize("word", ["error_deleting", None])
def test_a_deletion_that_nova_took_is_never_forgotten(site, doomed, word):
    site.driver.answers["plan_online_deletion"] = {**PLAN, "asked_before": False}
    site.driver.answers["abandon_online_deletion"] = None
    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run()
    if word:
        site.call_back(doomed, word)

    site.run(2)
    site.leap(DELETE)

    assert site.operation(uuid)["state"] == "failed"
    assert site.driver.called("abandon_online_deletion") == 0


def test_what_an_earlier_request_has_merged_meanwhile_is_completed_without_nova(site, doomed):
    images_show(site, "done")

    operation = site.do("delete_snapshot", snapshot_id=doomed)

    assert operation["state"] == "succeeded"
    assert site.nova.calls == []
    assert site.driver.called("complete_online_deletion") == 1


def test_a_snapshot_of_which_there_is_no_image_is_gone(site, doomed):
    site.driver.answers["plan_online_deletion"] = None

    assert site.do("delete_snapshot", snapshot_id=doomed)["state"] == "succeeded"

    assert site.snapshot(doomed)["deleted"] is True
    assert site.nova.calls == []


def test_the_plan_outlives_the_service(site, doomed):
    uuid = site.cast("delete_snapshot", snapshot_id=doomed)
    site.run()
    site.driver.answers["plan_online_deletion"] = {"delete_info": "another one"}
    images_show(site, "done")
    site.call_back(doomed, "deleting")
    site.take_over()

    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.argument("complete_online_deletion", 1) == PLAN


def test_a_service_that_dies_while_it_asks_for_a_deletion_does_not_ask_again(site, doomed):
    uuid = site.crash_in("delete_snapshot", "delete_volume_snapshot", site.nova, snapshot_id=doomed)
    site.run(120)

    assert site.operation(uuid)["state"] == "waiting"
    assert site.nova.called("delete_volume_snapshot") == 1


def test_a_second_deletion_waits_for_the_first_one(site, volume, doomed):
    other = site.add_snapshot(volume, "deleting")
    site.cast("delete_snapshot", snapshot_id=doomed)
    site.cast("delete_snapshot", snapshot_id=other)

    site.run(20)

    assert site.nova.called("delete_volume_snapshot") == 1


def test_a_blocking_driver_deletes_by_itself(site, doomed):
    site.driver.has_online_phases = False

    assert site.do("delete_snapshot", snapshot_id=doomed)["state"] == "succeeded"

    assert site.driver.methods() == ["delete_snapshot"]
    assert site.snapshot(doomed)["deleted"] is True


def test_a_third_partys_driver_without_the_attribute_counts_as_blocking(site, doomed):
    site.environment.driver = Recorder(delete_snapshot=None)

    assert site.do("delete_snapshot", snapshot_id=doomed)["state"] == "succeeded"
