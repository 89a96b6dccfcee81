# SPDX-License-Identifier: Apache-2.0
"""Which overlay of the chain stands for which snapshot: what is recorded, mended from the chain.

Pure functions. An overlay's own name does not always tell: when the active image's snapshot was
deleted under a running guest, what lay under that image has been pulled into it, and from then on
it stands for the snapshot under it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from manila_lite import exception
from manila_lite.volume.qcow2.info_file import Recorded
from manila_lite.volume.qcow2.names import VolumeNames


class ChainUnclear(exception.RemoteFSException):
    """The files allow more than one reading. Nothing is done until somebody has decided.

    `manila-lite volume check` shows the files, and `repair` knows the snapshots of the database.
    """

    message = "The images of %(volume)s are unclear: %(reason)s"


@dataclasses.dataclass(frozen=True)
class Reconciled:
    """files: snapshot id to overlay. gone: ids that are recorded, and of which no overlay is left
    in the chain. found: ids that only the chain knew."""

    files: Mapping[str, str]
    gone: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def reconcile(
    recorded: Recorded, overlays: Sequence[str], names: VolumeNames, deleting: str | None = None
) -> Reconciled:
    """Mend what is recorded. overlays: the chain's images that have a backing file, lowest first.

    deleting: the snapshot whose deletion is being repeated. Raises ChainUnclear.
    """
    files = {i: file for i, file in recorded.files.items() if file in overlays}
    gone = [i for i in recorded.files if i not in files]
    _inherit(recorded, files, gone, overlays, names, deleting)
    found = _name_the_rest(files, overlays, names)
    return Reconciled(files, tuple(i for i in gone if i not in files), tuple(found))


def _inherit(
    recorded: Recorded,
    files: dict[str, str],
    gone: list[str],
    overlays: Sequence[str],
    names: VolumeNames,
    deleting: str | None,
) -> None:
    """Where a snapshot was deleted by pulling, the one below lost its image and gets this one."""
    doomed = recorded.unfinished.snapshot_id if recorded.unfinished else deleting
    if doomed is None or doomed not in files:
        return
    if recorded.unfinished:
        # Nova may have done it late, when other overlays had been put over the image.
        heirs = [i for i in gone if recorded.files[i] == recorded.unfinished.file]
    else:
        heirs = gone[:] if files[doomed] == overlays[-1] else []
    if len(heirs) > 1:
        reason = f"snapshots {', '.join(heirs)} have lost their images while {doomed} is deleted"
        raise ChainUnclear(volume=names.volume_name, reason=reason)
    for heir in heirs:
        files[heir] = files.pop(doomed)
        gone.remove(heir)
        gone.append(doomed)


def _name_the_rest(files: dict[str, str], overlays: Sequence[str], names: VolumeNames) -> list[str]:
    found = []
    for overlay in overlays:
        if overlay in files.values():
            continue
        snapshot_id = names.snapshot_id(overlay)
        if snapshot_id is None or snapshot_id in files:
            reason = f"nobody knows for which snapshot {overlay} stands"
            raise ChainUnclear(volume=names.volume_name, reason=reason)
        files[snapshot_id] = overlay
        found.append(snapshot_id)
    return found


def by_order(overlays: Sequence[str], snapshot_ids: Sequence[str]) -> dict[str, str] | None:
    """Give each overlay, lowest first, to a snapshot, oldest first; None where the numbers differ.

    For when nothing is recorded any more, and only if the overlays' names do not fit.
    """
    if len(overlays) != len(snapshot_ids):
        return None
    return dict(zip(snapshot_ids, overlays, strict=True))
