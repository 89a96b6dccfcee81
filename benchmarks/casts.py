# SPDX-License-Identifier: Apache-2.0
"""Casts to create shares, as Manila's scheduler sends them, and the rows that its API has made."""

from __future__ import annotations

import datetime
import functools
import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db.models import share_instances, share_metadata, shares
from manila_lite.db.session import Database

_RECORDED = Path(__file__).parents[1] / "tests/data/wire/create_share_instance.to-share.json"
_CHUNK = 1000


class Cast(NamedTuple):
    """The ids that make one cast different from the next."""

    share_id: str
    instance_id: str
    message_id: str


def new(count: int) -> list[Cast]:
    """Return casts with ids of their own."""
    return [Cast(str(uuid.uuid4()), str(uuid.uuid4()), uuid.uuid4().hex) for _ in range(count)]


@functools.cache
def template() -> dict[str, Any]:
    """The recorded cast: ``method``, ``args``, ``_unique_id`` and the context's keys."""
    message: dict[str, Any] = json.loads(_RECORDED.read_text())["oslo.message"]
    return message


@functools.cache
def _split() -> tuple[str, tuple[str, str, str]]:
    message = template()
    ids = (
        message["args"]["request_spec"]["share_id"],
        message["args"]["share_instance_id"],
        message["_unique_id"],
    )
    return json.dumps(message), ids


def body(cast: Cast) -> bytes:
    """The message's body: the recorded one with this cast's ids, in oslo.messaging's envelope."""
    text, ids = _split()
    for old, own in zip(ids, cast, strict=True):
        text = text.replace(old, own)
    return json.dumps({"oslo.version": "2.0", "oslo.message": text}).encode()


def arguments(cast: Cast) -> dict[str, Any]:
    """The cast's arguments, for one that is recorded without a broker."""
    found: dict[str, Any] = json.loads(json.loads(body(cast))["oslo.message"])["args"]
    return found


def context() -> dict[str, Any]:
    """The cast's context as the journal keeps it: without empty values."""
    prefix = "_context_"
    return {
        key.removeprefix(prefix): value
        for key, value in template().items()
        if key.startswith(prefix) and value not in (None, [])
    }


def make_rows(
    database: Database, casts: Sequence[Cast], host: str, status: str = states.CREATING
) -> None:
    """Insert share, instance and metadata of each cast, as the API does before it casts."""
    for chunk in _chunks(casts):
        with database.writer() as connection:
            insert_rows(connection, chunk, host, status)


def insert_rows(
    connection: Connection, casts: Sequence[Cast], host: str, status: str = states.CREATING
) -> None:
    """As make_rows(), in the caller's transaction."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    for table, row in ((shares, _share), (share_instances, _instance), (share_metadata, _metadata)):
        connection.execute(table.insert(), [row(cast, host, status, now) for cast in casts])


def _chunks(casts: Sequence[Cast]) -> Iterable[Sequence[Cast]]:
    for start in range(0, len(casts), _CHUNK):
        yield casts[start : start + _CHUNK]


def _share(cast: Cast, host: str, status: str, now: datetime.datetime) -> dict[str, Any]:
    return {
        "id": cast.share_id,
        "deleted": "False",
        "created_at": now,
        "user_id": "admin",
        "project_id": "admin",
        "size": 1,
        "display_name": "benchmark",
        "share_proto": "NFS",
        "is_public": False,
        "snapshot_support": True,
    }


def _instance(cast: Cast, host: str, status: str, now: datetime.datetime) -> dict[str, Any]:
    return {
        "id": cast.instance_id,
        "deleted": "False",
        "created_at": now,
        "share_id": cast.share_id,
        "host": host,
        "status": status,
        "scheduled_at": now,
        "launched_at": None if status == states.CREATING else now,
        "access_rules_status": states.ACCESS_ACTIVE,
        "cast_rules_to_readonly": False,
    }


def _metadata(cast: Cast, host: str, status: str, now: datetime.datetime) -> dict[str, Any]:
    return {"share_id": cast.share_id, "key": "k", "value": "v", "deleted": 0, "created_at": now}


def available(database: Database, casts: Sequence[Cast]) -> int:
    """Count the instances of these casts that are available: the proof that work was done."""
    found = 0
    for chunk in _chunks(casts):
        query = sa.select(sa.func.count()).where(
            share_instances.c.id.in_([cast.instance_id for cast in chunk]),
            share_instances.c.status == states.AVAILABLE,
        )
        with database.reader() as connection:
            found += connection.execute(query).scalar_one()
    return found
