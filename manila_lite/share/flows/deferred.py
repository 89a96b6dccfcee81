# SPDX-License-Identifier: Apache-2.0
"""The deletions that were deferred: carried out, and tried again, by a timer."""

from __future__ import annotations

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting, common, delete, snapshots

LOG = log.getLogger(__name__)

STATUSES = (states.DEFERRED_DELETING, states.ERROR_DEFERRED_DELETING)
DELETE_SHARE = "_delete_deferred_share"
DELETE_SNAPSHOT = "_delete_deferred_snapshot"


def delete_deferred(environment: ShareEnvironment, journal: Journal) -> int:
    """Journal a deletion for each share and snapshot whose deletion was deferred; count them.

    Those whose lane has an operation already wait for the next round. Snapshots go first: a share
    may be held by its snapshots.
    """
    return casting.record_due(environment, journal, lambda c: _found(c, environment))


def _found(connection: Connection, environment: ShareEnvironment) -> list[tuple[str, NewOperation]]:
    found = []
    for page in snapshot_rows.iterate_instances(connection, environment.host, STATUSES):
        for row in page:
            operation = casting.internal(DELETE_SNAPSHOT, snapshot_id=row["snapshot_id"])
            found.append((casting.lane_of(row["parent_share_id"]), operation))
    for page in share_rows.iterate_instances(connection, environment.host, STATUSES):
        for row in page:
            operation = casting.internal(DELETE_SHARE, share_instance_id=row["id"])
            found.append((casting.lane_of(row["share_id"]), operation))
    return found


@flow(
    DELETE_SHARE,
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    on_failure=delete.deletion_failed,
    internal=True,
)
def delete_deferred_share(op: Operation, share_instance_id: str) -> None:
    """Delete a share whose deletion was deferred.

    A failure is no failed operation, of which there would be one each round for ever: the share's
    status and the operation's result tell of it.
    """
    try:
        delete.delete_share_instance(op, share_instance_id)
    except Exception as error:
        _put_off(op, error, delete.deletion_failed(op, error, share_instance_id))


@flow(
    DELETE_SNAPSHOT,
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    on_failure=snapshots.deletion_failed,
    internal=True,
)
def delete_deferred_snapshot(op: Operation, snapshot_id: str) -> None:
    """Delete a snapshot whose deletion was deferred; a failure as with shares."""
    try:
        snapshots.delete_snapshot(op, snapshot_id)
    except Exception as error:
        _put_off(op, error, snapshots.deletion_failed(op, error, snapshot_id))


def _put_off(op: Operation, error: Exception, writes: list[Write]) -> None:
    if op.finished:
        raise error
    LOG.warning("%s of %s is tried again later: %s", op.method, op.resource_id, error)
    op.finish(writes, result={"problem": common.problem(error)})
