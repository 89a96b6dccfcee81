# SPDX-License-Identifier: Apache-2.0
"""Drivers outside this project: they replace hooks, and have images with extensions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from manila_lite import process
from manila_lite.volume.qcow2 import qemu_img
from tests.functional.volume.chain_site import (
    GIB,
    PLACES,
    Died,
    Site,
    SiteDriver,
    read_blocks,
    volume_record,
    write_blocks,
)


class WithExtensions(SiteDriver):
    """Every image is qcow2 and has an extension, as with drivers for other hypervisors."""

    _VALID_IMAGE_EXTENSIONS = ["img", "qcow"]  # noqa: RUF012 - as such drivers have it

    def local_path(self, volume: Any) -> str:
        return os.path.join(self.directory, f"{volume.name}.img")

    def _local_path_volume_info(self, volume: Any) -> str:
        return os.path.join(self.directory, f"{volume.name}.info")

    def _get_new_snap_path(self, snapshot: Any) -> str:
        stem, extension = os.path.splitext(self.local_path(snapshot.volume))
        return f"{stem}.{snapshot.id}{extension}"


class OwnCommit(SiteDriver):
    """Merges with a tool of its own, and removes the image at once, as Cinder's method does."""

    def _img_commit(self, path: str) -> None:
        self.merged = [*getattr(self, "merged", []), os.path.basename(path)]
        process.execute("qemu-img", "commit", "-q", "-f", "qcow2", path)
        self._delete(path)


def test_images_may_have_extensions(tmp_path: Path):
    site = Site(WithExtensions(tmp_path), volume_record())
    base = f"{site.volume.name}.img"
    qemu_img.create(site.path(base), "qcow2", GIB)
    for value in (1, 2, 3):
        write_blocks(site.path(site.active()), "qcow2", {PLACES[0]: value})
        site.take()
    first, second, third = site.snapshots
    overlays = [f"{site.volume.name}.{snapshot.id}.img" for snapshot in site.snapshots]
    assert site.info() == {
        "active": overlays[2],
        **dict(zip((first.id, second.id, third.id), overlays, strict=True)),
    }
    for snapshot in (second, third, first):
        site.delete(snapshot)
    assert site.active() == base
    assert read_blocks(site.path(base), "qcow2", (0,)) == {0: bytes([3]) * 65536}
    assert site.files() == {".img", ".info"}


@pytest.mark.parametrize("position", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_a_driver_may_merge_with_its_own_tool(tmp_path: Path, position):
    site = Site(OwnCommit(tmp_path), volume_record())
    qemu_img.create(site.path(site.volume.name), "raw", GIB)
    for value in (1, 2, 3):
        site.write({PLACES[value]: value})
        site.take()
    before = site.shown()
    doomed = site.snapshots[position]
    site.delete(doomed)
    del before[doomed.id]
    assert site.driver.merged == [site.overlay(doomed)]
    assert site.shown() == before
    assert site.files() == {"", ".info"} | {f".{s.id}" for s in site.snapshots}


def test_all_commands_of_a_driver_go_through_its_execute(raw_site):
    def refuse(*command: Any, **options: Any) -> None:
        raise Died

    raw_site.driver.set_execute(refuse)
    with pytest.raises(Died):
        raw_site.take()
    assert raw_site.files() == {""}


def test_cinders_names_are_there_for_those_who_call_them(raw_site):
    """What drivers call that do more than ours with a volume's chain."""
    driver, volume = raw_site.driver, raw_site.volume
    first, second = raw_site.take(), raw_site.take()
    overlays = [raw_site.overlay(first), raw_site.overlay(second)]
    assert driver._get_higher_image_path(first) == overlays[1]
    assert driver._get_higher_image_path(second) is None
    assert driver._get_backing_chain_for_path(volume, raw_site.path(overlays[1])) == [
        {"filename": overlays[1], "backing-filename": overlays[0]},
        {"filename": overlays[0], "backing-filename": volume.name},
        {"filename": volume.name, "backing-filename": None},
    ]
    info_path = driver._local_path_volume_info(volume)
    assert driver._read_info_file(info_path) == raw_site.info()
    assert driver._read_info_file(f"{info_path}x", empty_if_missing=True) == {}
    with pytest.raises(FileNotFoundError):
        driver._read_info_file(f"{info_path}x")
    driver._delete_stale_snapshot(raw_site.snapshot())
    assert raw_site.info()["active"] == overlays[1]
    assert driver._get_hash_str("192.0.2.1:/x") == driver._get_hash_str(b"192.0.2.1:/x")
    assert len(driver._get_hash_str("a")) == 32
