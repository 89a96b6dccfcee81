# SPDX-License-Identifier: Apache-2.0
"""Hundreds of snapshots made and deleted under guests that write, amid faults and kills."""

import logging
import os

import pytest

from manila_lite import volume_states as states
from tests.functional.nova import checks, images
from tests.functional.nova.nova import CREATE, DELETE
from tests.functional.nova.storm import SECONDS_FOR_NOVA, Course, Faults, Storm

LOG = logging.getLogger(__name__)

VOLUMES = 4
OPERATIONS = int(os.environ.get("MANILA_LITE_STORM_OPERATIONS", "300"))
FORMAT = os.environ.get("MANILA_LITE_STORM_FORMAT", "raw")
SEED = int(os.environ.get("MANILA_LITE_STORM_SEED", "1"))
_SECONDS_EACH = 6  # of a busy machine; an idle one needs half a second


@pytest.mark.timeout(120 + _SECONDS_EACH * OPERATIONS)
@pytest.mark.slow
def test_no_byte_differs_and_no_file_is_left_after_hundreds_of_snapshots(sites):
    site = sites(FORMAT, seconds_for_nova=SECONDS_FOR_NOVA)
    volumes = [site.create_volume() for _ in range(VOLUMES)]
    for volume in volumes:
        site.attach(volume).writer.run()
    courses = [
        Course(site, volume, SEED + number, OPERATIONS // VOLUMES)
        for number, volume in enumerate(volumes)
    ]
    site.nova.troubles = faults = Faults(SEED)
    storm = Storm(site, courses, seed=SEED, kills=max(OPERATIONS // 15, 1))
    storm.run(_SECONDS_EACH * OPERATIONS)
    LOG.info("%s", storm)
    site.nova.wait_idle()
    for course in courses:
        course.check()
    assert sum(course.finished for course in courses) >= OPERATIONS
    assert sum(faults.count.values()) > OPERATIONS // 25, "hardly anything went wrong"
    assert storm.kills == max(OPERATIONS // 15, 1)
    assert_asked_once_each(site, courses)
    for volume, course in zip(volumes, courses, strict=True):
        finish(site, volume, course.made)
    assert [path.name for path in site.directory.iterdir() if path.name[0] != "."] == []


def assert_asked_once_each(site, courses):
    """Nova has been asked for each snapshot no more often than the users have asked for it."""
    for course in courses:
        for (kind, snapshot_id), asked in course.asked.items():
            assert len(site.nova.asked(kind, snapshot_id)) <= asked
    assert {request.kind for request in site.nova.requests} == {CREATE, DELETE}


def finish(site, volume, snapshot_ids):
    """Detach, and delete what is left without Nova."""
    guest = site.detach(volume)
    assert all(site.status(id_) == states.AVAILABLE for id_ in snapshot_ids)
    for snapshot_id in snapshot_ids:
        site.delete(snapshot_id)
    active = volume.path.with_name(checks.info_of(volume.path).get("active", volume.path.name))
    kind = site.image_format if "." not in active.name else "qcow2"
    assert images.differences(guest.writer.picture, active, kind) == []
    site.delete_volume(volume)
