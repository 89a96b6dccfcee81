# SPDX-License-Identifier: Apache-2.0
"""Finding and listing what people name: by id, by the beginning of an id, or by display name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.guards import living
from manila_lite.db.models import (
    share_instances,
    share_snapshot_instances,
    share_snapshots,
    shares,
)
from manila_lite.db.records import Record

_s = shares.c
_i = share_instances.c
_p = share_snapshots.c
_n = share_snapshot_instances.c

# Shorter beginnings of an id would meet too many names.
SHORTEST_PREFIX = 6
FEW = 5


def share(connection: Connection, name_or_id: str) -> Record:
    """The share of this id, beginning of an id, or name, with instances and status.

    Raises ShareNotFound; Refused when several shares fit.
    """
    found = find_id(connection, shares, name_or_id, "share")
    record = share_rows.get_share(connection, found) if found else None
    if record is None:
        raise exception.ShareNotFound(share_id=name_or_id)
    share_rows.complete(connection, record["instances"])
    return record


def snapshot(connection: Connection, name_or_id: str) -> Record:
    """The snapshot of this id, beginning of an id, or name, with instances, export locations
    and status.

    Raises ShareSnapshotNotFound; Refused when several snapshots fit.
    """
    found = find_id(connection, share_snapshots, name_or_id, "snapshot")
    record = snapshot_rows.get_snapshot(connection, found) if found else None
    if record is None:
        raise exception.ShareSnapshotNotFound(snapshot_id=name_or_id)
    first = record["instance"]
    paths = snapshot_rows.export_locations_of(connection, first["id"]) if first else []
    record["export_locations"] = paths
    return record


def find_id(connection: Connection, table: sa.Table, text: str, kind: str) -> str | None:
    """The id that fits best: the id itself, then a name, then the beginning of an id.

    Raises Refused when several fit.
    """
    c = table.c
    name = c.display_name if "display_name" in c else c.name
    conditions: list[Any] = [c.id == text, name == text]
    if len(text) >= SHORTEST_PREFIX:
        conditions.append(c.id.startswith(text, autoescape=True))
    for condition in conditions:
        query = sa.select(c.id).where(condition, living(table)).order_by(c.id).limit(FEW + 1)
        ids = list(connection.execute(query).scalars())
        if len(ids) > 1:
            raise _ambiguous(kind, text, ids)
        if ids:
            return str(ids[0])
    return None


def _ambiguous(kind: str, text: str, ids: Sequence[str]) -> Refused:
    shown = ", ".join(ids[:FEW]) + (" ..." if len(ids) > FEW else "")
    return Refused(reason=f"{text!r} is the name of several {kind}s; give the id instead: {shown}")


def share_list(
    connection: Connection, *, host: str | None, status: str | None, most: int
) -> list[dict[str, Any]]:
    """Live shares, newest first, one row each, from the instance that speaks for the share."""
    query = (
        sa.select(
            _s.id, _s.display_name, _s.size, _s.share_proto, _s.project_id, _s.created_at,
            _s.share_group_id, _i.id.label("instance_id"), _i.host, _i.status, _i.progress,
            _i.replica_state,
        )
        .select_from(
            shares.outerjoin(share_instances, sa.and_(_i.share_id == _s.id, _i.deleted == "False"))
        )
        .where(_s.deleted == "False")
        .order_by(_s.created_at.desc(), _s.id)
    )  # fmt: skip
    if host is not None:
        pools = _i.host.like(share_rows.pools_of(host), escape="/")
        query = query.where(sa.or_(_i.host == host, pools))
    rows = _one_each(connection.execute(query).mappings(), share_rows.by_precedence)
    return [row for row in rows if status in (None, row["status"])][:most]


def snapshot_list(
    connection: Connection, *, share_id: str | None, status: str | None, most: int
) -> list[dict[str, Any]]:
    """Live snapshots, newest first, one row each."""
    query = (
        sa.select(
            _p.id, _p.display_name, _p.share_id, _s.display_name.label("share_name"), _p.size,
            _p.project_id, _p.created_at, _n.id.label("instance_id"), _n.status, _n.progress,
        )
        .select_from(
            share_snapshots.outerjoin(shares, _s.id == _p.share_id).outerjoin(
                share_snapshot_instances,
                sa.and_(_n.snapshot_id == _p.id, _n.deleted == "False"),
            )
        )
        .where(_p.deleted == "False")
        .order_by(_p.created_at.desc(), _p.id)
    )  # fmt: skip
    if share_id is not None:
        query = query.where(_p.share_id == share_id)
    rows = _one_each(connection.execute(query).mappings(), list)
    return [row for row in rows if status in (None, row["status"])][:most]


def _one_each(
    rows: Any, precedence: Callable[[list[Record]], list[Record]]
) -> list[dict[str, Any]]:
    by_id: dict[str, list[Record]] = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(Record(row))
    return [dict(precedence(found)[0]) for found in by_id.values()]


def snapshots_of(connection: Connection, share_id: str) -> int:
    """How many live snapshots a share has."""
    query = (
        sa.select(sa.func.count())
        .select_from(share_snapshots)
        .where(_p.share_id == share_id, _p.deleted == "False")
    )
    return int(connection.execute(query).scalar_one())
