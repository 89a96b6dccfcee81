# SPDX-License-Identifier: Apache-2.0
"""Keys and values of volumes and snapshots: what users say, what administrators say, and what
the image said from which a volume was made."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import models
from manila_lite.db.guards import living
from manila_lite.db.models import snapshot_metadata, volume_glance_metadata
from manila_lite.db.writes import Write

#: Key of a volume's record: table.
OF_VOLUME: Mapping[str, sa.Table] = {
    "metadata": models.volume_metadata,
    "admin_metadata": models.volume_admin_metadata,
    "volume_glance_metadata": volume_glance_metadata,
}

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)


def _pairs(kind: str, table: sa.Table) -> sa.Select[Any]:
    c = table.c
    # One of the three tables holds longer texts than the others.
    value = sa.cast(c.value, sa.Text).label("value")
    columns = (sa.literal(kind).label("kind"), c.volume_id, c.id, c.key, value)
    return sa.select(*columns).where(c.volume_id.in_(_IDS), living(table))


_OF_VOLUMES = sa.union_all(*(_pairs(kind, table) for kind, table in OF_VOLUME.items()))
_OF_SNAPSHOTS = (
    sa.select(snapshot_metadata)
    .where(snapshot_metadata.c.snapshot_id.in_(_IDS), living(snapshot_metadata))
    .order_by(snapshot_metadata.c.id)
)


def of_volumes(
    connection: Connection, volume_ids: Sequence[str]
) -> dict[str, dict[str, dict[str, str]]]:
    """Return {volume id: {key of the record: {key: value}}}."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    rows = connection.execute(_OF_VOLUMES, {"ids": list(volume_ids)})
    for row in sorted(rows, key=lambda row: row.id):
        kinds = found.setdefault(row.volume_id, {kind: {} for kind in OF_VOLUME})
        kinds[row.kind][row.key] = row.value
    return found


def of_snapshots(connection: Connection, snapshot_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return {snapshot id: {key: value}}."""
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(_OF_SNAPSHOTS, {"ids": list(snapshot_ids)}):
        found.setdefault(row.snapshot_id, {})[row.key] = row.value
    return found


class _Statements:
    """INSERT, UPDATE and removal of pairs in one table."""

    def __init__(self, table: sa.Table, owner: str) -> None:
        c = table.c
        this = (c[owner] == sa.bindparam("b_owner"), living(table))
        now: Any = sa.bindparam("b_now")
        key: Any = sa.bindparam("b_key")
        value: Any = sa.bindparam("b_value")
        self.insert = table.insert().values(
            {owner: sa.bindparam("b_owner"), "key": key, "value": value, "created_at": now}
            | {"deleted": False}
        )
        self.update = table.update().where(*this, c.key == key).values(value=value, updated_at=now)
        self.delete = table.update().where(*this).values(deleted=True, deleted_at=now)


_VOLUME_STATEMENTS = {kind: _Statements(table, "volume_id") for kind, table in OF_VOLUME.items()}
_SNAPSHOT_STATEMENTS = {
    "metadata": _Statements(snapshot_metadata, "snapshot_id"),
    "volume_glance_metadata": _Statements(volume_glance_metadata, "snapshot_id"),
}


def set_on_volume(
    volume: Mapping[str, Any], kind: str, pairs: Mapping[str, Any], now: datetime.datetime
) -> list[Write]:
    """Give a volume pairs; keys that it does not have yet are added, the others replaced.

    volume: a complete record. kind: 'metadata', 'admin_metadata' or 'volume_glance_metadata'.
    """
    return _set(_VOLUME_STATEMENTS[kind], volume["id"], volume[kind], pairs, now)


def set_on_snapshot(
    snapshot: Mapping[str, Any], kind: str, pairs: Mapping[str, Any], now: datetime.datetime
) -> list[Write]:
    """Give a snapshot pairs: 'metadata', or the 'volume_glance_metadata' of its volume.

    The latter are written once and never read back: they must not be there yet.
    """
    return _set(_SNAPSHOT_STATEMENTS[kind], snapshot["id"], snapshot.get(kind) or {}, pairs, now)


def _set(
    statements: _Statements,
    owner: str,
    present: Mapping[str, str],
    pairs: Mapping[str, Any],
    now: datetime.datetime,
) -> list[Write]:
    return [
        Write(
            statements.update if key in present else statements.insert,
            {"b_owner": owner, "b_key": key, "b_value": str(value), "b_now": now},
        )
        for key, value in pairs.items()
    ]


def deleted_of_volume(volume: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Mark all pairs of a complete volume as deleted."""
    parameters = {"b_owner": volume["id"], "b_now": now}
    kinds = [kind for kind in OF_VOLUME if volume[kind]]
    return [Write(_VOLUME_STATEMENTS[kind].delete, parameters) for kind in kinds]


def deleted_of_snapshot(snapshot: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Mark all pairs of a snapshot as deleted."""
    parameters = {"b_owner": snapshot["id"], "b_now": now}
    return [Write(statements.delete, parameters) for statements in _SNAPSHOT_STATEMENTS.values()]
