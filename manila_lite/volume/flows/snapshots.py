# SPDX-License-Identifier: Apache-2.0
"""create_snapshot and delete_snapshot.

What is done depends on the volume: of one that is detached the driver makes and removes the
images itself; one that a guest has needs Nova (see online).
"""

from __future__ import annotations

from typing import Any, Final

from manila_lite import exception, volume_states
from manila_lite.db import volume_snapshots
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, online, telling
from manila_lite.volume.flows.casting import LANE, flow

_BUSY: Final = "SnapshotIsBusy"


def _see_volume(snapshot: Record) -> None:
    """Let the driver see the volume as it is now: what comes later in its lane has not begun."""
    volume = snapshot["volume"]
    if volume is None:
        raise exception.VolumeNotFound(volume_id=snapshot["volume_id"])
    volume["status"] = online.at_rest(volume)


def _begin(op: Operation, snapshot: Record, own: str) -> None:
    """Show what is going on, where the API has not: a retry, or a status forced in between.

    Once Nova was asked the status is Nova's word, which is still to be listened to.
    """
    status = snapshot["status"]
    if status == own or op.is_done(online.ASKING):
        return
    if own not in volume_states.SNAPSHOT_TRANSITIONS.get(status, ()):
        raise exception.InvalidSnapshot(reason=f"it is {status}, which does not lead to {own}")
    op.record("begin", volume_snapshots.move_snapshot(snapshot["id"], status, own, op.clock.now()))
    snapshot["status"] = own


# -- create ------------------------------------------------------------------------------------


def creation_failed(
    op: Operation, error: BaseException, snapshot_id: str, volume_id: str | None = None
) -> list[Write]:
    """Put the snapshot into error."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return []
    online.abandon(op, snapshot)
    old, now = volume_states.CREATING, op.clock.now()
    return [
        *volume_snapshots.snapshot_failed(snapshot_id, old, now),
        *telling.tell_user(
            op, snapshot, telling.ACTION_SNAPSHOT_CREATE, telling.DETAIL_SNAPSHOT_CREATE
        ),
    ]


@flow(
    "create_snapshot",
    version="3.0",
    lane=LANE,
    resource=("snapshot", "snapshot_id"),
    on_failure=creation_failed,
)
def create_snapshot(op: Operation, snapshot_id: str, volume_id: str | None = None) -> None:
    """Have the snapshot made; keep what the driver returns about it."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return common.skip(op, "the snapshot is deleted")
    if not _is_to_be_made(op, snapshot):
        return common.skip(op, f"the snapshot is {snapshot['status']}")
    _see_volume(snapshot)
    _begin(op, snapshot, volume_states.CREATING)
    update = online.create(op, snapshot) if online.is_due(op, snapshot) else _create(op, snapshot)
    op.finish(volume_snapshots.snapshot_created(snapshot, update, op.clock.now()))


def _is_to_be_made(op: Operation, snapshot: Record) -> bool:
    """Once Nova was asked it is to be brought to an end, whatever the status is meanwhile."""
    own = (volume_states.CREATING, volume_states.ERROR)
    return snapshot["status"] in own or op.is_done(online.ASKING)


def _create(op: Operation, snapshot: Record) -> dict[str, Any] | None:
    """Have the driver do it; it may be done again."""
    update: dict[str, Any] | None = op.step(
        "create", op.env.driver.create_snapshot, snapshot, retry=common.DRIVER
    )
    return update


# -- delete ------------------------------------------------------------------------------------


def deletion_failed(
    op: Operation,
    error: BaseException,
    snapshot_id: str,
    unmanage_only: bool = False,
    **rest: Any,
) -> list[Write]:
    """Put the snapshot into error_deleting; one that is busy back to available."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return []
    old = common.own_status(snapshot, volume_states.DELETING, volume_states.UNMANAGING)
    new = volume_states.SNAPSHOT_ERROR_STATUS[old]
    detail = telling.DETAIL_SNAPSHOT_DELETE
    if common.is_named(error, _BUSY) and old == volume_states.DELETING:
        new, detail = volume_states.AVAILABLE, telling.DETAIL_SNAPSHOT_BUSY
    return [
        *volume_snapshots.move_snapshot(snapshot_id, old, new, op.clock.now()),
        *telling.tell_user(op, snapshot, telling.ACTION_SNAPSHOT_DELETE, detail),
    ]


@flow(
    "delete_snapshot",
    version="3.0",
    lane=LANE,
    resource=("snapshot", "snapshot_id"),
    on_failure=deletion_failed,
)
def delete_snapshot(
    op: Operation, snapshot_id: str, unmanage_only: bool = False, volume_id: str | None = None
) -> None:
    """Have the snapshot removed; unmanage_only: the data stay, and are nobody's any more."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return common.skip(op, "the snapshot is already deleted")
    if snapshot["status"] != volume_states.UNMANAGING:
        _begin(op, snapshot, volume_states.DELETING)
    _see_volume(snapshot)
    if unmanage_only:
        op.step("unmanage", op.env.driver.unmanage_snapshot, snapshot, retry=common.DRIVER)
    elif online.is_due(op, snapshot):
        online.delete(op, snapshot)
    else:
        _delete(op, snapshot)
    op.finish(volume_snapshots.snapshot_deleted(snapshot, op.clock.now()))


def _delete(op: Operation, snapshot: Record) -> None:
    op.step(
        "delete",
        common.forget_unless_gone,
        op.env.driver.delete_snapshot,
        snapshot,
        retry=common.DRIVER,
    )
