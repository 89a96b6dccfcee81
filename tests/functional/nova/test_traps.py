# SPDX-License-Identifier: Apache-2.0
"""The known ways to lose a guest's data, or to wait for ever, each played to the end."""

import threading

import pytest

from manila_lite import volume_states as states
from tests.fixtures.daemon import happens, poll
from tests.functional.nova import checks
from tests.functional.nova.nova import CREATE, DELETE, Trouble

TOO_SOON = 1.5  # seconds in which nothing may have happened


@pytest.fixture
def site(raw_site):
    return raw_site


# -- what Nova says is not the whole truth -----------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])
@pytest.mark.parametrize(
    "first",
    [Trouble(fails=True), Trouble(fails=True, claims=True)],
    ids=["a failed deletion", "a failed deletion that Nova calls done"],
)
def test_the_progress_of_an_earlier_deletion_does_not_end_the_next_one(
    site, volume, guest, go_wrong, place, first
):
    made = site.three_snapshots(volume)
    held = threading.Event()
    go_wrong(DELETE, first, Trouble(hold=held))
    site.wait_failed(site.ask_deletion(made[place]))
    assert site.status(made[place]) == states.ERROR_DELETING
    operation = site.ask_deletion(made[place])
    site.nova.wait_asked(DELETE, made[place], 2)
    assert not happens(lambda: site.finished(operation), TOO_SOON)
    assert checks.wrong(guest, volume.path, made) == []
    held.set()
    site.wait_succeeded(operation)
    del made[place]
    assert checks.wrong(guest, volume.path, made) == []


@pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_a_late_word_about_an_earlier_deletion_removes_no_file_of_the_next_one(
    site, volume, guest, go_wrong, place
):
    made = site.three_snapshots(volume)
    held = threading.Event()
    again = threading.Event()
    go_wrong(DELETE, Trouble(fails=True, claims=True, again=again), Trouble(hold=held))
    site.wait_failed(site.ask_deletion(made[place]))
    operation = site.ask_deletion(made[place])
    site.nova.wait_asked(DELETE, made[place], 2)
    spoken = len(site.nova.callbacks)
    again.set()
    poll(lambda: len(site.nova.callbacks) > spoken, "the late word")
    assert not happens(lambda: site.status(made[place]) is None, TOO_SOON)
    assert checks.wrong(guest, volume.path, made) == []
    held.set()
    site.nova.wait_idle()
    site.wait(operation)
    if site.status(made[place]) is not None:
        site.delete(made[place])
    del made[place]
    assert checks.wrong(guest, volume.path, made) == []


def test_a_deletion_that_failed_changes_nothing_and_can_be_repeated(site, volume, guest, go_wrong):
    made = site.three_snapshots(volume)
    go_wrong(DELETE, Trouble(fails=True))
    site.wait_failed(site.ask_deletion(made[1]))
    assert site.status(made[1]) == states.ERROR_DELETING
    assert checks.wrong(guest, volume.path, made) == []
    site.delete(made.pop(1))
    assert checks.wrong(guest, volume.path, made) == []


def test_a_creation_that_failed_leaves_no_file(site, volume, guest, go_wrong):
    go_wrong(CREATE, Trouble(fails=True))
    snapshot_id, operation = site.ask_snapshot(volume)
    site.wait_failed(operation)
    assert site.status(snapshot_id) == states.ERROR
    assert checks.wrong(guest, volume.path, []) == []
    site.delete(snapshot_id)
    made = [site.snapshot(volume)]
    assert checks.wrong(guest, volume.path, made) == []


@pytest.mark.parametrize("kind", [CREATE, DELETE])
def test_a_refusal_of_nova_changes_nothing_and_is_told(site, volume, guest, go_wrong, kind):
    made = site.three_snapshots(volume)
    go_wrong(kind, Trouble(refusal="the instance is paused"))
    if kind == CREATE:
        snapshot_id, operation = site.ask_snapshot(volume)
    else:
        snapshot_id, operation = made[0], site.ask_deletion(made[0])
    assert "the instance is paused" in site.wait_failed(operation)
    expected = states.ERROR if kind == CREATE else states.ERROR_DELETING
    assert site.status(snapshot_id) == expected
    assert checks.wrong(guest, volume.path, made) == []


# -- a silent Nova -----------------------------------------------------------------------------


def test_a_silent_nova_that_took_the_snapshot_is_found_out_by_the_chain(
    site, volume, guest, go_wrong
):
    go_wrong(CREATE, Trouble(callbacks=()))
    made = [site.snapshot(volume)]
    assert checks.wrong(guest, volume.path, made) == []


def test_a_silent_nova_that_took_no_snapshot_is_waited_for_until_the_deadline(
    site, volume, guest, go_wrong
):
    go_wrong(CREATE, Trouble(idle=True))
    snapshot_id, operation = site.ask_snapshot(volume)
    site.wait_failed(operation)
    assert site.status(snapshot_id) == states.ERROR
    assert checks.wrong(guest, volume.path, []) == []


@pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_a_silent_nova_that_merged_is_found_out_by_the_chain(site, volume, guest, go_wrong, place):
    made = site.three_snapshots(volume)
    go_wrong(DELETE, Trouble(callbacks=()))
    site.delete(made.pop(place))
    assert checks.wrong(guest, volume.path, made) == []


@pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_a_silent_nova_that_merged_nothing_is_waited_for_until_the_deadline(
    site, volume, guest, go_wrong, place
):
    made = site.three_snapshots(volume)
    go_wrong(DELETE, Trouble(idle=True))
    site.wait_failed(site.ask_deletion(made[place]))
    assert site.status(made[place]) == states.ERROR_DELETING
    assert checks.wrong(guest, volume.path, made) == []


def test_a_snapshot_that_nova_takes_after_the_deadline_is_not_lost(site, volume, guest, go_wrong):
    held = threading.Event()
    go_wrong(CREATE, Trouble(hold=held))
    snapshot_id, operation = site.ask_snapshot(volume)
    site.wait_failed(operation)
    held.set()
    site.nova.wait_idle()
    guest.wait_writes()
    # Either Nova found no overlay any more, or the guest is on it and the volume knows that.
    made = [site.snapshot(volume)]
    if snapshot_id in guest.snapshots:
        made.insert(0, snapshot_id)
    assert checks.wrong(guest, volume.path, made) == []
    site.delete(snapshot_id)
    assert checks.wrong(guest, volume.path, made[-1:]) == []


@pytest.mark.parametrize(("place", "job"), [(0, "commit"), (-1, "pull")], ids=["oldest", "active"])
def test_while_a_merge_takes_too_long_nothing_else_is_done_to_the_images(
    site, volume, guest, place, job
):
    made = site.three_snapshots(volume)
    # What a guest has written anew need not be pulled.
    guest.writer.stop()
    made.append(site.snapshot(volume))
    guest.job_speed = 1024  # bytes a second: it will not end by itself
    site.wait_failed(site.ask_deletion(made[place]))
    assert guest.monitor.job(job) is not None
    guest.writer.run()
    # The guest's host cannot do this before it is through with that.
    snapshot_id, operation = site.ask_snapshot(volume)
    site.wait_failed(operation)
    assert site.status(snapshot_id) == states.ERROR
    guest.monitor.execute("block-job-set-speed", device=job, speed=0)
    site.nova.wait_idle()
    guest.job_speed = 0
    site.delete(made.pop(place))
    site.delete(snapshot_id)
    assert checks.wrong(guest, volume.path, made) == []


# -- the `.info` file --------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1], ids=["oldest", "active"])
def test_a_snapshot_that_info_does_not_know_is_merged_and_not_forgotten(site, volume, guest, place):
    made = [site.snapshot(volume)]
    info = volume.path.with_name(f"{volume.path.name}.info")
    before = info.read_bytes()
    guest.wait_writes()
    made.append(site.snapshot(volume))
    # As a service leaves it that dies before it has noted the second snapshot.
    info.write_bytes(before)
    guest.wait_writes()
    site.delete(made.pop(place))
    assert checks.wrong(guest, volume.path, made) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "gone"])
def test_an_info_file_that_is_no_use_is_made_anew_from_the_chain(site, volume, guest, damage):
    made = site.three_snapshots(volume)
    info = volume.path.with_name(f"{volume.path.name}.info")
    whole = info.read_bytes()
    if damage == "gone":
        info.unlink()
    else:
        spoilt = {"truncated": whole[: len(whole) // 2], "empty": b"", "foreign": b"[1]"}
        info.write_bytes(spoilt[damage])
    made.append(site.snapshot(volume))
    assert checks.wrong(guest, volume.path, made) == []
    site.delete(made.pop(0))
    assert checks.wrong(guest, volume.path, made) == []
