# SPDX-License-Identifier: Apache-2.0
"""revert_to_snapshot: give a volume back what it held when the snapshot was taken."""

from __future__ import annotations

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes, volume_snapshots
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow


def reversion_failed(
    op: Operation, error: BaseException, snapshot_id: str, volume_id: str | None = None
) -> list[Write]:
    """Put the volume into error; the snapshot is as good as before."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return []
    volume, now = snapshot["volume"], op.clock.now()
    old, new = volume_states.REVERTING, volume_states.ERROR
    return [
        *volume_changes.move(snapshot["volume_id"], old, new, now),
        *_released(op, snapshot),
        *(telling.tell_user(op, volume, telling.ACTION_CREATE) if volume is not None else ()),
    ]


@flow(
    "revert_to_snapshot",
    version="3.15",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=reversion_failed,
)
def revert_to_snapshot(op: Operation, snapshot_id: str, volume_id: str | None = None) -> None:
    """Have the driver revert the volume to one of its snapshots; may be repeated."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None or snapshot["volume"] is None:
        raise exception.SnapshotNotFound(snapshot_id=snapshot_id)
    volume = snapshot["volume"]
    if volume_id not in (None, volume["id"]):
        raise exception.InvalidSnapshot(reason=f"it is not of volume {volume_id}")
    common.begin(op, volume, volume_states.REVERTING)
    _hold(op, snapshot)
    op.step(
        "revert",
        op.env.driver.revert_to_snapshot,
        op.context,
        volume,
        snapshot,
        retry=common.DRIVER,
    )
    op.finish(
        volume_changes.move(
            volume["id"], volume_states.REVERTING, volume_states.AVAILABLE, op.clock.now()
        ),
        _released(op, snapshot),
    )


def _hold(op: Operation, snapshot: Record) -> None:
    """Show that the snapshot is in use, where the API has not."""
    if snapshot["status"] == volume_states.AVAILABLE:
        old, new = volume_states.AVAILABLE, volume_states.RESTORING
        op.record("hold", volume_snapshots.move_snapshot(snapshot["id"], old, new, op.clock.now()))
        snapshot["status"] = new


def _released(op: Operation, snapshot: Record) -> list[Write]:
    old, new = volume_states.RESTORING, volume_states.AVAILABLE
    return volume_snapshots.move_snapshot(snapshot["id"], old, new, op.clock.now())
