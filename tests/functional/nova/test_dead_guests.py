# SPDX-License-Identifier: Apache-2.0
"""A guest that dies in the middle of what Nova had it do."""

import pytest

from manila_lite import volume_states as states
from tests.fixtures.daemon import poll
from tests.functional.nova import checks, pictures
from tests.functional.nova.nova import NONE, Trouble

SLOW = pictures.BLOCK * 4  # bytes a second: some seconds for what a guest has written


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
    guest.kill()


@pytest.mark.parametrize(
    ("place", "job"),
    [(0, "commit"), (1, "commit"), (2, "pull")],
    ids=["oldest", "middle", "active"],
)
@pytest.mark.parametrize("trouble", [NONE, Trouble(callbacks=())], ids=["told", "untold"])
def test_what_a_guest_wrote_outlives_its_death_in_the_middle_of_a_merge(
    site, volume, guest, place, job, trouble
):
    made = site.three_snapshots(volume)
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
