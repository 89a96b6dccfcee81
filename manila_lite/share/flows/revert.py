# SPDX-License-Identifier: Apache-2.0
"""revert_to_snapshot: a share goes back to what its latest snapshot holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import access, messages, quotas, share_changes, snapshot_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common, manage, resize, snapshots
from manila_lite.share.flows.replication import snapshots as replication
from manila_lite.share.flows.replication.common import look, wait_for_turn

_REVERTING = (states.REVERTING, states.REVERTING_TO_SNAPSHOT)


def reverting_failed(
    op: Operation,
    error: BaseException,
    snapshot_id: str,
    reservations: list[str] | None = None,
) -> list[Write]:
    """Put the share into reverting_error and its snapshot back; free what was reserved."""
    now = op.clock.now()
    released = quotas.roll_back(reservations, now)
    snapshot = snapshots.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return released
    share = snapshot["share"]
    failed = [] if share is None else given_up(op, share)
    return [*failed, *_restored(snapshot, now), *released]


def given_up(op: Operation, share: Record) -> list[Write]:
    """Put a share instance into reverting_error and tell its user."""
    now = op.clock.now()
    old = common.own_status(share, *_REVERTING)
    return [
        *share_changes.move(share["id"], old, states.REVERTING_ERROR, now),
        *common.tell_user(op, share, messages.ACTION_REVERT_TO_SNAPSHOT, now),
    ]


def _restored(snapshot: Record, now: Any) -> list[Write]:
    """The snapshot is as it was, whatever became of the share."""
    return snapshot_changes.move(snapshot["id"], states.RESTORING, states.AVAILABLE, now)


@flow(
    "revert_to_snapshot",
    version="1.18",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    first_step="revert",
    on_failure=reverting_failed,
)
def revert_to_snapshot(
    op: Operation, snapshot_id: str, reservations: list[str] | None = None
) -> None:
    """Have the driver set a share back to a snapshot, data and size; the snapshot stays.

    Whoever asks has seen to it that it is the share's latest one.
    """
    snapshot = snapshots.get_snapshot(op, snapshot_id)
    reason = _reason_to_skip(snapshot)
    if snapshot is None or reason is not None:
        return common.skip(op, reason or "", quotas.roll_back(reservations, op.clock.now()))
    _begin(op, snapshot)
    share = snapshot["share"]
    revert, *arguments = _call(op, snapshot)
    op.step(
        "revert",
        revert,
        op.context,
        *arguments,
        share_server=common.share_server(op, share),
        # In doubt it is done again: nobody writes to a share meanwhile that is being reverted.
        probe=manage.again,
        retry=common.DRIVER,
    )
    now, size = op.clock.now(), int(snapshot["size"] or share["size"])
    op.finish(
        share_changes.resized(share, size, now),
        _restored(snapshot, now),
        resize.settled(op, share, size, reservations, now),
    )


def _call(op: Operation, snapshot: Record) -> tuple[Any, ...]:
    """Return the driver's method, and what it gets between the context and the share server."""
    share = snapshot["share"]
    replicas = replication.has_replicas(op, share["share_id"])
    if replicas:
        wait_for_turn(op, share["share_id"])
    rules = common.read(op, lambda connection: _rules(connection, snapshot))
    seen = look(op, share["id"]) if replicas else None
    if seen is None:
        return (op.env.driver.revert_to_snapshot, snapshot, *rules)
    instances = replication.instances_of(seen, snapshot["snapshot_id"])
    revert = op.env.driver.revert_to_replicated_snapshot
    return (revert, seen.replica, seen.replicas, snapshot, instances, *rules)


def _reason_to_skip(snapshot: Mapping[str, Any] | None) -> str | None:
    if snapshot is None:
        return "the snapshot is deleted"
    if snapshot["status"] not in (states.RESTORING, states.AVAILABLE):
        return f"the snapshot is {snapshot['status']}"
    share = snapshot["share"]
    if share is None:
        return "the share is deleted"
    if share["status"] not in (*_REVERTING, states.REVERTING_ERROR):
        return f"the share is {share['status']}"
    return None


def _begin(op: Operation, snapshot: Record) -> None:
    """Show an operator's retry of a failed revert as what it is."""
    share, now = snapshot["share"], op.clock.now()
    writes: list[Write] = []
    if share["status"] not in _REVERTING:
        writes += share_changes.move(share["id"], share["status"], states.REVERTING, now)
        share["status"] = states.REVERTING
    if snapshot["status"] != states.RESTORING:
        writes += snapshot_changes.move(snapshot["id"], snapshot["status"], states.RESTORING, now)
        snapshot["status"] = states.RESTORING
    if writes:
        op.record("begin", writes)


def _rules(connection: Connection, snapshot: Record) -> tuple[list[Record], list[Record]]:
    """The rules that hold on the share, and those of the snapshot."""
    share = snapshot["share"]
    of_share = access.rules_of_instance(connection, share["share_id"], share["id"])
    of_snapshot = access.rules_of_snapshot_instance(
        connection, snapshot["snapshot_id"], snapshot["id"]
    )
    return (
        [rule for rule in of_share if rule["state"] == states.ACCESS_ACTIVE],
        [rule for rule in of_snapshot if rule["mapping_id"] is not None],
    )
