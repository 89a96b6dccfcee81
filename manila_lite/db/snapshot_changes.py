# SPDX-License-Identifier: Apache-2.0
"""Snapshots and their instances: writing, as data."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db.export_locations import normalize
from manila_lite.db.guards import status_write
from manila_lite.db.models import (
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
    share_snapshot_instance_export_locations,
    share_snapshot_instances,
    share_snapshot_metadata,
    share_snapshots,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

_n = share_snapshot_instances.c
_p = share_snapshots.c
_l = share_snapshot_instance_export_locations.c
_rule = share_snapshot_access_map.c
_mapping = share_snapshot_instance_access_map.c
_meta = share_snapshot_metadata.c

_DELETE_INSTANCE = (
    share_snapshot_instances.update()
    .where(_n.id == sa.bindparam("b_id"), _n.deleted == "False")
    .values(
        status=states.DELETED,
        deleted=_n.id,
        deleted_at=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
    )
)
_RESIZE = (
    share_snapshots.update()
    .where(_p.id == sa.bindparam("b_id"), _p.deleted == "False")
    .values(size=sa.bindparam("b_size"), updated_at=sa.bindparam("b_now"))
)
# As in share_changes: two instances that are deleted at once must see each other's end.
_LOCK_SNAPSHOT = (
    share_snapshots.update()
    .where(_p.id == sa.bindparam("b_snapshot_id"))
    .values(deleted=_p.deleted)
)
_others = share_snapshot_instances.alias("others")
_NO_OTHER_INSTANCE = ~sa.exists(
    sa.select(_others.c.id).where(
        _others.c.snapshot_id == sa.bindparam("b_snapshot_id"),
        _others.c.deleted == "False",
        _others.c.id != sa.bindparam("b_instance_id"),
    )
)
_DELETE_SNAPSHOT = (
    share_snapshots.update()
    .where(_p.id == sa.bindparam("b_snapshot_id"), _p.deleted == "False", _NO_OTHER_INSTANCE)
    .values(deleted=_p.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_RULE = (
    share_snapshot_access_map.update()
    .where(_rule.id == sa.bindparam("b_id"), _rule.deleted == "False", _NO_OTHER_INSTANCE)
    .values(deleted=_rule.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_MAPPING = (
    share_snapshot_instance_access_map.update()
    .where(_mapping.id == sa.bindparam("b_id"), _mapping.deleted == "False")
    .values(deleted=_mapping.id, state=states.ACCESS_DELETED, deleted_at=sa.bindparam("b_now"))
)
# The column is text here, and the key is a number.
_DELETE_METADATA = (
    share_snapshot_metadata.update()
    .where(_meta.id == sa.bindparam("b_id"), _meta.deleted == "False", _NO_OTHER_INSTANCE)
    .values(deleted=sa.cast(_meta.id, sa.String(36)), deleted_at=sa.bindparam("b_now"))
)
_INSERT_LOCATION = share_snapshot_instance_export_locations.insert().values(
    id=sa.bindparam("id"),
    share_snapshot_instance_id=sa.bindparam("share_snapshot_instance_id"),
    path=sa.bindparam("path"),
    is_admin_only=sa.bindparam("is_admin_only"),
    created_at=sa.bindparam("now"),
    deleted="False",
)
_DELETE_LOCATION = (
    share_snapshot_instance_export_locations.update()
    .where(_l.id == sa.bindparam("b_id"), _l.deleted == "False")
    .values(deleted=_l.id, deleted_at=sa.bindparam("b_now"))
)


def move(
    instance_id: str, old: str, new: str, now: datetime.datetime, **columns: Any
) -> list[Write]:
    """Take a snapshot instance from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation.
    """
    return [
        status_write(
            share_snapshot_instances,
            states.check_snapshot_instance_transition,
            instance_id,
            old,
            new,
            now,
            columns,
        )
    ]


def created(
    instance: Record,
    returned: Mapping[str, Any] | None,
    now: datetime.datetime,
    **columns: Any,
) -> list[Write]:
    """Make a snapshot instance available with what the driver returned; columns are set beside it.

    Of the driver's dict count provider_location and, for a share whose snapshots can be mounted,
    export_locations.
    """
    returned = returned or {}
    columns["progress"] = "100%"
    if returned.get("provider_location") is not None:
        columns["provider_location"] = str(returned["provider_location"])
    writes = move(instance["id"], instance["status"], states.AVAILABLE, now, **columns)
    if instance["share"]["mount_snapshot_support"]:
        writes += located(instance, returned.get("export_locations"), now)
    return writes


def sized(snapshot_id: str, size: int, now: datetime.datetime) -> list[Write]:
    """Say that a snapshot has so many GiB."""
    return [Write(_RESIZE, {"b_id": snapshot_id, "b_size": int(size), "b_now": now})]


def located(instance: Record, returned: Any, now: datetime.datetime) -> list[Write]:
    """Make the export locations of a snapshot instance those that the driver returned."""
    current = {row["path"]: row for row in instance["export_locations"]}
    wanted = {location["path"]: location for location in normalize(returned)}
    return [
        *(_without_location(row, now) for path, row in current.items() if path not in wanted),
        *(
            _with_location(instance["id"], location, now)
            for path, location in wanted.items()
            if path not in current
        ),
    ]


def _with_location(instance_id: str, location: Mapping[str, Any], now: datetime.datetime) -> Write:
    row = {
        "id": str(uuid.uuid4()),
        "share_snapshot_instance_id": instance_id,
        "path": location["path"],
        "is_admin_only": location["is_admin_only"],
        "now": now,
    }
    return Write(_INSERT_LOCATION, row)


def _without_location(row: Mapping[str, Any], now: datetime.datetime) -> Write:
    return Write(_DELETE_LOCATION, {"b_id": row["id"], "b_now": now})


def deleted(
    instance: Record,
    now: datetime.datetime,
    *,
    rules: Iterable[Mapping[str, Any]] = (),
    metadata: Iterable[Mapping[str, Any]] = (),
) -> list[Write]:
    """Mark an instance as deleted, and the snapshot with all it has when this was its last one."""
    snapshot = {
        "b_snapshot_id": instance["snapshot_id"],
        "b_instance_id": instance["id"],
        "b_now": now,
    }
    writes = [
        Write(_LOCK_SNAPSHOT, {"b_snapshot_id": instance["snapshot_id"]}),
        Write(_DELETE_INSTANCE, {"b_id": instance["id"], "b_now": now}),
        Write(_DELETE_SNAPSHOT, snapshot),
    ]
    writes += [_without_location(row, now) for row in instance["export_locations"]]
    for rule in rules:
        writes.append(Write(_DELETE_RULE, {"b_id": rule["access_id"], **snapshot}))
        if rule["mapping_id"] is not None:
            parameters = {"b_id": rule["mapping_id"], "b_now": now}
            writes.append(Write(_DELETE_MAPPING, parameters))
    for pair in metadata:
        writes.append(Write(_DELETE_METADATA, {"b_id": pair["id"], **snapshot}))
    return writes
