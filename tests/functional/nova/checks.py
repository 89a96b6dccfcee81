# SPDX-License-Identifier: Apache-2.0
"""What must hold of an attached volume whenever nothing is under way on it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.functional.nova import images
from tests.functional.nova.guest import Guest

_UNFINISHED = "unfinished_deletion"


def wrong(
    guest: Guest, volume: Path, snapshot_ids: Iterable[str], *, killed: bool = False
) -> list[str]:
    """Say what is wrong with files, chain, `.info` and data; an empty list is what is wanted.

    volume: path of the volume's own file, which may be gone. snapshot_ids: those that the volume
    has, by its users' knowledge. killed: the service was, and a command of its may have gone on
    after that; what it was writing is cleared away by the next operation.
    """
    ids = set(snapshot_ids)
    with guest.still():
        return [
            *_wrong_chain(guest),
            *_wrong_info(guest, volume, ids),
            *_stray(guest, volume, killed),
            *_wrong_snapshots(guest, volume, ids),
        ] + [f"block {number} of the guest differs" for number in guest.writer.wrong_blocks()]


def info_of(volume: Path) -> dict[str, str]:
    """The snapshots' files and the active one, as the volume's `.info` has them."""
    path = volume.with_name(f"{volume.name}.info")
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    found.pop(_UNFINISHED, None)
    return found


def unfinished_in(volume: Path) -> str | None:
    """The snapshot whose deletion the volume's `.info` says to be unfinished."""
    path = volume.with_name(f"{volume.name}.info")
    found = json.loads(path.read_text()) if path.exists() else {}
    return (found.get(_UNFINISHED) or {}).get("snapshot_id")


def _wrong_chain(guest: Guest) -> Iterable[str]:
    active = guest.chain[-1]
    found = [image.path.name for image in reversed(images.chain(active.path, active.format))]
    if found != guest.files():
        yield f"the chain on the disk is {found}, that of the guest {guest.files()}"


def _wrong_info(guest: Guest, volume: Path, ids: set[str]) -> Iterable[str]:
    if unfinished_in(volume) not in (None, *ids):
        yield f".info has an unfinished deletion of {unfinished_in(volume)}, which is gone"
    info = info_of(volume)
    active = info.pop("active", volume.name)
    if active != guest.files()[-1]:
        yield f".info says that {active} is active, and the guest has {guest.files()[-1]}"
    if set(info) != ids:
        yield f".info knows the snapshots {sorted(info)}, and there are {sorted(ids)}"
    if sorted(info.values()) != sorted(guest.files()[1:]):
        yield f".info has the files {sorted(info.values())}, the chain {guest.files()[1:]}"


def _stray(guest: Guest, volume: Path, killed: bool) -> Iterable[str]:
    expected = {*guest.files(), f"{volume.name}.info"}
    found = {path.name for path in volume.parent.glob(f"{volume.name}*")}
    if killed:
        found = {name for name in found if not name.endswith(".new")}
    if found - expected:
        yield f"nothing needs {sorted(found - expected)}"
    if set(guest.files()) - found:
        yield f"{sorted(set(guest.files()) - found)} vanished"


def _wrong_snapshots(guest: Guest, volume: Path, ids: set[str]) -> Iterable[str]:
    info = info_of(volume)
    for snapshot_id in sorted(ids & set(info) & set(guest.snapshots)):
        # What came after the snapshot is in its file; the snapshot is what lies beneath.
        layer = guest.chain[guest.files().index(info[snapshot_id]) - 1]
        blocks = images.differences(guest.snapshots[snapshot_id], layer.path, layer.format)
        if blocks:
            yield f"snapshot {snapshot_id} differs in the blocks {blocks}"
