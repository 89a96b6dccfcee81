# SPDX-License-Identifier: Apache-2.0
"""Snapshots under a guest: Nova speaks, says nothing or lies; and the service dies in between."""

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.volumes import Turns

CREATE = 600


@pytest.fixture
def volume(site):
    return site.add_volume("in-use")


@pytest.fixture
def new(site, volume):
    """A snapshot that is to be made."""
    return site.add_snapshot(volume)


def images_show(site, state):
    site.driver.answers["online_snapshot_state"] = state


def test_a_snapshot_is_complete_when_nova_says_so(site, volume, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run(3)
    assert site.words(new) == ("creating", "0%")
    assert site.operation(uuid)["state"] == "waiting"

    images_show(site, "switched")
    site.call_back(new, "creating")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.words(new) == ("available", "100%")
    assert site.nova.calls == [("create_volume_snapshot", None)]
    assert site.nova.arguments[0][1:] == (volume, {"new_file": "overlay"})
    methods = site.driver.methods()
    assert methods[0] == "prepare_online_snapshot"
    assert methods[-1] == "complete_online_snapshot"


def test_what_nova_said_before_does_not_count(site, new):
    site.set(models.snapshots, new, progress="90%")
    images_show(site, "unknown")

    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run(5)

    assert site.operation(uuid)["state"] == "waiting"
    assert site.words(new) == ("creating", "0%")


def test_the_progress_is_cleared_before_nova_is_asked(site, new):
    site.set(models.snapshots, new, progress="90%")
    seen = []
    site.nova.answers["create_volume_snapshot"] = lambda *args: seen.append(site.words(new))

    site.cast("create_snapshot", snapshot_id=new)
    site.run()

    assert seen == [("creating", "0%")]


def test_a_word_that_the_images_belie_is_not_believed(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    site.call_back(new, "creating")
    site.run(30)
    assert site.operation(uuid)["state"] == "waiting"

    images_show(site, "switched")
    site.run(10)

    assert site.operation(uuid)["state"] == "succeeded"


def test_images_that_cannot_be_looked_at_for_a_while_end_nothing(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    images_show(site, exception.BackingFileRefused(path="overlay", reason="it is being changed"))
    site.call_back(new, "creating")
    site.run(30)
    assert site.operation(uuid)["state"] == "waiting"

    images_show(site, "switched")
    site.run(10)

    assert site.operation(uuid)["state"] == "succeeded"


def test_images_that_cannot_be_looked_at_do_not_end_a_wait_for_a_silent_nova(site, new):
    images_show(site, exception.BackingFileRefused(path="overlay", reason="it is being changed"))
    uuid = site.cast("create_snapshot", snapshot_id=new)

    site.run(CREATE / 2)

    assert site.driver.called("online_snapshot_state") > 0
    assert site.operation(uuid)["state"] == "waiting"


def test_where_the_images_say_nothing_novas_word_counts(site, new):
    images_show(site, "unknown")
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()

    site.call_back(new, "creating")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"


def test_a_failure_of_novas_leaves_no_image_behind(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()

    site.call_back(new, "error")
    site.run(2)

    assert site.operation(uuid)["state"] == "failed"
    assert site.words(new)[0] == "error"
    assert site.driver.called("abandon_online_snapshot") == 1
    assert site.driver.called("complete_online_snapshot") == 0


@pytest.mark.parametrize("state", ["unknown", "switched"])
def test_nova_may_also_say_that_the_snapshot_is_available(site, new, state):
    images_show(site, state)
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()

    site.call_back(new, "available")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.words(new) == ("available", "100%")


def test_a_status_that_an_administrator_has_reset_is_not_laid_to_nova(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()

    site.set(models.snapshots, new, status="error")
    site.run(2)

    assert site.operation(uuid)["state"] == "failed"
    assert "somebody else" in site.operation(uuid)["error"]


def test_a_failure_that_the_images_belie_is_a_success(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    images_show(site, "switched")

    site.call_back(new, "error")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.words(new)[0] == "available"
    assert site.driver.called("complete_online_snapshot") == 1


def test_a_nova_that_says_nothing_is_waited_for_no_longer_than_the_deadline(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run(CREATE - 20)
    assert site.operation(uuid)["state"] == "waiting"

    site.run(40)

    assert site.operation(uuid)["state"] == "failed"
    assert f"{CREATE} s" in site.operation(uuid)["error"]
    assert site.words(new)[0] == "error"
    assert site.driver.called("abandon_online_snapshot") == 1


def test_a_callback_that_is_lost_is_made_up_for_by_the_images(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    images_show(site, "switched")

    site.run(CREATE / 2)

    assert site.operation(uuid)["state"] == "succeeded"


def test_where_nobody_knows_anything_nothing_is_completed(site, new):
    images_show(site, "unknown")
    uuid = site.cast("create_snapshot", snapshot_id=new)

    site.leap(CREATE)

    assert "cannot be told" in site.operation(uuid)["error"]
    assert site.driver.called("complete_online_snapshot") == 0


def test_the_images_are_seldom_looked_at_while_nova_works(site, new):
    site.cast("create_snapshot", snapshot_id=new)

    site.run(CREATE - 20)

    assert site.driver.called("online_snapshot_state") < 5


def test_a_request_that_nova_refuses_ends_at_once_with_its_reason(site, new):
    site.nova.answers["create_volume_snapshot"] = exception.NovaRefused(reason="no such guest")

    operation = site.do("create_snapshot", snapshot_id=new)

    assert operation["state"] == "failed"
    assert "no such guest" in operation["error"]
    assert site.driver.called("abandon_online_snapshot") == 1


def test_a_nova_that_is_away_is_asked_again(site, new):
    site.nova.answers["create_volume_snapshot"] = Turns(
        [exception.NovaUnavailable(reason="connection refused"), {}]
    )

    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run(10)

    assert site.nova.called("create_volume_snapshot") == 2
    assert site.operation(uuid)["state"] == "waiting"


def test_a_request_that_nova_may_have_heard_is_not_sent_again(site, new):
    site.nova.answers["create_volume_snapshot"] = exception.NovaOutcomeUnknown(reason="time-out")
    images_show(site, "unknown")
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run(20)
    assert site.operation(uuid)["state"] == "waiting"

    site.call_back(new, "creating")
    site.run(10)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.nova.called("create_volume_snapshot") == 1


def test_a_service_that_dies_while_it_asks_does_not_ask_again(site, new):
    images_show(site, "unknown")
    uuid = site.crash_in("create_snapshot", "create_volume_snapshot", site.nova, snapshot_id=new)
    site.run()
    assert site.operation(uuid)["state"] == "waiting"

    site.call_back(new, "creating")
    site.run(2)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.nova.called("create_volume_snapshot") == 1


def test_a_word_that_came_while_the_service_was_away_is_heard(site, new):
    images_show(site, "unknown")
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    site.call_back(new, "error")
    site.take_over()

    site.run(2)

    assert site.operation(uuid)["state"] == "failed"
    assert site.words(new)[0] == "error"


def test_a_service_that_dies_before_the_info_is_written_writes_it_later(site, new):
    images_show(site, "switched")
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    site.call_back(new, "creating")
    kept = site.driver.answers.pop("complete_online_snapshot")
    site.driver.answers["complete_online_snapshot"] = exception.BackendBusy(reason="away")
    site.run(2)
    site.take_over()
    site.driver.answers["complete_online_snapshot"] = kept

    site.run(60)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.words(new)[0] == "available"


def test_the_deadline_goes_on_while_the_service_is_away(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    site.clock.advance(CREATE)
    site.take_over()

    site.run(2)

    assert site.operation(uuid)["state"] == "failed"


def test_a_guest_that_is_gone_does_not_turn_it_into_another_kind_of_snapshot(site, volume, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    site.set(models.volumes, volume, status="available", attach_status="detached")
    site.take_over()

    site.leap(CREATE)

    assert site.operation(uuid)["state"] == "failed"
    assert site.driver.called("create_snapshot") == 0


def test_without_nova_nothing_is_begun(site, new):
    site.environment.nova = None

    operation = site.do("create_snapshot", snapshot_id=new)

    assert "[nova]" in operation["error"]
    assert site.driver.calls == []
    assert site.words(new)[0] == "error"


def test_what_was_given_up_is_not_taken_up_by_a_retry(site, new):
    site.nova.answers["create_volume_snapshot"] = exception.NovaRefused(reason="paused")
    failed = site.do("create_snapshot", snapshot_id=new)
    site.nova.answers["create_volume_snapshot"] = {}

    site.retry(failed["uuid"])

    assert site.operation(failed["uuid"])["state"] == "failed"
    assert "make a new one" in site.operation(failed["uuid"])["error"]
    assert site.nova.called("create_volume_snapshot") == 1


def test_a_wait_that_is_cancelled_leaves_the_image_to_the_driver(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run(2)

    site.cancel(uuid)

    assert site.operation(uuid)["state"] == "cancelled"
    assert site.words(new)[0] == "error"
    assert site.driver.called("abandon_online_snapshot") == 1


def test_a_driver_that_knows_no_phases_does_it_all(site, new):
    site.driver.has_online_phases = False
    site.set(models.snapshots, new, progress="90%")
    seen = []
    site.driver.answers["create_snapshot"] = lambda given: seen.append(site.words(new))

    operation = site.do("create_snapshot", snapshot_id=new)

    assert operation["state"] == "succeeded"
    assert seen == [("creating", "0%")]
    assert site.driver.methods() == ["create_snapshot"]


def test_a_word_that_comes_twice_does_no_harm(site, new):
    uuid = site.cast("create_snapshot", snapshot_id=new)
    site.run()
    images_show(site, "switched")
    site.call_back(new, "creating")
    site.call_back(new, "creating")
    site.run(2)

    site.call_back(new, "creating")
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.words(new) == ("available", "100%")


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ("available", "error"),
        ("error", "creating"),
        ("creating", "deleting"),
        ("deleting", "error"),
    ],
)
def test_a_word_that_does_not_fit_the_snapshot_is_dropped(site, volume, before, word):
    snapshot = site.add_snapshot(volume, before)

    site.call_back(snapshot, word)
    site.run()

    assert site.words(snapshot) == (before, "0%")


def test_a_word_does_not_wait_for_the_volumes_lane(site, new):
    site.cast("create_snapshot", snapshot_id=new)
    site.run()

    site.call_back(new, "creating")
    site.worker.run_until_idle()

    assert site.words(new) == ("creating", "90%")
