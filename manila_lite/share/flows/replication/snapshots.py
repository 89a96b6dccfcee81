# SPDX-License-Identifier: Apache-2.0
"""create_replicated_snapshot and delete_replicated_snapshot: one snapshot on all replicas."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import access, messages, replica_changes, snapshot_changes
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common, snapshots
from manila_lite.share.flows.replication.common import (
    NoActiveReplica,
    View,
    active_of,
    look,
    record_next,
    wait_for_turn,
)

_GONE: Final = ("SnapshotResourceNotFound", "ShareSnapshotResourceNotFound")
#: What a driver may say of a snapshot instance on a replica.
_TOLD: Final = (
    states.CREATING, states.AVAILABLE, states.ERROR, states.DELETING, states.DELETED,
    states.ERROR_DELETING,
)  # fmt: skip


def look_at(op: Operation, share_id: str) -> View | None:
    """Read the replicas of a share, from the active one's place; None without an active one."""
    template = op.env.share_name_template
    found = common.read(
        op,
        lambda connection: share_rows.list_instances_of_share(connection, share_id, template),
    )
    active = active_of(found)
    return None if active is None else look(op, active["id"])


def has_replicas(op: Operation, share_id: str) -> bool:
    """Whether a share has more than its active replica: its snapshots are then on all of them."""
    seen = look_at(op, share_id)
    return seen is not None and len(seen.replicas) > 1


def instances_of(seen: View, snapshot_id: str) -> list[Record]:
    """Return the instances of a snapshot on all replicas."""
    return [one for one in seen.snapshots if one["snapshot_id"] == snapshot_id]


def _failed(op: Operation, share_id: str, snapshot_id: str, own: str, action: str) -> list[Write]:
    """Put all instances that show the operation into its error status."""

    def work(connection: Connection) -> list[Record]:
        return snapshot_rows.list_instances(connection, snapshot_id)

    found, now = common.read(op, work), op.clock.now()
    writes: list[Write] = []
    for one in found:
        if one["status"] == own:
            new = states.SNAPSHOT_ERROR_STATUS[own]
            writes += snapshot_changes.move(one["id"], own, new, now)
    return [*writes, *(snapshots.tell(op, found[0], action) if found else [])]


# -- create ------------------------------------------------------------------------------------


def creation_failed(
    op: Operation, error: BaseException, snapshot_id: str, share_id: str
) -> list[Write]:
    """Put all instances of the snapshot into error."""
    return _failed(op, share_id, snapshot_id, states.CREATING, messages.ACTION_CREATE)


@flow(
    "create_replicated_snapshot",
    version="1.11",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    on_failure=creation_failed,
)
def create_replicated_snapshot(op: Operation, snapshot_id: str, share_id: str) -> None:
    """Have the driver make a snapshot of the active replica, and pass it on to the others.

    Instances that the driver does not report as available are asked after where they are.
    """
    seen, found = _begin(op, share_id, snapshot_id, states.CREATING, (states.ERROR,))
    if not found:
        return common.skip(op, "the snapshot is deleted, or not to be made")
    answers = op.step("create", _create, op, seen, found, retry=common.DRIVER)
    now = op.clock.now()
    op.finish(*(updated(one, answers.get(one["id"], {}), now) for one in found))


def _create(op: Operation, seen: View, found: list[Record]) -> dict[str, Any]:
    returned = op.env.driver.create_replicated_snapshot(
        op.context, seen.replicas, found, share_server=common.share_server(op, seen.replica)
    )
    return _checked_all(returned, found)


def _begin(
    op: Operation, share_id: str, snapshot_id: str, own: str, retried: Sequence[str]
) -> tuple[View, list[Record]]:
    """Wait for the turn; return the instances that are due, those of a retry included."""
    wait_for_turn(op, share_id)
    seen = look_at(op, share_id)
    if seen is None:
        raise NoActiveReplica(share_id=share_id, more="")
    found = [one for one in instances_of(seen, snapshot_id) if one["status"] in (own, *retried)]
    now = op.clock.now()
    writes: list[Write] = []
    for one in found:
        if one["status"] != own:
            writes += snapshot_changes.move(one["id"], one["status"], own, now)
        one["status"] = own
    record_next(op, "begin", writes)
    return seen, found


def _checked_all(returned: Any, found: list[Record]) -> dict[str, Any]:
    """Return {instance id: what counts of the answer}. Raises ReplicationException."""
    if returned is not None and (
        isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Sequence)
    ):
        raise exception.ReplicationException(
            reason=f"the driver returned a {type(returned).__name__} instead of a list of snapshots"
        )
    known = {one["id"] for one in found}
    answers: dict[str, Any] = {}
    for one in returned or ():
        if not isinstance(one, Mapping) or one.get("id") not in known:
            raise exception.ReplicationException(
                reason="the driver returned something else than instances of the snapshot"
            )
        answers[one["id"]] = checked(one)
    return answers


def checked(returned: Any) -> dict[str, Any]:
    """Return what counts of a driver's answer about one snapshot instance.

    Raises ReplicationException for an answer that is no dict, and for an unknown status.
    """
    if returned is not None and not isinstance(returned, Mapping):
        raise exception.ReplicationException(
            reason=f"the driver returned {returned!r:.100} for a snapshot"
        )
    returned = returned or {}
    status = returned.get("status")
    if status is not None and status not in _TOLD:
        raise exception.ReplicationException(
            reason=f"the driver reports a snapshot as {status!r:.100}"
        )
    names = ("status", "progress", "provider_location")
    return {name: str(returned[name]) for name in names if returned.get(name) is not None}


def updated(one: Record, answer: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Write what a driver says of a snapshot instance that stays."""
    columns = {name: answer[name] for name in ("progress", "provider_location") if name in answer}
    status = answer.get("status", one["status"])
    if status == states.AVAILABLE:
        columns["progress"] = "100%"
    if status == one["status"] and not columns:
        return []
    return replica_changes.move_snapshot(one["id"], one["status"], status, now, **columns)


# -- delete ------------------------------------------------------------------------------------


def deletion_failed(
    op: Operation, error: BaseException, snapshot_id: str, share_id: str, **rest: Any
) -> list[Write]:
    """Put all instances of the snapshot into error_deleting."""
    return _failed(op, share_id, snapshot_id, states.DELETING, messages.ACTION_DELETE)


@flow(
    "delete_replicated_snapshot",
    version="1.11",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    on_failure=deletion_failed,
)
def delete_replicated_snapshot(
    op: Operation, snapshot_id: str, share_id: str, force: bool = False
) -> None:
    """Have the driver delete a snapshot on all replicas.

    Instances that the driver does not report as deleted are asked after where they are. force:
    an error of the driver is logged and ignored, and all instances count as deleted.
    """
    retried = (states.ERROR_DELETING, states.ERROR, states.AVAILABLE)
    seen, found = _begin(op, share_id, snapshot_id, states.DELETING, retried)
    if not found:
        return common.skip(op, "the snapshot is already deleted")
    answers = {one["id"]: {"status": states.DELETED} for one in found}
    with common.forgiving(force):
        answers = op.step("delete", _delete, op, seen, found, retry=common.DRIVER)
    op.finish(deleted(op, seen, found, answers))


def _delete(op: Operation, seen: View, found: list[Record]) -> dict[str, Any]:
    returned = op.env.driver.delete_replicated_snapshot(
        op.context, seen.replicas, found, share_server=common.share_server(op, seen.replica)
    )
    return _checked_all(returned, found)


def deleted(
    op: Operation, seen: View, found: list[Record], answers: Mapping[str, Any]
) -> list[Write]:
    """Write what became of instances that were to go; the usages with the snapshot's last one."""
    now = op.clock.now()
    gone = [one for one in found if answers.get(one["id"], {}).get("status") == states.DELETED]
    writes: list[Write] = []
    for one in found:
        if one in gone:
            writes += common.read(op, functools.partial(_without, one, now))
        else:
            writes += updated(one, answers.get(one["id"], {}), now)
    if gone and len(gone) == len(instances_of(seen, gone[0]["snapshot_id"])):
        writes += snapshots.freed(gone[0], now)
    return writes


def _without(one: Record, now: datetime.datetime, connection: Connection) -> list[Write]:
    one["export_locations"] = snapshot_rows.export_locations_of(connection, one["id"])
    rules = access.rules_of_snapshot_instance(connection, one["snapshot_id"], one["id"])
    metadata = snapshot_rows.metadata_of(connection, one["snapshot_id"])
    return snapshot_changes.deleted(one, now, rules=rules, metadata=metadata)


def is_gone(error: BaseException) -> bool:
    """Whether a driver says that the storage does not have the snapshot."""
    return common.is_named(error, *_GONE)
