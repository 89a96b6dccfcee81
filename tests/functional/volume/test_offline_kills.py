# SPDX-License-Identifier: Apache-2.0
"""A driver that dies before, after or within any command, and before or after any record.

Whatever it leaves, the same request again ends as if nothing had happened.
"""

from __future__ import annotations

import os

import pytest

from manila_lite import process
from manila_lite.volume.qcow2 import info_file, qemu_img
from tests.functional.volume.chain_site import PLACES, Died, Mortal, Site, write_blocks


def snapshots_with_data(site: Site, count: int) -> None:
    for number in range(count):
        site.write({PLACES[number]: 10 + number, PLACES[-1]: 30 + number})
        site.take()
    site.write({PLACES[1]: 99})


def half_a_commit(command: list[str]) -> None:
    """What a commit that is killed in the middle may leave: some of the data are in the base."""
    overlay = command[-1]
    info = qemu_img.info(overlay, "qcow2")
    base = os.path.join(os.path.dirname(overlay), str(info.backing_file))
    copied = process.execute("qemu-io", "-r", "-f", "qcow2", "-c", "read -v 0 16", overlay)[0]
    value = int(copied.split()[1], 16)
    write_blocks(base, str(info.backing_format), {0: value})


def dies(site: Site, at: int, when: str, call) -> bool:
    """Whether the driver died at this point; it goes on living afterwards."""
    mortal = Mortal(at, when, half_a_commit)
    site.driver.set_execute(mortal)
    try:
        call()
    except Died:
        return True
    finally:
        site.driver.set_execute(process.execute)
    assert mortal.count < at or when == "within"
    return False


@pytest.mark.parametrize("position", [0, 1, 2], ids=["oldest", "middle", "active"])
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_a_deletion_that_is_killed_at_any_command_is_done_again(raw_site, position, when):
    """All points of one deletion, one after the other, before it is let through."""
    site = raw_site
    snapshots_with_data(site, 3)
    doomed = site.snapshots[position]
    before = site.shown()
    del before[doomed.id]
    died = [at for at in range(1, 6) if dies(site, at, when, lambda: _delete_only(site, doomed))]
    site.delete(doomed)
    assert died
    assert site.shown() == before
    assert site.files() == {"", ".info"} | {f".{s.id}" for s in site.snapshots}
    assert site.info().keys() == {"active", *(s.id for s in site.snapshots)}


def _delete_only(site: Site, snapshot) -> None:
    site.driver.delete_snapshot(snapshot)


@pytest.mark.parametrize("position", [0, 1, 2], ids=["oldest", "middle", "active"])
@pytest.mark.parametrize("at", [1, 2, 3], ids=["intent", "merged", "done"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deletion_killed_at_a_record_is_done_again(raw_site, monkeypatch, position, at, when):
    site = raw_site
    snapshots_with_data(site, 3)
    doomed = site.snapshots[position]
    before = site.shown()
    del before[doomed.id]
    calls = iter(range(1, 100))

    def deadly(path, values):
        now = next(calls) == at
        if now and when == "before":
            raise Died
        real(path, values)
        if now:
            raise Died

    real = info_file.replace
    with monkeypatch.context() as patch:
        patch.setattr(info_file, "replace", deadly)
        try:
            site.driver.delete_snapshot(doomed)
            died = False
        except Died:
            died = True
    assert died
    # What a guest would be given, before anybody has done anything about it.
    assert site.shown_by_volume() == before["volume"]
    site.delete(doomed)
    assert site.shown() == before
    assert site.files() == {"", ".info"} | {f".{s.id}" for s in site.snapshots}


def test_a_volume_that_is_used_after_a_killed_deletion_keeps_what_is_written(raw_site, monkeypatch):
    """The merged overlay stands over the new active image for a while, with older data."""
    site = raw_site
    snapshots_with_data(site, 2)
    doomed = site.snapshots[-1]
    monkeypatch.setattr(site.driver, "_remove_image", _die)
    with pytest.raises(Died):
        site.driver.delete_snapshot(doomed)
    monkeypatch.undo()
    assert f".{doomed.id}" in site.files()
    site.write({PLACES[1]: 77})
    site.delete(doomed)
    assert site.shown()["volume"][PLACES[1]] == bytes([77]) * 65536
    assert site.files() == {"", ".info", f".{site.snapshots[0].id}"}


def _die(*arguments: object) -> None:
    raise Died


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_creation_that_is_killed_at_any_command_is_done_again(raw_site, when):
    site = raw_site
    snapshots_with_data(site, 1)
    before = site.shown()
    snapshot = site.snapshot()
    create = site.driver.create_snapshot
    died = [at for at in range(1, 5) if dies(site, at, when, lambda: create(snapshot))]
    create(snapshot)
    site.snapshots.append(snapshot)
    assert died
    assert site.shown() == {**before, snapshot.id: before["volume"]}
    assert site.files() == {"", ".info"} | {f".{s.id}" for s in site.snapshots}


def test_a_creation_killed_before_its_record_is_found_out_from_the_chain(raw_site, monkeypatch):
    """The trap of every driver that goes by its .info file: the new overlay is the active one."""
    site = raw_site
    site.write({PLACES[0]: 1})
    snapshot = site.snapshot()
    monkeypatch.setattr(info_file, "replace", _die)
    with pytest.raises(Died):
        site.driver.create_snapshot(snapshot)
    monkeypatch.undo()
    assert site.active() == site.overlay(snapshot)
    site.write({PLACES[0]: 2})
    site.driver.delete_snapshot(snapshot)
    assert site.shown()["volume"][PLACES[0]] == bytes([2]) * 65536
    assert site.files() == {"", ".info"}


@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_a_clone_that_is_killed_leaves_its_source_as_it_was(raw_site, when):
    site = raw_site
    snapshots_with_data(site, 1)
    before = site.shown()
    clone = type(site.volume)(site.volume, id="c" * 8, name="volume-clone", status="creating")

    def make() -> None:
        (site.directory / "volume-clone").unlink(missing_ok=True)
        site.driver.create_cloned_volume(clone, site.volume)

    died = [at for at in range(1, 10) if dies(site, at, when, make)]
    make()
    (site.directory / "volume-clone").unlink()
    assert died
    assert site.shown() == before
    assert site.driver.check_volume(site.volume, [s.id for s in site.snapshots])["findings"] == []


def test_what_nova_was_to_merge_once_confuses_no_deletion_of_another_snapshot(
    raw_site, monkeypatch
):
    """A pull that never was: it would have ended the very image that is merged here."""
    site = raw_site
    snapshots_with_data(site, 3)
    _, doomed, active = site.snapshots
    site.volume.status = "in-use"
    assert site.driver.plan_online_deletion(active)["file_to_delete"] == site.overlay(doomed)
    site.volume.status = "available"
    before = site.shown()
    del before[doomed.id]
    killed_at_last_record(site, doomed, monkeypatch)
    site.delete(doomed)
    assert site.shown() == before


def killed_at_last_record(site: Site, doomed, monkeypatch) -> None:
    """Die when the images are merged and the record is about to say so."""
    real = info_file.replace

    def deadly(path, values):
        if (values.get("unfinished_deletion") or {}).get("merged"):
            raise Died
        real(path, values)

    with monkeypatch.context() as patch:
        patch.setattr(info_file, "replace", deadly)
        with pytest.raises(Died):
            site.driver.delete_snapshot(doomed)


def test_a_killed_deletion_of_one_snapshot_is_not_taken_for_that_of_the_next(raw_site, monkeypatch):
    """What was merged is gone, and its snapshot only: not the active one, should that go first."""
    site = raw_site
    snapshots_with_data(site, 3)
    _, doomed, active = site.snapshots
    before = site.shown()
    killed_at_last_record(site, doomed, monkeypatch)
    site.snapshots.remove(doomed)
    site.delete(active)
    site.driver.delete_snapshot(doomed)
    assert site.shown() == {key: before[key] for key in ("volume", site.snapshots[0].id)}
    assert site.files() == {"", ".info", f".{site.snapshots[0].id}"}


def test_a_killed_deletion_keeps_no_other_snapshot_from_being_deleted_under_a_guest(raw_site):
    """That one was ours to do and not Nova's: nobody is still working on it."""
    site = raw_site
    snapshots_with_data(site, 3)
    first, second, _ = site.snapshots
    assert dies(site, 1, "before", lambda: site.driver.delete_snapshot(first))
    site.volume.status = "in-use"
    plan = site.driver.plan_online_deletion(second)
    assert plan["file_to_delete"] == site.overlay(second)
    assert not plan["asked_before"]
    assert site.driver.plan_online_deletion(second)["asked_before"]
