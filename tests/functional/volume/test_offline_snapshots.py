# SPDX-License-Identifier: Apache-2.0
"""Snapshots of detached volumes: what the images show, and what lies on the share."""

from __future__ import annotations

from pathlib import Path

import pytest

from manila_lite import exception, process
from manila_lite.volume.qcow2 import header, qemu_img
from manila_lite.volume.qcow2.names import attempt
from tests.functional.volume.chain_site import GIB, PLACES, Site, read_blocks


def fill(site: Site, value: int) -> None:
    site.write(dict.fromkeys(PLACES[: 1 + value % len(PLACES)], value))


def three_snapshots(site: Site) -> list:
    """A volume with three snapshots, each of which shows something else."""
    for value in (1, 2, 3):
        fill(site, value)
        site.take()
    fill(site, 4)
    return list(site.snapshots)


def test_a_snapshot_keeps_what_the_volume_showed(site):
    fill(site, 1)
    before = site.shown()["volume"]
    snapshot = site.take()
    fill(site, 2)
    assert site.shown()[snapshot.id] == before
    assert site.shown()["volume"] != before
    assert site.info() == {
        "active": site.overlay(snapshot),
        snapshot.id: site.overlay(snapshot),
    }


def test_an_overlay_names_its_base_plainly_and_with_its_format(site):
    snapshot = site.take()
    info = qemu_img.info(site.path(site.overlay(snapshot)), "qcow2")
    assert info.backing_file == site.volume.name
    assert info.backing_format == site.format_of(site.volume.name)


@pytest.mark.parametrize("position", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_deleting_a_snapshot_changes_nothing_else(site, position):
    doomed = three_snapshots(site)[position]
    before = site.shown()
    site.delete(doomed)
    del before[doomed.id]
    assert site.shown() == before
    assert site.files() == {"", ".info"} | {f".{s.id}" for s in site.snapshots}
    assert set(site.info()) == {"active", *(s.id for s in site.snapshots)}


def test_deleting_all_snapshots_leaves_the_base_image_alone(site):
    before = None
    for snapshot in three_snapshots(site):
        before = before or site.shown()["volume"]
        site.delete(snapshot)
    assert site.shown() == {"volume": before}
    assert site.files() == {"", ".info"}
    assert site.info() == {"active": site.volume.name}


def test_making_a_snapshot_again_changes_nothing(site):
    snapshot = site.take()
    fill(site, 5)
    before = site.shown()
    site.driver.create_snapshot(snapshot)
    assert site.shown() == before


def test_deleting_a_snapshot_again_is_no_error(site):
    snapshot = three_snapshots(site)[1]
    site.delete(snapshot)
    before = site.shown()
    site.driver.delete_snapshot(snapshot)
    assert site.shown() == before


def test_a_snapshot_that_was_never_made_can_be_deleted(site):
    fill(site, 1)
    before = site.shown()
    site.driver.delete_snapshot(site.snapshot())
    assert site.shown() == before
    assert site.files() == {""}


def test_snapshots_of_different_sizes_keep_their_data(site):
    """A volume that grew between two snapshots: committing lets the base grow too."""
    fill(site, 4)
    first = site.take()
    active = site.active()
    qemu_img.resize(site.path(active), "qcow2", 2 * GIB)
    site.volume.size = 2
    end = 2 * GIB - 65536
    site.write({end: 9, 0: 8})
    second = site.take()
    site.write({0: 7})
    before = site.shown()
    site.delete(first)
    assert site.shown() == {key: before[key] for key in ("volume", second.id)}
    site.delete(second)
    name = site.active()
    assert name == site.volume.name
    shown = read_blocks(site.path(name), site.format_of(name), (0, end))
    assert shown == {0: bytes([7]) * 65536, end: bytes([9]) * 65536}


def test_an_overlay_smaller_than_its_base_hides_what_is_behind_its_end(site):
    """As a volume whose row says less than its image has: nothing of it comes to light later."""
    qemu_img.resize(site.path(site.active()), site.format_of(site.active()), 2 * GIB)
    end = 2 * GIB - 65536
    site.write({end: 9})
    site.volume.size = 2
    snapshot = site.take()
    path = site.path(site.overlay(snapshot))
    qemu_img.create_overlay(path, site.volume.name, site.format_of(site.volume.name), GIB)
    higher = site.take()
    qemu_img.resize(site.path(site.overlay(higher)), "qcow2", 2 * GIB)
    before = read_blocks(site.path(site.active()), "qcow2", (end,))
    site.delete(snapshot)
    assert read_blocks(site.path(site.active()), "qcow2", (end,)) == before == {end: bytes(65536)}


def test_a_new_overlay_is_never_smaller_than_its_base(site):
    qemu_img.resize(site.path(site.active()), site.format_of(site.active()), 2 * GIB)
    snapshot = site.take()
    assert qemu_img.info(site.path(site.overlay(snapshot)), "qcow2").virtual_size == 2 * GIB


def test_a_clone_shows_the_volume_and_leaves_it_as_it_was(site):
    three_snapshots(site)
    before = site.shown()
    clone = type(site.volume)(site.volume, id="c" * 8, name="volume-clone", status="creating")
    update = site.driver.create_cloned_volume(clone, site.volume)
    assert update == {"provider_location": site.volume.provider_location}
    assert read_blocks(site.path("volume-clone"), "raw") == before["volume"]
    (site.directory / "volume-clone").unlink()
    assert site.shown() == before
    assert site.driver.check_volume(site.volume, [s.id for s in site.snapshots])["findings"] == []


def test_a_clone_does_not_use_what_an_earlier_attempt_has_left(site):
    fill(site, 1)
    leftover = site.snapshot(f"tmp-snap-{site.volume.id}")
    site.driver.create_snapshot(leftover)
    fill(site, 2)
    now = site.shown()["volume"]
    clone = type(site.volume)(site.volume, id="c" * 8, name="volume-clone", status="creating")
    site.driver.create_cloned_volume(clone, site.volume)
    assert read_blocks(site.path("volume-clone"), "raw") == now
    assert site.info() == {"active": site.volume.name}


@pytest.mark.parametrize("status", ["error", "creating", "deleting", "downloading"])
def test_a_volume_in_no_status_for_it_gets_no_snapshot(raw_site, status):
    raw_site.volume.status = status
    with pytest.raises(exception.InvalidVolume):
        raw_site.take()
    assert raw_site.files() == {""}


def test_an_image_that_is_being_cached_gets_the_snapshot_of_a_clone(raw_site):
    raw_site.volume.status = "downloading"
    raw_site.driver.create_snapshot(raw_site.snapshot(f"tmp-snap-{raw_site.volume.id}"))
    assert f".tmp-snap-{raw_site.volume.id}" in raw_site.files()


def test_a_raw_volume_stays_raw_whatever_its_guest_writes(raw_site, tmp_path_factory):
    """A guest that writes a qcow2 header into its disk must not have qemu follow it."""
    secret = tmp_path_factory.mktemp("host") / "secret"
    secret.write_bytes(b"s" * 4096)
    trap = tmp_path_factory.mktemp("host") / "trap"
    qemu_img.create_overlay(str(trap), str(secret), "raw", GIB)
    header = trap.read_bytes()
    with open(raw_site.path(raw_site.volume.name), "r+b") as file:
        file.write(header)
    snapshot = raw_site.take()
    overlay = raw_site.path(raw_site.overlay(snapshot))
    assert qemu_img.info(overlay, "qcow2").backing_format == "raw"
    assert read_blocks(overlay, "qcow2")[0] == header[:65536]
    raw_site.delete(snapshot)
    assert read_blocks(raw_site.path(raw_site.volume.name), "raw")[0] == header[:65536]


def test_what_is_left_of_a_creation_that_was_given_up_goes_with_its_snapshot(raw_site):
    """Killed while the overlay was made, and then deleted instead of made again."""
    snapshot = raw_site.snapshot()
    half = Path(attempt(raw_site.path(raw_site.overlay(snapshot))))
    half.write_bytes(b"QFI")
    raw_site.driver.delete_snapshot(snapshot)
    assert raw_site.files() == {""}


@pytest.mark.parametrize("change", ["write", "write -z", "discard"])
def test_an_overlay_that_was_written_to_is_told_from_one_that_was_not(raw_site, change):
    overlay = raw_site.path(raw_site.overlay(raw_site.take()))
    assert not header.has_data(overlay)
    process.execute("qemu-io", "-f", "qcow2", "-d", "unmap", "-c", f"{change} 0 64k", overlay)
    assert header.has_data(overlay)


def test_an_image_that_stands_for_another_snapshot_is_not_replaced(raw_site):
    """Names do not always tell: this one has another snapshot's data under it."""
    raw_site.write({0: 1})
    first = raw_site.take()
    overlay = raw_site.overlay(first)
    raw_site.write({0: 2})
    other = raw_site.snapshot()
    raw_site.driver._write_info_file(
        raw_site.path(f"{raw_site.volume.name}.info"), {"active": overlay, other.id: overlay}
    )
    raw_site.snapshots = [other]
    before = raw_site.shown()
    with pytest.raises(exception.RemoteFSException, match="stands for another snapshot"):
        raw_site.driver.create_snapshot(first)
    assert raw_site.shown() == before


def test_a_command_that_outlives_its_process_writes_to_no_later_attempt(raw_site):
    """qemu-img create of a service that was killed, still at it when the overlay is in use."""
    seen = []

    def execute(*command, **options):
        seen.append(str(command[-2]))
        return process.execute(*command, **options)

    raw_site.driver.set_execute(execute)
    snapshot = raw_site.snapshot()
    for _ in range(2):
        raw_site.driver.create_snapshot(snapshot)
        Path(raw_site.path(raw_site.overlay(snapshot))).unlink()
        Path(raw_site.path(f"{raw_site.volume.name}.info")).unlink()
    made = [path for path in seen if path.endswith(".new")]
    assert len(made) == len(set(made)) == 2
