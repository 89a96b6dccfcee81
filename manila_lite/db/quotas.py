# SPDX-License-Identifier: Apache-2.0
"""Quota usages and reservations.

Manila counts each resource twice: once for project and user (``share_type_id`` NULL), once for
project and share type (``user_id`` NULL). Its API reserves before it casts; whoever carries the
cast out commits or rolls back.

A reservation that is gone (expired, committed before) is no error and changes nothing: committing
or rolling back twice does no harm.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import quota_usages, reservations, share_types
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

SHARES = "shares"
GIGABYTES = "gigabytes"
SNAPSHOTS = "snapshots"
SNAPSHOT_GIGABYTES = "snapshot_gigabytes"
REPLICAS = "share_replicas"
REPLICA_GIGABYTES = "replica_gigabytes"
GROUPS = "share_groups"
GROUP_SNAPSHOTS = "share_group_snapshots"
BACKUPS = "backups"
BACKUP_GIGABYTES = "backup_gigabytes"

_u = quota_usages.c
_r = reservations.c

_LIVE = sa.select(_r.uuid).where(
    _r.uuid.in_(sa.bindparam("uuids", expanding=True)), _r.deleted == 0
)


def _never_negative(value: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    # A usage that somebody mended by hand must not go below nothing.
    return sa.case((value < 0, 0), else_=value)


def _reserved(amount: Any) -> sa.ScalarSelect[Any]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(amount), 0))
        .where(_r.usage_id == _u.id, _r.uuid == sa.bindparam("b_uuid"), _r.deleted == 0)
        .scalar_subquery()
    )


# Only what a reservation adds is held as reserved; what it takes away is not.
_POSITIVE = sa.case((_r.delta > 0, _r.delta), else_=0)
_OF_RESERVATION = _u.id.in_(
    sa.select(_r.usage_id).where(_r.uuid == sa.bindparam("b_uuid"), _r.deleted == 0)
)
_COMMIT = (
    quota_usages.update()
    .where(_OF_RESERVATION)
    .values(
        in_use=_never_negative(_u.in_use + _reserved(_r.delta)),
        reserved=_never_negative(_u.reserved - _reserved(_POSITIVE)),
        updated_at=sa.bindparam("b_now"),
    )
)
_ROLL_BACK = (
    quota_usages.update()
    .where(_OF_RESERVATION)
    .values(
        reserved=_never_negative(_u.reserved - _reserved(_POSITIVE)),
        updated_at=sa.bindparam("b_now"),
    )
)
_FORGET = (
    reservations.update()
    .where(_r.uuid == sa.bindparam("b_uuid"), _r.deleted == 0)
    .values(deleted=_r.id, deleted_at=sa.bindparam("b_now"))
)

_CHANGE = {
    "in_use": _never_negative(_u.in_use + sa.bindparam("b_delta", type_=sa.Integer)),
    "updated_at": sa.bindparam("b_now"),
}
_OF_RESOURCE = (
    _u.project_id == sa.bindparam("b_project_id"),
    _u.resource == sa.bindparam("b_resource"),
    _u.deleted == 0,
)
_OF_USER = (*_OF_RESOURCE, _u.user_id == sa.bindparam("b_user_id"), _u.share_type_id.is_(None))
_OF_TYPE = (
    *_OF_RESOURCE,
    _u.share_type_id == sa.bindparam("b_share_type_id"),
    _u.user_id.is_(None),
)
_CHANGE_OF_USER = quota_usages.update().where(*_OF_USER).values(_CHANGE)
_CHANGE_OF_TYPE = quota_usages.update().where(*_OF_TYPE).values(_CHANGE)

# Locked while a usage row is made: two at once would make two.
_MUTEX = (
    sa.select(share_types.c.id)
    .where(share_types.c.deleted == "False")
    .order_by(share_types.c.id)
    .with_for_update()
)
_USAGES = (
    sa.select(quota_usages)
    .where(_u.project_id == sa.bindparam("project_id"), _u.deleted == 0)
    .order_by(_u.id)
)


def live_reservations(connection: Connection, uuids: Sequence[str] | None) -> list[str]:
    """Return those reservations that are neither committed, rolled back nor expired."""
    if not uuids:
        return []
    return list(connection.execute(_LIVE, {"uuids": list(uuids)}).scalars())


def commit(uuids: Sequence[str] | None, now: datetime.datetime) -> list[Write]:
    """Turn reservations into usage."""
    return _settle(_COMMIT, uuids, now)


def roll_back(uuids: Sequence[str] | None, now: datetime.datetime) -> list[Write]:
    """Give back what reservations held."""
    return _settle(_ROLL_BACK, uuids, now)


def _settle(
    statement: sa.Update, uuids: Sequence[str] | None, now: datetime.datetime
) -> list[Write]:
    writes: list[Write] = []
    for uuid in uuids or ():
        parameters = {"b_uuid": uuid, "b_now": now}
        writes += [Write(statement, parameters), Write(_FORGET, parameters)]
    return writes


def change(
    owner: Mapping[str, Any],
    share_type_id: str | None,
    deltas: Mapping[str, int],
    now: datetime.datetime,
) -> list[Write]:
    """Add deltas (shares, GiB ...; negative to take away) to the usages of an owner.

    owner: anything with project_id and user_id, such as a share. A usage that Manila never
    counted has no row and stays so; none goes below 0.
    """
    writes: list[Write] = []
    for resource, delta in deltas.items():
        parameters = {
            "b_project_id": owner["project_id"],
            "b_resource": resource,
            "b_delta": int(delta),
            "b_now": now,
        }
        writes.append(Write(_CHANGE_OF_USER, {**parameters, "b_user_id": owner["user_id"]}))
        if share_type_id is not None:
            writes.append(Write(_CHANGE_OF_TYPE, {**parameters, "b_share_type_id": share_type_id}))
    return writes


def add_usage(
    connection: Connection,
    owner: Mapping[str, Any],
    share_type_id: str | None,
    deltas: Mapping[str, int],
    now: datetime.datetime,
) -> None:
    """Like :func:`change`, for the command line: rows that are missing are made."""
    for resource, delta in deltas.items():
        _add(connection, owner["project_id"], resource, delta, now, user_id=owner["user_id"])
        if share_type_id is not None:
            _add(connection, owner["project_id"], resource, delta, now, share_type_id=share_type_id)


def _add(
    connection: Connection,
    project_id: str,
    resource: str,
    delta: int,
    now: datetime.datetime,
    **holder: str,
) -> None:
    statement = _CHANGE_OF_USER if "user_id" in holder else _CHANGE_OF_TYPE
    parameters = {
        "b_project_id": project_id,
        "b_resource": resource,
        "b_delta": int(delta),
        "b_now": now,
        **{f"b_{name}": value for name, value in holder.items()},
    }
    if connection.execute(statement, parameters).rowcount:
        return
    connection.execute(_MUTEX).all()
    if connection.execute(statement, parameters).rowcount:
        return
    row = {
        "project_id": project_id,
        "resource": resource,
        "in_use": max(int(delta), 0),
        "reserved": 0,
        "created_at": now,
        "deleted": 0,
        **holder,
    }
    connection.execute(quota_usages.insert(), row)


def list_usages(connection: Connection, project_id: str) -> list[Record]:
    """Return the usage rows of a project."""
    return Record.all(connection.execute(_USAGES, {"project_id": project_id}))
