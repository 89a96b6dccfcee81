# SPDX-License-Identifier: Apache-2.0
"""How replicas of this back end, and snapshots on them, are doing: asked for by a timer."""

from __future__ import annotations

import itertools

from sqlalchemy.engine import Connection

from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting
from manila_lite.share.flows.replication.common import is_passive
from manila_lite.share.flows.replication.following import ASKED_ABOUT, UPDATE_SNAPSHOT
from manila_lite.share.flows.replication.update import UPDATE_STATE, reason_to_skip


def update_replicas(environment: ShareEnvironment, journal: Journal) -> int:
    """Journal a question to the driver for each replica that is not active; count them.

    And for each snapshot on one that is being created or deleted.

    Those whose lane has an operation already wait for the next round: none piles up.
    """
    return casting.record_due(environment, journal, lambda c: _found(c, environment))


def _found(connection: Connection, environment: ShareEnvironment) -> list[tuple[str, NewOperation]]:
    moment = environment.clock.now().isoformat()
    found = []
    for page in share_rows.iterate_replicas(connection, environment.host):
        for row in page:
            if reason_to_skip(row) is None:
                operation = casting.internal(
                    UPDATE_STATE,
                    message_id=casting.message_id(UPDATE_STATE, row["id"], moment),
                    share_replica_id=row["id"],
                    share_id=row["share_id"],
                )
                found.append((casting.lane_of(row["share_id"]), operation))
    pages = snapshot_rows.iterate_instances(connection, environment.host, ASKED_ABOUT)
    for row in itertools.chain.from_iterable(pages):
        if is_passive(row):
            operation = casting.internal(
                UPDATE_SNAPSHOT,
                message_id=casting.message_id(UPDATE_SNAPSHOT, row["id"], moment),
                snapshot_instance_id=row["id"],
                share_replica_id=row["share_instance_id"],
                snapshot_id=row["snapshot_id"],
                share_id=row["parent_share_id"],
            )
            found.append((casting.lane_of(row["parent_share_id"]), operation))
    return found
