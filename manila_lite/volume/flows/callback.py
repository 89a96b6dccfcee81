# SPDX-License-Identifier: Apache-2.0
"""update_snapshot_status: what Nova says of a snapshot, as an operation of its own.

It only writes the word down. Whoever waits for it finds it there (see online).
"""

from __future__ import annotations

from manila_lite import volume_states
from manila_lite.db import volume_snapshots
from manila_lite.engine import Operation
from manila_lite.volume.flows import common
from manila_lite.volume.flows.casting import CALLBACK_LANE, flow


@flow(
    "update_snapshot_status",
    lane=CALLBACK_LANE,
    resource=("snapshot", "snapshot_id"),
    internal=True,
)
def update_snapshot_status(
    op: Operation, snapshot_id: str, status: str, progress: str | None = None
) -> None:
    """Keep status and progress, where the snapshot's own status may become that one."""
    found = op.env.snapshot_words.get(snapshot_id)
    if found is None:
        return common.skip(op, "the snapshot is deleted")
    if status not in volume_states.CALLBACK_TRANSITIONS.get(found[0], ()):
        return common.skip(op, f"the snapshot is {found[0]}: {status} comes too late")
    op.finish(volume_snapshots.report_progress(snapshot_id, status, progress, op.clock.now()))
