# SPDX-License-Identifier: Apache-2.0
"""What a driver says and does between its questions to Nova, while a guest holds the images."""

import contextlib
import threading

import pytest

from manila_lite import exception
from tests.fixtures.daemon import poll
from tests.functional.nova import checks, pictures
from tests.functional.nova.direct import Direct
from tests.functional.nova.guest import QCOW2
from tests.functional.nova.listener import VolumeApi
from tests.functional.nova.nova import CREATE, DELETE, NONE, Trouble

PLACES = pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])


@pytest.fixture
def direct(tmp_path, nova, image_format):
    with VolumeApi() as api:
        made = Direct(tmp_path, nova, api, image_format)
        with made.guest as guest:
            guest.writer.some(30)
            yield made


@pytest.fixture
def three(direct):
    """Three snapshots with writes between them; the guest goes on writing."""
    made = []
    for _ in range(3):
        made.append(direct.take())
        direct.guest.writer.some(30)
    direct.guest.writer.run()
    yield made
    direct.guest.writer.stop()


def wrong(direct, snapshots):
    return checks.wrong(direct.guest, direct.path, [snapshot["id"] for snapshot in snapshots])


def without(snapshots, place):
    return [snapshot for number, snapshot in enumerate(snapshots) if number != place]


# -- creation ----------------------------------------------------------------------------------


def test_a_guest_is_on_the_overlay_from_the_moment_of_the_switch(direct):
    snapshot = direct.new_snapshot()
    info = direct.driver.prepare_online_snapshot(snapshot)
    assert info["type"] == QCOW2
    assert direct.driver.online_snapshot_state(snapshot) == "unswitched"
    direct.guest.snapshot(info["new_file"], snapshot["id"])
    assert direct.driver.online_snapshot_state(snapshot) == "switched"
    assert direct.driver.prepare_online_snapshot(snapshot) == info
    direct.guest.writer.some(10)
    direct.driver.complete_online_snapshot(snapshot)
    direct.driver.complete_online_snapshot(snapshot)
    assert wrong(direct, [snapshot]) == []


def test_an_overlay_that_the_guest_has_opened_only_is_not_the_active_image(direct):
    snapshot = direct.new_snapshot()
    info = direct.driver.prepare_online_snapshot(snapshot)
    overlay = direct.path.with_name(info["new_file"])
    layer = direct.guest._add(overlay, QCOW2, None, read_only=False)
    assert direct.driver.online_snapshot_state(snapshot) != "switched"
    direct.guest.monitor.execute("blockdev-del", node_name=layer.node)
    assert direct.driver.online_snapshot_state(snapshot) == "unswitched"


def test_preparing_twice_leaves_one_overlay(direct):
    snapshot = direct.new_snapshot()
    first = direct.driver.prepare_online_snapshot(snapshot)
    assert direct.driver.prepare_online_snapshot(snapshot) == first
    direct.guest.snapshot(first["new_file"], snapshot["id"])
    direct.driver.complete_online_snapshot(snapshot)
    assert wrong(direct, [snapshot]) == []


def test_an_overlay_that_is_not_used_is_taken_away(direct):
    snapshot = direct.new_snapshot()
    info = direct.driver.prepare_online_snapshot(snapshot)
    direct.driver.abandon_online_snapshot(snapshot)
    assert not direct.path.with_name(info["new_file"]).exists()
    direct.driver.abandon_online_snapshot(snapshot)
    assert wrong(direct, []) == []


def test_an_overlay_that_the_guest_is_on_is_never_taken_away(direct):
    snapshot = direct.new_snapshot()
    info = direct.driver.prepare_online_snapshot(snapshot)
    direct.guest.snapshot(info["new_file"], snapshot["id"])
    direct.guest.writer.some(5)
    with contextlib.suppress(exception.ManilaException):  # saying no is as good
        direct.driver.abandon_online_snapshot(snapshot)
    assert direct.path.with_name(info["new_file"]).exists()
    direct.driver.complete_online_snapshot(snapshot)
    assert wrong(direct, [snapshot]) == []


# -- deletion ----------------------------------------------------------------------------------


@PLACES
def test_a_deletion_is_done_when_the_images_show_it_and_not_before(direct, three, place):
    direct.deleting(three[place])
    plan = direct.driver.plan_online_deletion(three[place])
    assert direct.driver.online_deletion_state(three[place], plan) == "undone"
    direct.guest.job_speed = pictures.BLOCK
    merging = threading.Thread(target=direct.try_to_merge, args=(plan,))
    merging.start()
    job = "pull" if place == 2 else "commit"
    poll(lambda: (direct.guest.monitor.job(job) or {}).get("current-progress"), "progress")
    assert direct.driver.online_deletion_state(three[place], plan) != "done"
    direct.guest.monitor.execute("job-cancel", id=job)
    merging.join(30)
    assert direct.driver.online_deletion_state(three[place], plan) == "undone"
    direct.guest.job_speed = 0
    direct.merge(plan)
    assert direct.driver.online_deletion_state(three[place], plan) == "done"
    direct.driver.complete_online_deletion(three[place], plan)
    direct.driver.complete_online_deletion(three[place], plan)
    assert wrong(direct, without(three, place)) == []


@PLACES
def test_completing_what_nova_has_not_done_takes_no_image_away(direct, three, place):
    direct.deleting(three[place])
    plan = direct.driver.plan_online_deletion(three[place])
    with contextlib.suppress(exception.ManilaException):  # saying no is as good
        direct.driver.complete_online_deletion(three[place], plan)
    assert all(direct.path.with_name(name).exists() for name in direct.guest.files())
    direct.merge(plan)
    again = direct.driver.plan_online_deletion(three[place])
    if again is not None:
        assert direct.driver.online_deletion_state(three[place], again) == "done"
        direct.driver.complete_online_deletion(three[place], again)
    assert wrong(direct, without(three, place)) == []


@PLACES
def test_a_plan_that_is_made_after_the_merge_knows_that_it_is_done(direct, three, place):
    direct.deleting(three[place])
    direct.merge(direct.driver.plan_online_deletion(three[place]))
    plan = direct.driver.plan_online_deletion(three[place])
    if plan is not None:
        assert direct.driver.online_deletion_state(three[place], plan) == "done"
        direct.driver.complete_online_deletion(three[place], plan)
    assert wrong(direct, without(three, place)) == []


def test_a_merge_that_is_done_while_another_snapshot_is_made_takes_no_snapshot_away(direct, three):
    plan = direct.driver.plan_online_deletion(direct.deleting(three[2]))
    new = direct.new_snapshot()
    info = direct.driver.prepare_online_snapshot(new)
    direct.merge(plan)
    direct.guest.snapshot(info["new_file"], new["id"])
    direct.driver.complete_online_snapshot(new)
    assert direct.driver.plan_online_deletion(three[2]) is None
    assert wrong(direct, [*three[:2], new]) == []


def test_the_only_snapshot_that_is_merged_late_leaves_one_image(direct):
    snapshot = direct.take()
    direct.guest.writer.some(30)
    direct.merge(direct.driver.plan_online_deletion(direct.deleting(snapshot)))
    assert direct.driver.plan_online_deletion(snapshot) is None
    assert wrong(direct, []) == []
    assert len(direct.guest.files()) == 1
    other = direct.take()
    assert wrong(direct, [other]) == []


def test_a_snapshot_that_the_chain_does_not_have_needs_no_deletion(direct, three):
    unknown = direct.deleting(direct.new_snapshot())
    assert direct.driver.plan_online_deletion(unknown) is None
    assert wrong(direct, three) == []


# -- all in one, as drivers without a service do it --------------------------------------------


@PLACES
def test_a_driver_takes_and_deletes_snapshots_by_itself(direct, nova, place):
    made = []
    direct.guest.writer.run()
    for _ in range(3):
        made.append(direct.new_snapshot())
        direct.driver.create_snapshot(made[-1])
        direct.guest.wait_writes(10)
    assert wrong(direct, made) == []
    direct.driver.delete_snapshot(direct.deleting(made[place]))
    direct.guest.writer.stop()
    assert wrong(direct, without(made, place)) == []
    assert [request.kind for request in nova.requests] == [CREATE] * 3 + [DELETE]


def test_a_driver_by_itself_believes_a_failure(direct, nova):
    nova.troubles = lambda kind, snapshot_id: Trouble(fails=True)
    snapshot = direct.new_snapshot()
    with pytest.raises(exception.RemoteFSException):
        direct.driver.create_snapshot(snapshot)
    nova.troubles = lambda kind, snapshot_id: NONE
    other = direct.new_snapshot()
    direct.driver.create_snapshot(other)
    assert wrong(direct, [other]) == []


@PLACES
def test_a_driver_by_itself_does_not_believe_what_the_images_deny(direct, three, nova, place):
    nova.troubles = lambda kind, snapshot_id: Trouble(fails=True, claims=True)
    with pytest.raises(exception.ManilaException):
        direct.driver.delete_snapshot(direct.deleting(three[place]))
    assert wrong(direct, three) == []
    nova.troubles = lambda kind, snapshot_id: NONE
    direct.driver.delete_snapshot(direct.deleting(three[place]))
    assert wrong(direct, without(three, place)) == []


@PLACES
def test_an_error_of_novas_is_no_proof_that_the_hypervisor_has_stopped(direct, three, nova, place):
    doomed, other = three[place], three[(place + 1) % 3]
    nova.troubles = lambda kind, snapshot_id: Trouble(fails=True)
    with pytest.raises(exception.RemoteFSException):
        direct.driver.delete_snapshot(direct.deleting(doomed))
    nova.troubles = lambda kind, snapshot_id: NONE
    with pytest.raises(exception.RemoteFSConcurrentRequest):
        direct.driver.delete_snapshot(direct.deleting(other))
    # The job of which Nova had lost sight comes to its end.
    direct.merge(direct.driver.plan_online_deletion(doomed))
    direct.driver.delete_snapshot(doomed)
    assert wrong(direct, without(three, place)) == []
    direct.driver.delete_snapshot(direct.deleting(other))
    assert wrong(direct, [s for s in three if s not in (doomed, other)]) == []


@PLACES
def test_a_refusal_leaves_the_other_snapshots_free_to_be_deleted(direct, three, nova, place):
    nova.troubles = lambda kind, snapshot_id: Trouble(refusal="the instance is paused")
    with pytest.raises(exception.NovaRefused):
        direct.driver.delete_snapshot(direct.deleting(three[place]))
    nova.troubles = lambda kind, snapshot_id: NONE
    other = (place + 1) % 3
    direct.driver.delete_snapshot(direct.deleting(three[other]))
    assert wrong(direct, without(three, other)) == []
