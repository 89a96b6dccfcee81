# SPDX-License-Identifier: Apache-2.0
"""create_share_group_snapshot and delete_share_group_snapshot.

They run on the lane of the group. Its shares have lanes of their own, so that what was asked of one
of them before may still be under way, or wait for its turn: each row shows that by its status, and
the snapshot is taken once all rows are at rest. What is asked of a share later runs beside it, as
with single snapshots of other shares.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import group_changes, messages, snapshot_changes
from manila_lite.db import models as tables
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, Pending, flow
from manila_lite.share.flows import common, group_answers, groups
from manila_lite.share.flows.group_answers import OF_SNAPSHOT

# How long a group snapshot waits for operations on the shares of the group, in seconds.
PATIENCE = 600.0
_MEMBERS = "share_group_snapshot_members"
_GONE = ("SnapshotResourceNotFound", "ShareSnapshotResourceNotFound")


def group_of_snapshot(snapshot: Mapping[str, Any]) -> Record:
    """Return the group that a snapshot is of. Raises ShareGroupNotFound where it is gone."""
    group: Record | None = snapshot["share_group"]
    if group is None:
        raise exception.ShareGroupNotFound(share_group_id=snapshot["share_group_id"])
    return group


def _tell(op: Operation, snapshot: Record, action: str, error: BaseException | None) -> list[Write]:
    """There are no messages about group snapshots: it is one about the group."""
    owner = {"id": snapshot["share_group_id"], "project_id": snapshot["project_id"]}
    return groups.tell(op, owner, action, error)


# -- create ------------------------------------------------------------------------------------


def creation_failed(
    op: Operation, error: BaseException, share_group_snapshot_id: str
) -> list[Write]:
    """Put the group snapshot and its members into error."""
    snapshot = groups.get_group_snapshot(op, share_group_snapshot_id)
    if snapshot is None:
        return []
    now = op.clock.now()
    old = common.own_status(snapshot, states.CREATING)
    writes = group_changes.move_snapshot(snapshot["id"], old, states.ERROR, now)
    for member in snapshot[_MEMBERS]:
        old = common.own_status(member, states.CREATING)
        writes += snapshot_changes.move(member["id"], old, states.ERROR, now)
    return [*writes, *_tell(op, snapshot, messages.ACTION_CREATE, error)]


@flow(
    "create_share_group_snapshot",
    version="1.16",
    lane=groups.LANE,
    resource=("share_group_snapshot", "share_group_snapshot_id"),
    on_failure=creation_failed,
)
def create_share_group_snapshot(op: Operation, share_group_snapshot_id: str) -> None:
    """Have the driver make a snapshot of each share of a group, at one moment if it can."""
    snapshot = groups.get_group_snapshot(op, share_group_snapshot_id)
    if snapshot is None:
        return common.skip(op, "the share group snapshot is deleted")
    if snapshot["status"] not in (states.CREATING, states.ERROR):
        return common.skip(op, f"the share group snapshot is {snapshot['status']}")
    _begin(op, snapshot, states.CREATING)
    _wait_for_shares(op, snapshot)
    returned = op.step(
        "create",
        groups.with_statistics,
        op.env.driver,
        op.env.driver.create_share_group_snapshot,
        op.context,
        _with_its_shares(snapshot),
        share_server=groups.share_server(op, group_of_snapshot(snapshot)),
        retry=common.DRIVER,
    )
    op.finish(_created(op, snapshot, returned))


def _begin(op: Operation, snapshot: Record, own: str) -> None:
    """Show in all rows what is going on: those of an operator's retry, and members at deletion."""
    now = op.clock.now()
    writes: list[Write] = []
    if own in states.GROUP_TRANSITIONS.get(snapshot["status"], ()):
        writes += group_changes.move_snapshot(snapshot["id"], snapshot["status"], own, now)
    for member in snapshot[_MEMBERS]:
        old = member["status"]
        if old not in states.UNDERWAY and own in states.SNAPSHOT_TRANSITIONS.get(old, ()):
            writes += snapshot_changes.move(member["id"], old, own, now)
        member["status"] = own
    snapshot["status"] = own
    if writes:
        op.record("begin", writes)


def _wait_for_shares(op: Operation, snapshot: Record) -> None:
    ids = [member["share_instance_id"] for member in snapshot[_MEMBERS]]
    if ids:
        op.wait("shares", functools.partial(_at_rest, op.env.db, ids), deadline=PATIENCE)


def _at_rest(database: Database, instance_ids: Sequence[str]) -> Any:
    def work(connection: Connection) -> dict[str, Record]:
        return share_rows.get_instances(connection, instance_ids)

    found = database.run(work, write=False)
    busy = [share for share in found.values() if share["status"] in states.UNDERWAY]
    if not busy:
        return None
    return Pending(f"share {busy[0]['share_id']} is {busy[0]['status']}")


def _with_its_shares(snapshot: Record) -> Record:
    for member in snapshot[_MEMBERS]:
        if member["share"] is None:
            raise exception.InvalidShareGroupSnapshot(
                reason=f"the share of its member {member['id']}, "
                f"instance {member['share_instance_id']}, is gone"
            )
    return snapshot


def _created(op: Operation, snapshot: Record, returned: Any) -> list[Write]:
    whole, members = group_answers.pair(returned, OF_SNAPSHOT)
    ids = [member["id"] for member in snapshot[_MEMBERS]]
    updates = group_answers.by_id(members, ids, OF_SNAPSHOT)
    now = op.clock.now()
    writes = group_changes.move_snapshot(
        snapshot["id"],
        snapshot["status"],
        group_answers.status(whole, OF_SNAPSHOT),
        now,
        **group_answers.columns(tables.share_group_snapshots, whole, OF_SNAPSHOT),
    )
    for member in snapshot[_MEMBERS]:
        update = updates.get(member["id"], {})
        columns = group_answers.columns(tables.share_snapshot_instances, update, OF_SNAPSHOT)
        status = group_answers.status(update, OF_SNAPSHOT)
        writes += snapshot_changes.move(
            member["id"], member["status"], status, now, progress="100%", **columns
        )
    return writes


# -- delete ------------------------------------------------------------------------------------


def deletion_failed(
    op: Operation, error: BaseException, share_group_snapshot_id: str
) -> list[Write]:
    """Put the group snapshot into error and its members into error_deleting.

    The API deletes group snapshots that are available or in error, whatever their members are.
    """
    snapshot = groups.get_group_snapshot(op, share_group_snapshot_id)
    if snapshot is None:
        return []
    now = op.clock.now()
    writes = group_changes.move_snapshot(snapshot["id"], states.DELETING, states.ERROR, now)
    for member in snapshot[_MEMBERS]:
        old = states.DELETING
        writes += snapshot_changes.move(member["id"], old, states.ERROR_DELETING, now)
    return [*writes, *_tell(op, snapshot, messages.ACTION_DELETE, error)]


@flow(
    "delete_share_group_snapshot",
    version="1.16",
    lane=groups.LANE,
    resource=("share_group_snapshot", "share_group_snapshot_id"),
    on_failure=deletion_failed,
)
def delete_share_group_snapshot(op: Operation, share_group_snapshot_id: str) -> None:
    """Have the driver remove a group snapshot; one that is not on the storage is deleted."""
    snapshot = groups.get_group_snapshot(op, share_group_snapshot_id)
    if snapshot is None:
        return common.skip(op, "the share group snapshot is already deleted")
    _begin(op, snapshot, states.DELETING)
    members = snapshot[_MEMBERS]
    # A share that is gone has taken its snapshots with it.
    snapshot[_MEMBERS] = [member for member in members if member["share"] is not None]
    op.step(
        "delete",
        _delete,
        op.env.driver,
        op.context,
        snapshot,
        groups.share_server(op, group_of_snapshot(snapshot)),
        retry=common.DRIVER,
    )
    op.finish(group_changes.delete_snapshot(snapshot["id"], members, op.clock.now()))


def _delete(driver: Any, context: Any, snapshot: Record, server: Record | None) -> str | None:
    try:
        driver.delete_share_group_snapshot(context, snapshot, share_server=server)
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise
        return "it was already gone"
    return None
