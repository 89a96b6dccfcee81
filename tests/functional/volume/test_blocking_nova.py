# SPDX-License-Identifier: Apache-2.0
"""Snapshots of attached volumes as blocking calls: how long Nova is waited for, and believed.

Time is moved by hand. Nova is a script; what it does to the images is done with qemu-img.
"""

from __future__ import annotations

import pytest

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.snapshots_blocking import pause_after
from manila_lite.volume.qcow2 import qemu_img
from tests.functional.volume.chain_site import PLACES, Site, SiteDriver, write_blocks


class Rows:
    """What the driver may ask of the database; `says` are its answers, the last one for ever."""

    def __init__(self, clock, *says):
        self.clock = clock
        self.says = list(says)
        self.asked = []

    def snapshot_get(self, context, snapshot_id):
        self.asked.append(self.clock.monotonic())
        status, progress = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return {"status": status, "progress": progress}


class Nova:
    """Does what it is told as soon as it is asked, or refuses."""

    def __init__(self, work=None, error=None):
        self.work = work
        self.error = error
        self.requests = []

    def create_volume_snapshot(self, context, volume_id, create_info):
        self._asked(create_info)

    def delete_volume_snapshot(self, context, snapshot_id, delete_info):
        self._asked(delete_info)

    def _asked(self, info):
        self.requests.append(info)
        if self.error:
            raise self.error
        if self.work:
            self.work(info)


@pytest.fixture
def attached(raw_site: Site) -> Site:
    """A volume with two snapshots that a guest has."""
    for value in (1, 2):
        raw_site.write({PLACES[0]: value})
        raw_site.take()
    raw_site.volume.status = "in-use"
    return raw_site


def says(site: Site, *answers) -> Rows:
    site.driver.db = Rows(site.driver._clock, *answers)
    return site.driver.db


def switch(site: Site):
    """As a guest does that is moved to a new overlay: it writes there."""
    return lambda info: write_blocks(site.path(info["new_file"]), "qcow2", {PLACES[1]: 9})


def commit(site: Site, higher: str):
    def work(info):
        qemu_img.commit(site.path(info["file_to_merge"]))
        target = info["merge_target_file"]
        qemu_img.rebase_header(site.path(higher), target, site.format_of(target))

    return work


@pytest.mark.parametrize(
    ("waited", "pause"), [(0, 1), (9.9, 1), (10, 2), (19, 2), (20, 5), (59, 5), (60, 10), (7e3, 10)]
)
def test_nova_is_looked_for_ever_more_seldom(waited, pause):
    assert pause_after(waited) == pause


def test_a_snapshot_is_made_when_nova_says_so(attached):
    says(attached, ("creating", "0%"), ("creating", "0%"), ("creating", "90%"))
    nova = attached.driver._nova = Nova(switch(attached))
    snapshot = attached.take()
    overlay = attached.overlay(snapshot)
    assert nova.requests == [{"snapshot_id": snapshot.id, "type": "qcow2", "new_file": overlay}]
    assert attached.active() == overlay
    assert attached.info()[snapshot.id] == overlay


def test_a_silent_nova_is_waited_for_ten_minutes(attached):
    rows = says(attached, ("creating", "0%"))
    attached.driver._nova = Nova()
    with pytest.raises(exception.RemoteFSException, match="said nothing about the creation"):
        attached.take()
    assert 600 <= rows.asked[-1] <= 610
    assert rows.asked[:13] == [*range(11), 12, 14]
    assert rows.asked[-1] - rows.asked[-2] == 10


def test_a_silent_nova_that_has_switched_the_guest_is_found_out(attached):
    says(attached, ("creating", "0%"))
    attached.driver._nova = Nova(switch(attached))
    snapshot = attached.take()
    assert attached.active() == attached.overlay(snapshot)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("error", exception.RemoteFSException),
        ("deleting", exception.RemoteFSConcurrentRequest),
        ("error_deleting", exception.RemoteFSConcurrentRequest),
    ],
)
def test_what_nova_says_of_a_failure_is_told(attached, status, error):
    before = attached.info()
    says(attached, ("creating", "0%"), (status, "90%"))
    attached.driver._nova = Nova()
    with pytest.raises(error):
        attached.take()
    assert before.items() <= attached.info().items() or before == attached.info()


def test_without_nova_the_reason_is_told(attached):
    with pytest.raises(exception.RemoteFSException, match="Nova is not configured"):
        attached.take()


def test_a_snapshot_is_deleted_when_the_images_show_it(attached):
    first, second = attached.snapshots
    says(attached, ("deleting", "90%"))
    nova = attached.driver._nova = Nova(commit(attached, attached.overlay(second)))
    before = attached.shown()
    attached.delete(first)
    assert nova.requests == [
        {
            "type": "qcow2",
            "volume_id": attached.volume.id,
            "file_to_merge": attached.overlay(first),
            "merge_target_file": attached.volume.name,
        }
    ]
    assert attached.shown() == {key: before[key] for key in ("volume", second.id)}
    assert attached.files() == {"", ".info", f".{second.id}"}


def test_the_stale_progress_of_an_earlier_request_removes_no_image(attached):
    """The trap: 90 % is still there from the first time, while Nova has only just begun."""
    before, files = attached.shown(), attached.files()
    rows = says(attached, ("deleting", "90%"))
    attached.driver._nova = Nova()
    attached.driver.configuration.nova_snapshot_delete_timeout = 100
    with pytest.raises(exception.RemoteFSException, match="said nothing about the deletion"):
        attached.driver.delete_snapshot(attached.snapshots[0])
    assert 100 <= rows.asked[-1] <= 110
    assert attached.shown() == before
    assert attached.files() == files


def test_a_silent_nova_is_waited_for_two_hours_for_a_deletion(attached):
    rows = says(attached, ("deleting", "0%"))
    attached.driver._nova = Nova()
    with pytest.raises(exception.RemoteFSException, match="said nothing about the deletion"):
        attached.driver.delete_snapshot(attached.snapshots[0])
    assert 7200 <= rows.asked[-1] <= 7210


def test_an_error_of_nova_about_a_deletion_that_the_images_prove_is_none(attached):
    first, second = attached.snapshots
    says(attached, ("error_deleting", "90%"))
    attached.driver._nova = Nova(commit(attached, attached.overlay(second)))
    attached.delete(first)
    assert first.id not in attached.info()


def test_a_refused_deletion_leaves_nothing_behind(attached):
    before, record = attached.shown(), attached.info()
    attached.driver._nova = Nova(error=exception.NovaRefused(reason="the guest is paused"))
    with pytest.raises(exception.NovaRefused):
        attached.driver.delete_snapshot(attached.snapshots[0])
    assert attached.shown() == before
    assert attached.info() == record


def test_while_a_deletion_is_in_doubt_no_other_one_is_begun(attached):
    """Nova may be merging still: afterwards nobody could tell what it has merged for whom."""
    says(attached, ("deleting", "0%"))
    attached.driver._nova = Nova(error=exception.NovaOutcomeUnknown(reason="cut off"))
    with pytest.raises(exception.NovaOutcomeUnknown):
        attached.driver.delete_snapshot(attached.snapshots[0])
    with pytest.raises(exception.RemoteFSConcurrentRequest, match="may still be merging"):
        attached.driver.delete_snapshot(attached.snapshots[1])


def test_once_detached_a_deletion_in_doubt_is_of_no_concern(attached):
    says(attached, ("deleting", "0%"))
    attached.driver._nova = Nova(error=exception.NovaOutcomeUnknown(reason="cut off"))
    with pytest.raises(exception.NovaOutcomeUnknown):
        attached.driver.delete_snapshot(attached.snapshots[0])
    attached.volume.status = "available"
    before = attached.shown()
    doomed = attached.snapshots[1]
    attached.delete(doomed)
    del before[doomed.id]
    assert attached.shown() == before
    attached.delete(attached.snapshots[0])
    assert attached.info() == {"active": attached.volume.name}
    assert attached.files() == {"", ".info"}


def test_a_driver_with_its_own_blocking_methods_is_not_driven_by_steps():
    class Own(SiteDriver):
        def _create_snapshot_online(self, snapshot, backing_filename, new_snap_path):
            self.called = (backing_filename, new_snap_path)

    class Child(Own):
        pass

    assert SiteDriver.has_online_phases
    assert not Own.has_online_phases
    assert not Child.has_online_phases


def test_the_hooks_of_cinders_drivers_get_what_cinder_hands_them(attached):
    """A driver outside this project that deletes in its own way."""
    calls = []

    class Own(SiteDriver):
        def _delete_snapshot_online(self, context, snapshot, info):
            calls.append(info)

    first, second = attached.snapshots
    driver = Own(attached.directory)
    driver.delete_snapshot(second)
    assert calls == [
        {
            "active_file": attached.overlay(second),
            "snapshot_file": attached.overlay(second),
            "base_file": attached.overlay(first),
            "base_id": first.id,
            "new_base_file": attached.volume.name,
        }
    ]
