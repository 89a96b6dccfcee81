# SPDX-License-Identifier: Apache-2.0
"""What is found wrong with a volume's files, and what a repair makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manila_lite import exception
from manila_lite.volume.qcow2 import qemu_img
from tests.functional.volume.chain_site import PLACES, Site, write_blocks


@pytest.fixture
def site(raw_site: Site) -> Site:
    """A volume with two snapshots, all of which show something else."""
    for value in (1, 2):
        raw_site.write({PLACES[0]: value, PLACES[-1]: 10 + value})
        raw_site.take()
    raw_site.write({PLACES[0]: 3})
    return raw_site


def ids(site: Site) -> list[str]:
    return [snapshot.id for snapshot in site.snapshots]


def kinds(report) -> list[str]:
    return [finding["kind"] for finding in report["findings"]]


def check(site: Site):
    return site.driver.check_volume(site.volume, ids(site))


def repair(site: Site, dry_run: bool = False):
    return site.driver.repair_volume(site.volume, ids(site), dry_run=dry_run)


def info_path(site: Site) -> Path:
    return Path(site.path(f"{site.volume.name}.info"))


def assert_repaired(site: Site, before, report) -> None:
    """The data are the same, and another look finds nothing."""
    assert all(finding["repaired"] for finding in report["findings"])
    assert check(site)["findings"] == []
    assert site.shown() == before


def test_a_volume_that_is_as_it_should_be_has_no_findings(site):
    report = check(site)
    overlays = [site.overlay(snapshot) for snapshot in site.snapshots]
    assert report == {
        "volume_id": site.volume.id,
        "active": overlays[1],
        "chain": [overlays[1], overlays[0], site.volume.name],
        "snapshots": dict(zip(ids(site), overlays, strict=True)),
        "dry_run": True,
        "findings": [],
    }
    assert json.loads(json.dumps(report)) == report


def test_a_volume_without_snapshots_needs_no_record(raw_site):
    assert check(raw_site)["findings"] == []
    assert raw_site.files() == {""}


@pytest.mark.parametrize("damage", ["", "{", "[]", "\0" * 30, None], ids=str)
def test_a_record_that_is_damaged_is_made_anew(site, damage):
    before, recorded = site.shown(), site.info()
    if damage is None:
        info_path(site).unlink()
    else:
        info_path(site).write_text(damage)
    report = repair(site)
    assert kinds(report) == ["info_missing" if damage is None else "info_damaged"]
    assert report["findings"][0]["path"] == str(info_path(site))
    assert site.info() == recorded
    assert_repaired(site, before, report)


def test_a_dry_run_changes_nothing(site):
    info_path(site).write_text("{")
    report = repair(site, dry_run=True)
    assert report["dry_run"]
    assert report["findings"][0]["repair"] == "write what the images show"
    assert not report["findings"][0]["repaired"]
    assert info_path(site).read_text() == "{"


@pytest.mark.parametrize("lost", ["damaged", "missing"])
def test_operations_mend_the_record_by_themselves(site, lost):
    """The trap: a snapshot that .info does not know is not deleted just because of that."""
    before = site.shown()
    info_path(site).write_text("{\n") if lost == "damaged" else info_path(site).unlink()
    doomed = site.snapshots[0]
    site.delete(doomed)
    del before[doomed.id]
    assert site.shown() == before
    assert site.files() == {"", ".info", f".{site.snapshots[0].id}"}


def test_an_overlay_that_stands_for_another_snapshot_is_told_by_their_order(site):
    """As when the active image's snapshot was deleted under a guest: the names do not fit."""
    first, second = site.snapshots
    path = site.path(site.overlay(second))
    qemu_img.commit(path)
    Path(path).unlink()
    site.snapshots = [second]
    info_path(site).write_text(
        json.dumps({"active": site.overlay(first), second.id: site.overlay(first)})
    )
    before = site.shown()
    info_path(site).write_text("{")
    assert_repaired(site, before, repair(site))
    assert site.info()[second.id] == site.overlay(first)


def test_strays_are_removed_and_nothing_else_is(site):
    before = site.shown()
    stray = f"{site.volume.name}.{'5' * 8}"
    qemu_img.create_overlay(site.path(stray), site.volume.name, "raw", 1 << 30)
    (site.directory / f"{stray}.new").write_bytes(b"half")
    (site.directory / "volume-other").write_bytes(b"not ours")
    report = repair(site)
    assert kinds(report) == ["stray_image", "temporary_file"]
    assert_repaired(site, before, report)
    assert (site.directory / "volume-other").exists()


def test_an_image_that_is_all_a_snapshot_has_is_kept(site):
    stray = f"{site.volume.name}.{'5' * 8}"
    qemu_img.create_overlay(site.path(stray), site.volume.name, "raw", 1 << 30)
    report = site.driver.repair_volume(site.volume, [*ids(site), "5" * 8], dry_run=False)
    assert kinds(report) == ["stray_image", "lost_snapshot"]
    assert [finding["repair"] for finding in report["findings"]] == [None, None]
    assert (site.directory / stray).exists()


def test_a_snapshot_of_the_chain_that_the_database_does_not_have_is_told(site):
    report = site.driver.repair_volume(site.volume, ids(site)[1:], dry_run=False)
    assert kinds(report) == ["unknown_snapshot"]
    assert site.overlay(site.snapshots[0]) in report["findings"][0]["path"]
    assert check(site)["findings"] == []


def test_what_a_clone_has_left_is_merged(site):
    before = site.shown()
    site.driver.create_snapshot(site.snapshot(f"tmp-snap-{site.volume.id}"))
    report = repair(site)
    assert kinds(report) == ["leftover_snapshot"]
    assert_repaired(site, before, report)
    assert f".tmp-snap-{site.volume.id}" not in site.files()


def test_a_header_that_names_a_path_and_no_format_is_put_right(site):
    before = site.shown()
    path = site.path(site.overlay(site.snapshots[0]))
    base = site.path(site.volume.name)
    qemu_img.rebase_header(path, base, "raw")
    report = repair(site)
    assert kinds(report) == ["backing_name"]
    assert_repaired(site, before, report)
    assert qemu_img.info(path, "qcow2").backing_file == site.volume.name


def test_a_chain_that_ends_in_nothing_is_told_and_left_alone(site):
    Path(site.path(site.volume.name)).rename(site.directory / "away")
    report = repair(site)
    assert kinds(report) == ["chain_unclear"]
    assert site.volume.name in report["findings"][0]["text"]
    with pytest.raises(exception.RemoteFSException, match="missing"):
        site.driver.delete_snapshot(site.snapshots[0])


def test_an_active_image_that_was_removed_is_told_and_not_replaced_by_itself(site):
    """Only a repair goes back to an older image, and only if the database has it so."""
    Path(site.path(site.overlay(site.snapshots[1]))).rename(site.directory / "away")
    with pytest.raises(exception.RemoteFSException, match="missing"):
        site.active()
    assert kinds(check(site)) == ["chain_unclear"]
    site.snapshots.pop()
    assert kinds(repair(site)) == ["info_differs"]
    assert site.active() == site.overlay(site.snapshots[0])


def test_two_chains_are_told_apart_by_the_snapshots_of_the_database(site):
    before = site.shown()
    fork = f"{site.volume.name}.{'5' * 8}"
    qemu_img.create_overlay(site.path(fork), site.volume.name, "raw", 1 << 30)
    write_blocks(site.path(fork), "qcow2", {PLACES[1]: 5})
    info_path(site).unlink()
    with pytest.raises(exception.RemoteFSException, match="could be the active one"):
        site.driver.create_snapshot(site.snapshot())
    report = repair(site)
    assert kinds(report) == ["info_missing", "stray_image"]
    assert_repaired(site, before, report)


def test_a_damaged_image_is_told(site):
    path = site.path(site.overlay(site.snapshots[0]))
    with open(path, "r+b") as file:
        # The first entry of the refcount table.
        file.seek(65536)
        file.write((7 << 40).to_bytes(8))
    report = check(site)
    assert kinds(report) == ["damaged_image"]
    assert report["findings"][0]["path"] == path


def test_a_volume_without_a_share_is_told(site):
    site.volume.provider_location = None
    assert kinds(check(site)) == ["no_share"]
