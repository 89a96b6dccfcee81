# SPDX-License-Identifier: Apache-2.0
"""What has to be merged where, so that a snapshot can go while a guest holds the volume.

| what is removed      | merge_target_file | file_to_merge                      | file_to_delete |
|----------------------|-------------------|------------------------------------|----------------|
| the active image's   | null: the active  | the new base, or null for none     | the old base   |
| any other            | the base          | the snapshot's overlay             | the overlay    |

In the first case the guest's image takes in what lies between itself and the new base; in the
second the snapshot's data are committed into what they were made over. The new base is null when
the old one is the lowest image. So says Nova's API for assisted snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from manila_lite.volume.qcow2 import info_file
from manila_lite.volume.qcow2.chain import Image
from manila_lite.volume.qcow2.info_file import Unfinished
from manila_lite.volume.qcow2.survey import Position

DONE: Final = "done"
UNDONE: Final = "undone"
UNKNOWN: Final = "unknown"


def plan(position: Position, volume_id: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The plan of a deletion, as JSON. files: snapshot id to overlay, before.

    ``expect`` tells what proves that Nova has done it: the image's backing file has become
    ``backing_file`` (null: none), where it was ``before``.
    """
    pulled = position.higher is None
    base, overlay = position.base, position.overlay
    lower = base.backing if pulled else base.name
    remaining = {i: file for i, file in files.items() if i != position.snapshot_id}
    if pulled and position.base_id is not None:
        remaining[position.base_id] = overlay.name
    delete_info = {
        "type": "qcow2",
        "volume_id": volume_id,
        "file_to_merge": lower if pulled else overlay.name,
        "merge_target_file": None if pulled else base.name,
    }
    changed = overlay if position.higher is None else position.higher
    return {
        "delete_info": delete_info,
        "file_to_delete": base.name if pulled else overlay.name,
        "info_after": info_file.content(position.active, remaining),
        "active_file": position.active,
        "expect": {"image": changed.name, "backing_file": lower, "before": changed.backing},
    }


def intent(snapshot_id: str, made: Mapping[str, Any]) -> Unfinished:
    """What is written beside the images before Nova is asked.

    Without it, an overlay that is missing afterwards could be read in two ways: committed into
    its base, or pulled into the image above.
    """
    return Unfinished(snapshot_id, str(made["file_to_delete"]), merged=False, nova=True)


def state(chain: Sequence[Image], made: Mapping[str, Any]) -> str:
    """What a chain, the active image first, proves of a plan: DONE, UNDONE or UNKNOWN."""
    expected = made["expect"]
    found = next((image for image in chain if image.name == expected["image"]), None)
    if found is None:
        return UNKNOWN
    if found.backing == expected["backing_file"]:
        return DONE
    return UNDONE if found.backing == expected["before"] else UNKNOWN
