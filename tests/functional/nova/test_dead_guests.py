# SPDX-License-Identifier: Apache-2.0
"""A guest that dies in the middle of what Nova had it do."""

import threading

import pytest

from manila_lite import volume_states as states
from tests.fixtures.daemon import poll
from tests.functional.nova import checks, pictures
from tests.functional.nova.nova import CREATE, NONE, Trouble

SLOW = pictures.BLOCK // 8  # bytes a second: it will not end before the guest does


@pytest.fixture
def site(raw_site):
    return raw_site


@pytest.fixture
def guest(site, volume):
    """A guest that writes all the time, and what it was acknowledged outlives it."""
    made = site.attach(volume, durable=True)
    made.writer.run()
    made.wait_writes()
    return made


def die_in_the_middle(guest, job):
    poll(lambda: (guest.monitor.job(job) or {}).get("current-progress"), "some progress")
    guest.writer.run()
    guest.wait_writes(5)
    guest.kill()


@pytest.mark.parametrize(
    ("place", "job"),
    [(0, "commit"), (1, "commit"), (-1, "pull")],
    ids=["oldest", "middle", "active"],
)
@pytest.mark.parametrize("trouble", [NONE, Trouble(callbacks=())], ids=["told", "untold"])
def test_what_a_guest_wrote_outlives_its_death_in_the_middle_of_a_merge(
    site, volume, guest, place, job, trouble
):
    made = site.three_snapshots(volume)
    # What a guest has written anew need not be pulled.
    guest.writer.stop()
    made.append(site.snapshot(volume))
    active = guest.active
    guest.job_speed = SLOW
    site.nova.troubles = lambda kind, snapshot_id: trouble
    operation = site.ask_deletion(made[place])
    die_in_the_middle(guest, job)
    site.nova.troubles = lambda kind, snapshot_id: NONE
    assert site.wait(operation)["state"] == "failed"
    assert site.status(made[place]) == states.ERROR_DELETING
    site.nova.wait_idle()
    guest.job_speed = 0
    guest.restart(active)
    # What lies under a half-merged snapshot is no longer its past; nobody else sees that.
    del guest.snapshots[made[place]]
    assert checks.wrong(guest, volume.path, made) == []
    guest.writer.run()
    guest.wait_writes()
    site.delete(made.pop(place))
    assert checks.wrong(guest, volume.path, made) == []


def test_a_guest_that_dies_before_it_is_switched_goes_on_where_it_was(site, volume, guest):
    made = [site.snapshot(volume)]
    active, held = guest.active, threading.Event()
    site.nova.troubles = lambda kind, snapshot_id: Trouble(hold=held)
    snapshot_id, operation = site.ask_snapshot(volume)
    site.nova.wait_asked(CREATE, snapshot_id)
    guest.kill()
    held.set()
    site.wait_failed(operation)
    assert site.status(snapshot_id) == states.ERROR
    site.nova.troubles = lambda kind, snapshot_id: NONE
    guest.restart(active)
    guest.writer.run()
    guest.wait_writes()
    site.delete(snapshot_id)
    made.append(site.snapshot(volume))
    assert checks.wrong(guest, volume.path, made) == []


@pytest.mark.parametrize("writes", [0, 40], ids=["at once", "after some writes"])
def test_a_guest_that_dies_after_it_was_switched_goes_on_where_it_was(site, volume, guest, writes):
    made = [site.snapshot(volume)]
    if not writes:
        guest.writer.stop()
    site.nova.troubles = lambda kind, snapshot_id: Trouble(callbacks=())
    snapshot_id, operation = site.ask_snapshot(volume)
    poll(lambda: len(guest.files()) == 3, "the switch")
    guest.wait_writes(writes)
    active = guest.active
    guest.kill()
    site.nova.troubles = lambda kind, snapshot_id: NONE
    # Where nothing was written nobody can tell, and either answer is right.
    site.wait(operation)
    guest.restart(active)
    guest.writer.run()
    guest.wait_writes()
    made.append(site.snapshot(volume))
    assert checks.wrong(guest, volume.path, [made[0], snapshot_id, made[1]]) == []
    site.delete(snapshot_id)
    assert checks.wrong(guest, volume.path, made) == []
