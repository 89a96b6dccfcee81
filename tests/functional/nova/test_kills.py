# SPDX-License-Identifier: Apache-2.0
"""SIGKILL to the service at the moments at which it matters, and what it makes of that later."""

import threading

import pytest

from tests.fixtures.daemon import poll
from tests.functional.nova import checks
from tests.functional.nova.nova import CREATE, DELETE, Trouble


@pytest.fixture
def site(sites):
    # Nova's time must not be over before the service is back.
    made = sites("raw", seconds_for_nova=12)
    yield made
    made.calm()


def kill_when(site, look, what):
    poll(look, what)
    site.daemon.kill()


def test_a_kill_after_the_guest_was_switched_and_before_info_loses_nothing(
    site, volume, guest, go_wrong
):
    go_wrong(CREATE, Trouble(callbacks=()))
    snapshot_id, operation = site.ask_snapshot(volume)
    kill_when(site, lambda: len(guest.files()) == 2, "the switch")
    site.nova.wait_idle()
    assert snapshot_id not in checks.info_of(volume.path)
    guest.wait_writes()
    site.start()
    site.wait_succeeded(operation)
    assert checks.wrong(guest, volume.path, [snapshot_id]) == []
    assert len(site.nova.asked(CREATE, snapshot_id)) == 1


@pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_a_kill_after_the_merge_and_before_info_loses_nothing(site, volume, guest, go_wrong, place):
    made = site.three_snapshots(volume)
    go_wrong(DELETE, Trouble(callbacks=()))
    operation = site.ask_deletion(made[place])
    kill_when(site, lambda: len(guest.files()) == 3, "the merge")
    site.nova.wait_idle()
    guest.wait_writes()
    site.start()
    site.wait_succeeded(operation)
    snapshot_id = made.pop(place)
    assert site.status(snapshot_id) is None
    assert checks.wrong(guest, volume.path, made) == []
    assert len(site.nova.asked(DELETE, snapshot_id)) == 1


@pytest.mark.parametrize("kind", [CREATE, DELETE])
def test_a_kill_while_nova_works_does_not_make_it_work_twice(site, volume, guest, go_wrong, kind):
    made = site.three_snapshots(volume)
    held = threading.Event()
    go_wrong(kind, Trouble(hold=held))
    if kind == CREATE:
        snapshot_id, operation = site.ask_snapshot(volume)
    else:
        snapshot_id, operation = made[1], site.ask_deletion(made[1])
    site.nova.wait_asked(kind, snapshot_id)
    site.daemon.kill()
    site.start()
    site.daemon.wait_ready()
    held.set()
    site.wait_succeeded(operation)
    assert len(site.nova.asked(kind, snapshot_id)) == 1
    made = [*made, snapshot_id] if kind == CREATE else [id_ for id_ in made if id_ != snapshot_id]
    assert checks.wrong(guest, volume.path, made) == []
