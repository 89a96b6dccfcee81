# SPDX-License-Identifier: Apache-2.0
"""The operation that sees to a migration's first phase, as others find it in the journal."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models.lite import operations
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows.migration import common

_OPEN = (
    sa.select(operations.c.uuid, operations.c.progress)
    .where(
        operations.c.host == sa.bindparam("host"),
        operations.c.lane == sa.bindparam("lane"),
        operations.c.finished == 0,
    )
    .order_by(operations.c.id)
)


def open_operations(connection: Connection, host: str, share_id: str) -> list[Any]:
    """Return uuid and progress of the operations on the migration's lane that have not ended."""
    lane = common.PHASE1_LANE.format(share_id=share_id)
    return list(connection.execute(_OPEN, {"host": host, "lane": lane}).all())


def shown_progress(environment: ShareEnvironment, share_id: str) -> str | None:
    """Return what the first phase's operation shows of its progress."""
    found = environment.db.run(
        lambda connection: open_operations(connection, environment.host, share_id), write=False
    )
    return found[0].progress if found else None
