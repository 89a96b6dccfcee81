# SPDX-License-Identifier: Apache-2.0
"""The deletions that were deferred: carried out, and tried again, by a timer."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import operations
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting

STATUSES = (states.DEFERRED_DELETING, states.ERROR_DEFERRED_DELETING)


def delete_deferred(environment: ShareEnvironment, journal: Journal) -> int:
    """Journal a deletion for each share and snapshot whose deletion was deferred; count them.

    Those whose lane has an operation already wait for the next round. Snapshots go first: a share
    may be held by its snapshots.
    """
    found = environment.db.run(lambda connection: _found(connection, environment), write=False)
    lanes = [lane for lane, _ in found]
    busy = environment.db.run(
        lambda connection: operations.open_lanes(connection, environment.host, lanes),
        write=False,
    )
    new = [operation for lane, operation in found if lane not in busy]
    if new:
        journal.record(new)
    return len(new)


def _found(connection: Connection, environment: ShareEnvironment) -> list[tuple[str, NewOperation]]:
    found = []
    for page in snapshot_rows.iterate_instances(connection, environment.host, STATUSES):
        for row in page:
            operation = casting.internal("delete_snapshot", snapshot_id=row["snapshot_id"])
            found.append((casting.lane_of(row["parent_share_id"]), operation))
    for page in share_rows.iterate_instances(connection, environment.host, STATUSES):
        for row in page:
            operation = casting.internal("delete_share_instance", share_instance_id=row["id"])
            found.append((casting.lane_of(row["share_id"]), operation))
    return found
