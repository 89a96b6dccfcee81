# SPDX-License-Identifier: Apache-2.0
"""Share groups and group snapshots that nobody brings to an end: found, and brought to one."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import share_groups
from manila_lite.engine import Done, Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import abandoned, casting, common, group_snapshots, groups

RECONCILE_GROUP: Final = "_reconcile_share_group"
RECONCILE_GROUP_SNAPSHOT: Final = "_reconcile_share_group_snapshot"
STATUSES: Final = (states.CREATING, states.DELETING)

# How long a back end that does not answer is asked about the shares of a group, in seconds.
_PATIENCE: Final = 600.0


def lane_of(group_id: str) -> str:
    """The lane on which all operations of a group and of its snapshots run."""
    return groups.LANE.format(share_group_id=group_id)


def candidates(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, operation) for each group and group snapshot that is stuck on its lane.

    Stuck if no operation is on that lane.
    """
    for row in abandoned.older(share_groups.groups_by_status(connection, host, STATUSES), before):
        yield (
            lane_of(row["id"]),
            casting.internal(
                RECONCILE_GROUP,
                message_id=abandoned.message_id(RECONCILE_GROUP, row, before),
                share_group_id=row["id"],
                status=row["status"],
            ),
        )
    rows = share_groups.snapshots_by_status(connection, host, STATUSES)
    for row in abandoned.older(rows, before):
        yield (
            lane_of(row["share_group_id"]),
            casting.internal(
                RECONCILE_GROUP_SNAPSHOT,
                message_id=abandoned.message_id(RECONCILE_GROUP_SNAPSHOT, row, before),
                share_group_snapshot_id=row["id"],
                status=row["status"],
            ),
        )


def groups_being_made(connection: Connection, host: str) -> set[str]:
    """Return the ids of groups in 'creating': their new shares come to an end with them."""
    found = share_groups.groups_by_status(connection, host, (states.CREATING,))
    return {group["id"] for group in found}


# -- bringing to an end ------------------------------------------------------------------------


def _group_failed(op: Operation, error: BaseException, share_group_id: str, status: str) -> Any:
    failed = groups.creation_failed if status == states.CREATING else groups.deletion_failed
    return failed(op, error, share_group_id)


@flow(
    RECONCILE_GROUP,
    lane=groups.LANE,
    resource=("share_group", "share_group_id"),
    on_failure=_group_failed,
    internal=True,
)
def reconcile_share_group(op: Operation, share_group_id: str, status: str) -> None:
    """Bring an abandoned group to an end.

    A deletion is carried out again, for that is what was asked for. A creation is done where it
    was one of shares that are all on the storage; of others nobody can tell, and they fail.
    """
    group = groups.get_group(op, share_group_id)
    if group is None or group["status"] != status:
        return common.skip(op, "the share group has moved on")
    if status == states.DELETING:
        return groups.delete_share_group(op, share_group_id)
    found = None
    if group["source_share_group_snapshot_id"] is not None:
        found = op.wait("look", functools.partial(_look, op, group), deadline=_PATIENCE)
    if found is None:
        raise abandoned.Abandoned(what=f"Share group {share_group_id}", status=status)
    groups.finish_creation(op, group, found)


def _look(op: Operation, group: Any) -> Any:
    answer = groups.shares_were_made(op, group)
    return answer.result if isinstance(answer, Done) else None


def _snapshot_failed(
    op: Operation, error: BaseException, share_group_snapshot_id: str, status: str
) -> Any:
    module = group_snapshots
    failed = module.creation_failed if status == states.CREATING else module.deletion_failed
    return failed(op, error, share_group_snapshot_id)


@flow(
    RECONCILE_GROUP_SNAPSHOT,
    lane=groups.LANE,
    resource=("share_group_snapshot", "share_group_snapshot_id"),
    on_failure=_snapshot_failed,
    internal=True,
)
def reconcile_share_group_snapshot(
    op: Operation, share_group_snapshot_id: str, status: str
) -> None:
    """Bring an abandoned group snapshot to an end: a deletion is carried out again, else it fails.

    Drivers cannot be asked about snapshots.
    """
    snapshot = groups.get_group_snapshot(op, share_group_snapshot_id)
    if snapshot is None or snapshot["status"] != status:
        return common.skip(op, "the share group snapshot has moved on")
    if status == states.DELETING:
        return group_snapshots.delete_share_group_snapshot(op, share_group_snapshot_id)
    what = f"Share group snapshot {share_group_snapshot_id}"
    raise abandoned.Abandoned(what=what, status=status)
