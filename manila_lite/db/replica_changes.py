# SPDX-License-Identifier: Apache-2.0
"""Replicas of shares: writing, as data, and whose turn it is to change them."""

from __future__ import annotations

import contextlib
import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import access_changes, guards, share_changes, workers
from manila_lite.db.models import (
    share_instance_access_map,
    share_instances,
    share_snapshot_instances,
)
from manila_lite.db.models.lite import locks, operations
from manila_lite.db.models.lite import workers as worker_rows
from manila_lite.db.writes import Write

_i = share_instances.c
_ROW: Final = (_i.id == sa.bindparam("b_id"), _i.deleted == "False")
_NOW: Final[sa.BindParameter[Any]] = sa.bindparam("b_now")

_SET_STATE = (
    share_instances.update()
    .where(*_ROW)
    .values(replica_state=sa.bindparam("b_state"), updated_at=_NOW)
)
_SET_ROLE = (
    share_instances.update()
    .where(*_ROW)
    .values(
        replica_state=sa.bindparam("b_state"),
        cast_rules_to_readonly=sa.bindparam("b_read_only"),
        updated_at=_NOW,
    )
)
_RULES_FAILED = (
    share_instances.update()
    .where(*_ROW)
    .values(access_rules_status=states.ACCESS_ERROR, updated_at=_NOW)
)
_m = share_instance_access_map.c
_APPLY_AGAIN = (
    share_instance_access_map.update()
    .where(_m.id == sa.bindparam("b_id"), _m.deleted == "False", _m.state == states.ACCESS_ERROR)
    .values(state=states.ACCESS_APPLYING, updated_at=_NOW)
)
_ADD_MAPPING = share_instance_access_map.insert().values(
    id=sa.bindparam("id"),
    share_instance_id=sa.bindparam("share_instance_id"),
    access_id=sa.bindparam("access_id"),
    state=states.ACCESS_APPLYING,
    created_at=sa.bindparam("now"),
    updated_at=sa.bindparam("now"),
    deleted="False",
)


def in_state(replica_id: str, state: str, now: datetime.datetime) -> list[Write]:
    """Say how a replica compares to the active one."""
    return [Write(_SET_STATE, {"b_id": replica_id, "b_state": state, "b_now": now})]


def with_role(replica: Mapping[str, Any], state: str, now: datetime.datetime) -> list[Write]:
    """Say that a replica became the active one, or is that no longer.

    Of a share of type 'readable' all but the active replicas are read-only.
    """
    passive = state != states.REPLICA_ACTIVE
    read_only = passive and replica["replication_type"] == states.REPLICATION_READABLE
    values = {"b_id": replica["id"], "b_state": state, "b_read_only": read_only, "b_now": now}
    return [Write(_SET_ROLE, values)]


def failed(
    replica: Mapping[str, Any], old: str, new: str, state: str, now: datetime.datetime
) -> list[Write]:
    """Put a replica into an error status and state together."""
    return share_changes.move(replica["id"], old, new, now, replica_state=state)


def rules_given(
    replica: Mapping[str, Any], rules: Iterable[Mapping[str, Any]], now: datetime.datetime
) -> list[Write]:
    """Say that the driver is about to apply these rules of the share to a new replica."""
    return [_given(replica["id"], rule, now) for rule in rules]


def _given(replica_id: str, rule: Mapping[str, Any], now: datetime.datetime) -> Write:
    if rule["mapping_id"] is not None:
        return Write(_APPLY_AGAIN, {"b_id": rule["mapping_id"], "b_now": now})
    row = {"id": str(uuid.uuid4()), "share_instance_id": replica_id, "now": now}
    return Write(_ADD_MAPPING, {**row, "access_id": rule["access_id"]})


def rules_settled(replica_id: str, is_good: bool, now: datetime.datetime) -> list[Write]:
    """Say what became of the rules that were given to a new replica."""
    changes = access_changes.OF_SHARE
    return changes.settled(replica_id, now) if is_good else changes.failed(replica_id, now)


def rules_status(replica_id: str, is_good: bool, now: datetime.datetime) -> list[Write]:
    """Say whether a replica obeys the rules, as the driver sees it."""
    if is_good:
        return access_changes.status_of_rules(replica_id, now)
    return [Write(_RULES_FAILED, {"b_id": replica_id, "b_now": now})]


# -- turns -------------------------------------------------------------------------------------
#
# The row of lite_locks that is named after the share holds the id of the operation whose turn it
# is. The turn is over when that operation is finished: nothing has to be given back.

_holder = operations.c
_w = worker_rows.c
_HELD_BY_THE_LIVING = sa.exists(
    sa.select(_holder.id)
    .where(
        _holder.id == locks.c.taken,
        _holder.finished == 0,
        sa.exists(
            sa.select(_w.id).where(
                _w.host == _holder.host,
                _w.state == workers.ACTIVE,
                _w.lease_until > sa.bindparam("b_now"),
            )
        ),
    )
    .correlate(locks)
)
_TAKE = (
    locks.update()
    .where(
        locks.c.name == sa.bindparam("b_name"),
        sa.or_(locks.c.taken == sa.bindparam("b_operation"), ~_HELD_BY_THE_LIVING),
    )
    .values(taken=sa.bindparam("b_operation"))
)
_HOLDER = sa.select(locks.c.taken).where(locks.c.name == sa.bindparam("name"))


def turn_of(share_id: str) -> str:
    """Return the name of the lock of a share's replicas."""
    return f"replicas {share_id}"


def take_turn(
    connection: Connection, share_id: str, operation_id: int, now: datetime.datetime
) -> bool:
    """Make it this operation's turn to change the replicas of a share.

    False while it is the turn of another one that is unfinished and whose host has a worker that
    is alive. Of a host without one the turn is taken away: it may be gone for good.
    """
    name = turn_of(share_id)
    values = {"b_name": name, "b_operation": operation_id, "b_now": now}
    if connection.execute(_TAKE, values).rowcount:
        return True
    with contextlib.suppress(db_exc.DBDuplicateEntry), connection.begin_nested():
        connection.execute(locks.insert(), {"name": name, "taken": operation_id})
        return True
    return False


def has_turn(connection: Connection, share_id: str, operation_id: int) -> bool:
    """Whether it is still this operation's turn."""
    return connection.execute(_HOLDER, {"name": turn_of(share_id)}).scalar() == operation_id


# -- snapshots ---------------------------------------------------------------------------------


def move_snapshot(
    instance_id: str, old: str, new: str, now: datetime.datetime, **columns: Any
) -> list[Write]:
    """Put what a driver says of a snapshot on a replica in the place of the status found.

    Changes nothing where the row meanwhile shows the transitional status of another operation.
    """
    # Of a snapshot that follows another back end's, a driver may tell anything at any time.
    write = guards.status_write(
        share_snapshot_instances, lambda *_: None, instance_id, old, new, now, columns
    )
    return [write]
