# SPDX-License-Identifier: Apache-2.0
"""Casts about shares that are there: a snapshot of one, a rule for one, the end of one."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks import casts
from manila_lite import states
from manila_lite.db import models
from manila_lite.db.session import Database

_WIRE = Path(__file__).parents[1] / "tests/data/wire"
_CHUNK = 1000


@dataclasses.dataclass(frozen=True)
class Kind:
    """One method: what an API writes before it casts, and what shows that the work was done.

    status: the share's before the cast. rows(cast): what the API adds to a share. done(casts):
    counts those whose effect is there. manila_rate, manila_statements: what Manila 23's manager
    does in a second, and its SQL statements for each.
    """

    method: str
    status: str
    rows: Callable[[casts.Cast], list[tuple[sa.Table, dict[str, Any]]]]
    done: Callable[[list[casts.Cast]], sa.Select[Any]]
    manila_rate: float
    manila_statements: int


def own_id(cast: casts.Cast) -> str:
    """The id of a cast's snapshot or rule: as good as any other, and known from the cast."""
    return str(uuid.uuid5(uuid.UUID(cast.instance_id), "own"))


@functools.cache
def _recorded(method: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads((_WIRE / f"{method}.to-share.json").read_text())
    return message["oslo.message"]


def arguments(kind: Kind, cast: casts.Cast) -> dict[str, Any]:
    """The arguments of the recorded cast, with this cast's ids."""
    ids = {
        "share_id": cast.share_id,
        "share_instance_id": cast.instance_id,
        "snapshot_id": own_id(cast),
    }
    recorded = _recorded(kind.method)["args"]
    return {name: ids.get(name, value) for name, value in recorded.items()}


def body(kind: Kind, cast: casts.Cast) -> bytes:
    """The recorded message with this cast's ids, in oslo.messaging's envelope."""
    message = {
        **_recorded(kind.method),
        "args": arguments(kind, cast),
        "_unique_id": cast.message_id,
    }
    envelope = {"oslo.version": "2.0", "oslo.message": json.dumps(message)}
    return json.dumps(envelope).encode()


def make_rows(database: Database, kind: Kind, made: Sequence[casts.Cast], host: str) -> None:
    """Insert a share in the kind's status for each cast, and what the API adds to it."""
    casts.make_rows(database, made, host, kind.status)
    for chunk in _chunks(made):
        with database.writer() as connection:
            _insert(connection, kind, chunk)


def _insert(connection: Connection, kind: Kind, chunk: Sequence[casts.Cast]) -> None:
    found: dict[sa.Table, list[dict[str, Any]]] = {}
    for cast in chunk:
        for table, row in kind.rows(cast):
            found.setdefault(table, []).append(row)
    for table, rows in found.items():
        connection.execute(table.insert(), rows)


def count_done(database: Database, kind: Kind, made: Sequence[casts.Cast]) -> int:
    """Count the casts whose effect the rows show: the proof that work was done."""
    with database.reader() as connection:
        return sum(
            connection.execute(kind.done(list(chunk))).scalar_one() for chunk in _chunks(made)
        )


def _chunks(made: Sequence[casts.Cast]) -> Iterator[Sequence[casts.Cast]]:
    for start in range(0, len(made), _CHUNK):
        yield made[start : start + _CHUNK]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def _common(**values: Any) -> dict[str, Any]:
    return {"deleted": "False", "created_at": _now(), **values}


# -- the methods -------------------------------------------------------------------------------


def _snapshot(cast: casts.Cast) -> list[tuple[sa.Table, dict[str, Any]]]:
    common = {"size": 1, "share_proto": "NFS", "user_id": "admin", "project_id": "admin"}
    snapshot_id = own_id(cast)
    snapshot = _common(id=snapshot_id, share_id=cast.share_id, share_size=1, **common)
    instance = _common(
        id=snapshot_id,
        snapshot_id=snapshot_id,
        share_instance_id=cast.instance_id,
        status=states.CREATING,
        progress="0%",
        **common,
    )
    return [(models.share_snapshots, snapshot), (models.share_snapshot_instances, instance)]


def _snapshots_done(made: list[casts.Cast]) -> sa.Select[Any]:
    c = models.share_snapshot_instances.c
    return _count(c.id.in_([own_id(cast) for cast in made]), c.status == states.AVAILABLE)


def _rule(cast: casts.Cast) -> list[tuple[sa.Table, dict[str, Any]]]:
    rule_id = own_id(cast)
    rule = _common(
        id=rule_id,
        share_id=cast.share_id,
        access_type="ip",
        access_to="10.0.0.2",
        access_level="rw",
    )
    mapping = _common(
        id=rule_id,
        share_instance_id=cast.instance_id,
        access_id=rule_id,
        state=states.ACCESS_QUEUED_TO_APPLY,
    )
    return [(models.share_access_map, rule), (models.share_instance_access_map, mapping)]


def _rules_done(made: list[casts.Cast]) -> sa.Select[Any]:
    c = models.share_instance_access_map.c
    return _count(c.id.in_([own_id(cast) for cast in made]), c.state == states.ACCESS_ACTIVE)


def _nothing(cast: casts.Cast) -> list[tuple[sa.Table, dict[str, Any]]]:
    return []


def _deletions_done(made: list[casts.Cast]) -> sa.Select[Any]:
    c = models.share_instances.c
    return _count(c.id.in_([cast.instance_id for cast in made]), c.deleted == c.id)


def _count(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(*conditions)


KINDS = (
    Kind("create_snapshot", states.AVAILABLE, _snapshot, _snapshots_done, 11.6, 52),
    Kind("update_access", states.AVAILABLE, _rule, _rules_done, 2.5, 215),
    Kind("delete_share_instance", states.DELETING, _nothing, _deletions_done, 1.5, 365),
)
