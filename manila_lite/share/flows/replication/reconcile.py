# SPDX-License-Identifier: Apache-2.0
"""Replicas in a transitional status that no operation brings to an end."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import abandoned, casting, common
from manila_lite.share.flows.replication.common import is_passive, look
from manila_lite.share.flows.replication.create import creation_failed
from manila_lite.share.flows.replication.delete import delete_share_replica, deletion_failed
from manila_lite.share.flows.replication.promote import promote_share_replica, promotion_failed

RECONCILE_REPLICA: Final = "_reconcile_replica"
STATUSES: Final = (states.CREATING, states.DELETING, states.REPLICATION_CHANGE)
_FAILED: Final = {
    states.CREATING: creation_failed,
    states.DELETING: deletion_failed,
    states.REPLICATION_CHANGE: promotion_failed,
}


def is_ours(row: Record) -> bool:
    """Whether a stuck share instance is a replica that is reconciled here."""
    status = row["status"]
    return status == states.REPLICATION_CHANGE or (is_passive(row) and status in STATUSES)


def candidates(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, operation) for each replica that is stuck if no operation is on that lane."""
    pages = share_rows.iterate_instances(connection, host, STATUSES)
    for row in abandoned.older(itertools.chain.from_iterable(pages), before):
        if not is_ours(row):
            continue
        yield (
            casting.lane_of(row["share_id"]),
            casting.internal(
                RECONCILE_REPLICA,
                message_id=abandoned.message_id(RECONCILE_REPLICA, row, before),
                share_replica_id=row["id"],
                share_id=row["share_id"],
                status=row["status"],
            ),
        )


def _failed(op: Operation, error: BaseException, status: str, **arguments: Any) -> list[Write]:
    return _FAILED[status](op, error, arguments["share_replica_id"])


@flow(
    RECONCILE_REPLICA,
    lane="share:{share_id}",
    resource=("share_replica", "share_replica_id"),
    on_failure=_failed,
    internal=True,
)
def reconcile_replica(op: Operation, share_replica_id: str, share_id: str, status: str) -> None:
    """Bring an abandoned replica to an end.

    A deletion is carried out again. A promotion that the rows show is at its end. Of the rest
    nobody can tell, and it fails: to promote a replica long after it was asked for would lose
    what was written to the active one meanwhile.
    """
    seen = look(op, share_replica_id)
    if seen is None or seen.replica["status"] != status:
        return common.skip(op, "the share replica has moved on")
    if status == states.DELETING:
        return delete_share_replica(op, share_replica_id, share_id)
    if not is_passive(seen.replica):
        return promote_share_replica(op, share_replica_id, share_id)
    raise abandoned.Abandoned(what=f"Share replica {share_replica_id}", status=status)
