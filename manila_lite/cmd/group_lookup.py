# SPDX-License-Identifier: Apache-2.0
"""Finding and listing share groups and their snapshots, as people name them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.cmd import lookup
from manila_lite.db import share_groups as group_rows
from manila_lite.db.models import share_group_snapshots, share_groups, shares
from manila_lite.db.records import Record

_g = share_groups.c
_p = share_group_snapshots.c
_s = shares.c


def group(connection: Connection, name_or_id: str) -> Record:
    """The share group of this id, beginning of an id, or name, with its instances as ``shares``.

    Raises ShareGroupNotFound; Refused when several groups fit.
    """
    found = lookup.find_id(connection, share_groups, name_or_id, "share group")
    record = group_rows.get_group(connection, found) if found else None
    if record is None:
        raise exception.ShareGroupNotFound(share_group_id=name_or_id)
    record["shares"] = group_rows.shares_of_group(connection, record["id"])
    return record


def group_snapshot(connection: Connection, name_or_id: str) -> Record:
    """The group snapshot of this id, beginning of an id, or name, with its members.

    Raises ShareGroupSnapshotNotFound; Refused when several fit.
    """
    found = lookup.find_id(connection, share_group_snapshots, name_or_id, "share group snapshot")
    record = group_rows.get_group_snapshot(connection, found) if found else None
    if record is None:
        raise exception.ShareGroupSnapshotNotFound(share_group_snapshot_id=name_or_id)
    return record


def group_list(connection: Connection, *, status: str | None, most: int) -> list[dict[str, Any]]:
    """Living groups, the newest first, with the number of their shares."""
    count = (
        sa.select(sa.func.count())
        .where(_s.share_group_id == _g.id, _s.deleted == "False")
        .scalar_subquery()
    )
    query = (
        sa.select(share_groups, count.label("share_count"))
        .where(_g.deleted == "False")
        .order_by(_g.created_at.desc(), _g.id)
        .limit(most)
    )
    if status is not None:
        query = query.where(_g.status == status)
    return [dict(row) for row in connection.execute(query).mappings()]


def snapshot_list(
    connection: Connection, *, group_id: str | None, status: str | None, most: int
) -> list[dict[str, Any]]:
    """Living group snapshots, the newest first, with the names of their groups."""
    query = (
        sa.select(share_group_snapshots, _g.name.label("group_name"))
        .select_from(share_group_snapshots.outerjoin(share_groups, _g.id == _p.share_group_id))
        .where(_p.deleted == "False")
        .order_by(_p.created_at.desc(), _p.id)
        .limit(most)
    )
    if status is not None:
        query = query.where(_p.status == status)
    if group_id is not None:
        query = query.where(_p.share_group_id == group_id)
    return [dict(row) for row in connection.execute(query).mappings()]
