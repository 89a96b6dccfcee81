# SPDX-License-Identifier: Apache-2.0
"""Migrations of shares: writing, as data."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import types
from manila_lite.db.models import (
    share_instance_access_map,
    share_instances,
    share_snapshot_instance_access_map,
    share_snapshot_instances,
    shares,
)
from manila_lite.db.writes import Write

_s = shares.c
_NOW: sa.BindParameter[Any] = sa.bindparam("b_now")
_THIS = (_s.id == sa.bindparam("b_id"), _s.deleted == "False")

_TASK = shares.update().where(*_THIS).values(task_state=sa.bindparam("b_task"), updated_at=_NOW)
_TASK_AFTER = _TASK.where(_s.task_state == sa.bindparam("b_old"))
_TYPED = (
    shares.update()
    .where(*_THIS)
    .values(
        updated_at=_NOW,
        replication_type=sa.bindparam("b_replication_type"),
        **{name: sa.bindparam(f"b_{name}") for name in types.SUPPORTS},
    )
)


def _insert(table: sa.Table, *names: str) -> sa.Insert:
    return table.insert().values(
        created_at=_NOW,
        updated_at=_NOW,
        deleted="False",
        **{name: sa.bindparam(f"b_{name}") for name in names},
    )


_INSTANCE = _insert(
    share_instances,
    "id",
    "share_id",
    "host",
    "status",
    "share_type_id",
    "availability_zone_id",
    "access_rules_status",
    "cast_rules_to_readonly",
    "mount_point_name",
)
_SNAPSHOT = _insert(
    share_snapshot_instances,
    "id",
    "snapshot_id",
    "share_instance_id",
    "status",
    "progress",
    "size",
    "share_proto",
    "user_id",
    "project_id",
)
_RULE = _insert(share_instance_access_map, "id", "share_instance_id", "access_id", "state")
_SNAPSHOT_RULE = _insert(
    share_snapshot_instance_access_map, "id", "share_snapshot_instance_id", "access_id", "state"
)


def _write(statement: Any, now: datetime.datetime, **values: Any) -> Write:
    return Write(
        statement, {"b_now": now, **{f"b_{name}": value for name, value in values.items()}}
    )


def task(share_id: str, task_state: str, now: datetime.datetime) -> list[Write]:
    """Say how far the migration of a share is."""
    return [_write(_TASK, now, id=share_id, task=task_state)]


def task_after(share_id: str, old: str, task_state: str, now: datetime.datetime) -> list[Write]:
    """The same, unless the share's task state is another one than ``old`` by then."""
    return [_write(_TASK_AFTER, now, id=share_id, task=task_state, old=old)]


def destination(
    instance_id: str,
    source: Mapping[str, Any],
    host: str,
    now: datetime.datetime,
    *,
    share_type_id: str | None,
    zone_id: str | None,
) -> list[Write]:
    """Insert the instance that a share is migrated to, in 'migrating_to'. host: with its pool."""
    return [
        _write(
            _INSTANCE,
            now,
            id=instance_id,
            share_id=source["share_id"],
            host=host,
            status=states.MIGRATING_TO,
            share_type_id=share_type_id,
            availability_zone_id=zone_id,
            access_rules_status=states.ACCESS_ACTIVE,
            cast_rules_to_readonly=False,
            mount_point_name=source["mount_point_name"],
        )
    ]


def snapshot_destination(
    instance_id: str, snapshot: Mapping[str, Any], share_instance_id: str, now: datetime.datetime
) -> list[Write]:
    """Insert the snapshot instance that goes with the destination, in 'migrating_to'."""
    own = {name: snapshot[name] for name in ("size", "share_proto", "user_id", "project_id")}
    return [
        _write(
            _SNAPSHOT,
            now,
            id=instance_id,
            snapshot_id=snapshot["snapshot_id"],
            share_instance_id=share_instance_id,
            status=states.MIGRATING_TO,
            progress="0%",
            **own,
        )
    ]


def rules_to_apply(
    instance_id: str, access_ids: Iterable[str], now: datetime.datetime
) -> list[Write]:
    """Have rules of the share applied on an instance that has none of them."""
    return [
        _write(
            _RULE,
            now,
            id=str(uuid.uuid4()),
            share_instance_id=instance_id,
            access_id=access_id,
            state=states.ACCESS_QUEUED_TO_APPLY,
        )
        for access_id in access_ids
    ]


def snapshot_rules_to_apply(
    instance_id: str, access_ids: Iterable[str], now: datetime.datetime
) -> list[Write]:
    """Have rules of a snapshot applied on an instance of it that has none of them."""
    return [
        _write(
            _SNAPSHOT_RULE,
            now,
            id=str(uuid.uuid4()),
            share_snapshot_instance_id=instance_id,
            access_id=access_id,
            state=states.ACCESS_QUEUED_TO_APPLY,
        )
        for access_id in access_ids
    ]


def typed(share_id: str, share_type: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Give a share what its new type says of shares (``extra_specs``)."""
    values = types.supports(share_type)
    replication = share_type["extra_specs"].get("replication_type")
    return [_write(_TYPED, now, id=share_id, replication_type=replication, **values)]
