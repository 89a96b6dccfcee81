# SPDX-License-Identifier: Apache-2.0
"""What must hold of volumes after every step, read from their files without any driver."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.model.volume_contents import TAG, UNIT, Contents
from tests.model.volume_world import Snapshot, Volume, VolumeWorld

#: What all volumes together may take on the shares; the guest writes much less.
MOST_BYTES = 256 << 20


def recorded(volume: Volume) -> dict[str, Any]:
    """What the `.info` file says; what its absence says where there is none."""
    path = volume.directory / f"{volume.name}.info"
    if not path.exists():
        return {"active": volume.name}
    found = json.loads(path.read_text())
    assert isinstance(found, dict), found
    return found


def format_of(volume: Volume, name: str) -> str:
    """The format of one of a volume's images, by its name."""
    return volume.image_format if name == volume.name else "qcow2"


def active_image(world: VolumeWorld, volume: Volume) -> tuple[Path, str]:
    """The image that a guest gets, and its format."""
    if volume.untidy:
        # The driver knows better than a record that was not finished.
        data = world.driver.initialize_connection(world.row(volume), {})["data"]
        assert data["format"] == format_of(volume, data["name"]), data
        return volume.directory / data["name"], data["format"]
    name = recorded(volume)["active"]
    return volume.directory / name, format_of(volume, name)


def check_all(world: VolumeWorld) -> None:
    """Compare all that there is with the oracle."""
    for volume in world.volumes:
        check_data(world, volume)
        if not volume.untidy:
            check_chain(world, volume)
    check_strays(world)
    check_room(world)
    for image_id, contents in world.shelved.items():
        found = world.images.contents(world.shelf.path(image_id), shelf_format(world, image_id))
        _agree(f"image {image_id}", contents, found)


def shelf_format(world: VolumeWorld, image_id: str) -> str:
    return world.shelf.show(None, image_id)["disk_format"]


def check_data(world: VolumeWorld, volume: Volume) -> None:
    """Each byte of the volume and of each of its snapshots."""
    _agree(volume.name, volume.contents, seen(world, volume))
    for snapshot in volume.sound_snapshots:
        found = world.images.contents(*snapshot_image(world, volume, snapshot))
        _agree(f"snapshot {snapshot.id} of {volume.name}", snapshot.contents, found)


def seen(world: VolumeWorld, volume: Volume) -> Contents:
    """What a guest would see."""
    return world.images.contents(*active_image(world, volume))


def snapshot_image(world: VolumeWorld, volume: Volume, snapshot: Snapshot) -> tuple[Path, str]:
    """The image that shows a snapshot, and its format: the one under the snapshot's overlay."""
    info = recorded(volume)
    assert snapshot.id in info, f"{volume.name}: snapshot {snapshot.id} is not recorded: {info}"
    layer = world.images.layer(volume.directory / info[snapshot.id], "qcow2")
    assert layer.backing, f"{info[snapshot.id]} has no image under it"
    return volume.directory / layer.backing, format_of(volume, layer.backing)


def _agree(what: str, expected: Contents, found: Contents) -> None:
    differences = expected.differences(found)
    assert not differences, "\n  ".join([f"{what} is not as it was written:", *differences])


def check_chain(world: VolumeWorld, volume: Volume) -> None:
    """The chain on disk is what `.info` says, no more and no less."""
    info = recorded(volume)
    path, image_format = active_image(world, volume)
    chain = [name for name, _ in world.images.chain(path, image_format)]
    ids = [snapshot.id for snapshot in volume.snapshots]
    assert sorted(info) == sorted(["active", *ids]), f"{volume.name}: {info} for snapshots {ids}"
    wanted = [*(info[identity] for identity in reversed(ids)), volume.name]
    assert chain == wanted, f"{volume.name}: its chain is {chain}, and its record is {wanted}"
    for name, layer in world.images.chain(path, image_format):
        assert layer.backing_format in (None, format_of(volume, layer.backing)), name


def check_strays(world: VolumeWorld) -> None:
    """No file on a share that no volume needs."""
    expected = {path for volume in world.volumes for path in _files(volume)}
    tidy = all(not volume.untidy for volume in world.volumes)
    found = {Path(entry.path) for share in world.shares for entry in os.scandir(share)}
    missing = expected - found
    assert not missing, f"missing: {sorted(missing)}"
    strays = found - expected
    if not tidy:
        names = tuple(volume.name for volume in world.volumes if volume.untidy)
        strays = {path for path in strays if not path.name.startswith(names)}
    assert not strays, f"strays: {sorted(strays)}"
    left = [path for path in (world.storage / "conversion").glob("*/*") if path.name[0] != "."]
    assert not left, f"left of conversions: {left}"


def check_room(world: VolumeWorld) -> None:
    """Holes stay holes: all files together take little."""
    taken = sum(
        entry.stat().st_blocks * 512 for share in world.shares for entry in os.scandir(share)
    )
    assert taken < MOST_BYTES, f"{taken} bytes are taken"


def _files(volume: Volume) -> list[Path]:
    info = recorded(volume)
    names = {volume.name, info["active"], *(info[s.id] for s in volume.sound_snapshots)}
    path = volume.directory / f"{volume.name}.info"
    return [*(volume.directory / name for name in names), *([path] if path.exists() else [])]


def check_driver_finds_nothing(world: VolumeWorld, volume: Volume) -> None:
    """The driver's own look at a volume agrees."""
    report = world.driver.check_volume(
        world.row(volume), [snapshot.id for snapshot in volume.snapshots]
    )
    assert not report["findings"], report["findings"]


def check_with_qemu(world: VolumeWorld, volume: Volume) -> None:
    """A second opinion: qemu-img compares with an image made of what the oracle knows."""
    oracle = world.root / "oracle"
    views = [(volume.contents, active_image(world, volume))]
    views += [(s.contents, snapshot_image(world, volume, s)) for s in volume.sound_snapshots]
    for contents, (path, image_format) in views:
        if any(len(tag) != TAG for tag in contents.units.values()):
            continue  # a unit of which only the digest is known
        _write(oracle, contents)
        _qemu_img("compare", "-f", image_format, "-F", "raw", path, oracle)
    for path in volume.directory.glob(f"{volume.name}*"):
        if path.suffix != ".info" and format_of(volume, path.name) == "qcow2":
            _qemu_img("check", "-f", "qcow2", path)


def _write(path: Path, contents: Contents) -> None:
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        for unit, tag in contents.units.items():
            file.seek(unit * UNIT)
            file.write(tag * (UNIT // TAG))
        file.truncate(contents.size)


def _qemu_img(*command: object) -> None:
    words = ["qemu-img", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
