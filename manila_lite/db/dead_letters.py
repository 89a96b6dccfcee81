# SPDX-License-Identifier: Apache-2.0
"""Messages that could not be read or accepted, kept whole with the reason."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models.lite import dead_letter_chunks, dead_letters

KEPT = "kept"
REQUEUED = "requeued"
DISCARDED = "discarded"

# Small enough for every server's default packet size.
CHUNK_BYTES = 1024 * 1024

_d = dead_letters.c
_c = dead_letter_chunks.c


def insert(connection: Connection, values: dict[str, Any], body: bytes) -> None:
    """Keep a message: values are the columns of lite_dead_letters."""
    connection.execute(dead_letters.insert().values(**values, state=KEPT, size=len(body)))
    for position, start in enumerate(range(0, len(body), CHUNK_BYTES)):
        connection.execute(
            dead_letter_chunks.insert().values(
                dead_letter_uuid=values["uuid"],
                position=position,
                body=body[start : start + CHUNK_BYTES],
            )
        )


def is_kept(connection: Connection, host: str, digest: str, since: datetime.datetime) -> bool:
    """Whether this very body was kept since then: how a redelivery is told from a new one."""
    found = connection.execute(
        sa.select(_d.id).where(
            _d.host == host, _d.digest == digest, _d.received_at >= since, _d.state == KEPT
        )
    )
    return found.first() is not None


def listed(
    connection: Connection, *, host: str | None = None, state: str | None = KEPT, most: int = 100
) -> list[dict[str, Any]]:
    """Return dead letters without their bodies, newest first."""
    query = sa.select(dead_letters).order_by(_d.id.desc()).limit(most)
    if host is not None:
        query = query.where(_d.host == host)
    if state is not None:
        query = query.where(_d.state == state)
    return [dict(row) for row in connection.execute(query).mappings()]


def get(connection: Connection, uuid_prefix: str) -> list[dict[str, Any]]:
    """Return the dead letters, two at the most, whose uuid begins like this."""
    query = sa.select(dead_letters).where(_d.uuid.startswith(uuid_prefix, autoescape=True))
    return [dict(row) for row in connection.execute(query.limit(2)).mappings()]


def body(connection: Connection, uuid: str) -> Iterator[bytes]:
    """Yield the raw body in pieces of up to CHUNK_BYTES."""
    positions = connection.execute(
        sa.select(_c.position).where(_c.dead_letter_uuid == uuid).order_by(_c.position)
    )
    for position in list(positions.scalars()):
        yield connection.execute(
            sa.select(_c.body).where(_c.dead_letter_uuid == uuid, _c.position == position)
        ).scalar_one()


def settle(connection: Connection, uuid: str, state: str, now: datetime.datetime) -> bool:
    """Mark a kept dead letter requeued or discarded; False when it was settled before.

    A discarded one loses its body, a requeued one keeps it.
    """
    changed = connection.execute(
        dead_letters.update()
        .where(_d.uuid == uuid, _d.state == KEPT)
        .values(state=state, settled_at=now)
    )
    if changed.rowcount == 1 and state == DISCARDED:
        connection.execute(dead_letter_chunks.delete().where(_c.dead_letter_uuid == uuid))
    return changed.rowcount == 1
