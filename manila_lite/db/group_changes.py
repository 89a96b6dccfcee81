# SPDX-License-Identifier: Apache-2.0
"""Share groups, their snapshots and the members of these: writing, as data."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db.guards import status_write
from manila_lite.db.models import (
    share_group_share_type_mappings,
    share_group_snapshots,
    share_groups,
    share_snapshot_instances,
)
from manila_lite.db.writes import Write

_m = share_group_share_type_mappings.c


def _mark_deleted(table: sa.Table) -> sa.Update:
    c = table.c
    return (
        table.update()
        .where(c.id == sa.bindparam("b_id"), c.deleted == "False")
        .values(
            status=states.DELETED,
            deleted=c.id,
            deleted_at=sa.bindparam("b_now"),
            updated_at=sa.bindparam("b_now"),
        )
    )


_DELETE_GROUP = _mark_deleted(share_groups)
_DELETE_SNAPSHOT = _mark_deleted(share_group_snapshots)
_DELETE_MEMBER = _mark_deleted(share_snapshot_instances)
_DELETE_TYPES = (
    share_group_share_type_mappings.update()
    .where(_m.share_group_id == sa.bindparam("b_id"), _m.deleted == "False")
    .values(deleted=_m.id, deleted_at=sa.bindparam("b_now"))
)


def move_group(
    group_id: str, old: str, new: str, now: datetime.datetime, **columns: Any
) -> list[Write]:
    """Take a share group from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation.
    """
    check = states.check_group_transition
    return [status_write(share_groups, check, group_id, old, new, now, columns)]


def move_snapshot(
    snapshot_id: str, old: str, new: str, now: datetime.datetime, **columns: Any
) -> list[Write]:
    """Take a group snapshot from one status to the next, as :func:`move_group` does a group."""
    check = states.check_group_transition
    return [status_write(share_group_snapshots, check, snapshot_id, old, new, now, columns)]


def delete_group(group_id: str, now: datetime.datetime) -> list[Write]:
    """Mark a group as deleted, and what says which share types it may hold."""
    parameters = {"b_id": group_id, "b_now": now}
    return [Write(_DELETE_GROUP, parameters), Write(_DELETE_TYPES, parameters)]


def delete_snapshot(
    snapshot_id: str, members: Iterable[Mapping[str, Any]], now: datetime.datetime
) -> list[Write]:
    """Mark a group snapshot as deleted, and its members."""
    return [
        Write(_DELETE_SNAPSHOT, {"b_id": snapshot_id, "b_now": now}),
        *(Write(_DELETE_MEMBER, {"b_id": member["id"], "b_now": now}) for member in members),
    ]
