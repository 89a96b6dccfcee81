# SPDX-License-Identifier: Apache-2.0
"""The rows of lite_workers: who is alive, until when."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import operations as operation_rows
from manila_lite.db.models.lite import workers

ACTIVE = "active"
LOST = "lost"
STOPPED = "stopped"

_w = workers.c


def register(connection: Connection, values: dict[str, Any]) -> None:
    """Insert a worker; values are the columns of lite_workers."""
    connection.execute(workers.insert().values(**values, state=ACTIVE))


def renew(connection: Connection, worker_id: str, lease_until: datetime.datetime) -> bool:
    """Move the end of the worker's lease; False when the worker was declared lost meanwhile."""
    changed = connection.execute(
        workers.update()
        .where(_w.id == worker_id, _w.state == ACTIVE)
        .values(lease_until=lease_until)
    )
    return changed.rowcount == 1


def is_active(connection: Connection, worker_id: str) -> bool:
    """Whether nobody declared the worker lost; nobody can until the transaction ends."""
    query = sa.select(_w.state).where(_w.id == worker_id, _w.state == ACTIVE).with_for_update()
    return connection.execute(query).first() is not None


def active(connection: Connection, host: str) -> list[dict[str, Any]]:
    """Return the rows of the host's workers that nobody declared lost or stopped."""
    rows = connection.execute(
        sa.select(workers).where(_w.host == host, _w.state == ACTIVE)
    ).mappings()
    return [dict(row) for row in rows]


def declare_lost(
    connection: Connection, worker_id: str, lease_until: datetime.datetime
) -> int | None:
    """Take a worker's operations away if its lease is still the one that was read.

    Returns how many operations went back into the queue, or None when the worker renewed its
    lease in between. The worker's row is locked first, so that a renewal and this exclude
    each other.
    """
    changed = connection.execute(
        workers.update()
        .where(_w.id == worker_id, _w.state == ACTIVE, _w.lease_until == lease_until)
        .values(state=LOST)
    )
    if changed.rowcount != 1:
        return None
    return operation_rows.release_all(connection, worker_id)


def stop(connection: Connection, worker_id: str) -> None:
    """Mark a worker that ended by itself and owns nothing any more."""
    connection.execute(workers.update().where(_w.id == worker_id).values(state=STOPPED))


def orphan_owners(connection: Connection, host: str) -> list[str]:
    """Return workers of the host that ended and still own unfinished operations.

    Asked from the side of the workers, of whom there are few.
    """
    o = operation_rows.operations.c
    rows = connection.execute(
        sa.select(_w.id).where(
            _w.host == host,
            _w.state != ACTIVE,
            sa.exists().where(o.owner == _w.id, o.finished == 0),
        )
    )
    return list(rows.scalars())


def purge(connection: Connection, before: datetime.datetime) -> int:
    """Forget workers that ended before that time and own nothing any more."""
    o = operation_rows.operations.c
    return int(
        connection.execute(
            workers.delete().where(
                _w.state != ACTIVE,
                _w.lease_until < before,
                ~sa.exists().where(o.owner == _w.id, o.finished == 0),
            )
        ).rowcount
    )
