# SPDX-License-Identifier: Apache-2.0
"""Nova reports a failure, and the hypervisor goes on: as when libvirt is restarted meanwhile."""

import threading

import pytest

from manila_lite import volume_states as states
from tests.functional.nova import checks
from tests.functional.nova.nova import CREATE, DELETE, Trouble

PLACES = pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])


@pytest.fixture
def site(raw_site):
    return raw_site


@PLACES
def test_a_merge_that_goes_on_keeps_other_snapshots_from_being_deleted(
    site, volume, guest, go_wrong, place
):
    made = site.three_snapshots(volume)
    doomed, other = made[place], made[(place + 1) % 3]
    held = threading.Event()
    go_wrong(DELETE, Trouble(blind=True, hold=held))
    site.wait_failed(site.ask_deletion(doomed))
    assert site.status(doomed) == states.ERROR_DELETING
    assert "delete that one first" in site.wait_failed(site.ask_deletion(other))
    held.set()
    site.nova.wait_idle()
    site.delete(doomed)
    made.remove(doomed)
    assert checks.wrong(guest, volume.path, made) == []
    site.delete(other)
    made.remove(other)
    assert checks.wrong(guest, volume.path, made) == []


@PLACES
def test_a_merge_that_went_on_is_found_by_whatever_comes_next(site, volume, guest, go_wrong, place):
    made = site.three_snapshots(volume)
    held = threading.Event()
    go_wrong(DELETE, Trouble(blind=True, hold=held))
    site.wait_failed(site.ask_deletion(made[place]))
    held.set()
    site.nova.wait_idle()
    made.append(site.snapshot(volume))
    doomed = made.pop(place)
    assert checks.wrong(guest, volume.path, made) == []
    asked = len(site.nova.asked(DELETE, doomed))
    site.delete(doomed)
    assert len(site.nova.asked(DELETE, doomed)) == asked, "there was nothing left to be merged"
    assert checks.wrong(guest, volume.path, made) == []


def test_a_switch_that_nova_calls_failed_is_kept_if_the_guest_is_on_the_overlay(
    site, volume, guest, go_wrong
):
    held = threading.Event()
    go_wrong(CREATE, Trouble(blind=True, hold=held))
    snapshot_id, operation = site.ask_snapshot(volume)
    site.wait_failed(operation)
    held.set()
    site.nova.wait_idle()
    guest.wait_writes()
    # Nova found no overlay any more, or the guest is on it and the volume knows that.
    made = [snapshot_id] if snapshot_id in guest.snapshots else []
    made.append(site.snapshot(volume))
    assert checks.wrong(guest, volume.path, made) == []
    site.delete(snapshot_id)
    assert checks.wrong(guest, volume.path, made[-1:]) == []
