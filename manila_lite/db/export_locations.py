# SPDX-License-Identifier: Apache-2.0
"""Export locations of share instances: what drivers return, and the rows made from it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_utils import strutils
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.db.models import share_instance_export_locations as locations
from manila_lite.db.models import share_instance_export_locations_metadata as metadata
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

PREFERRED = "preferred"
MAX_PATH = 2000
MAX_KEY = 255
MAX_VALUE = 1023

_l = locations.c
_m = metadata.c

_OF_INSTANCES = (
    sa.select(
        _l.id,
        _l.uuid,
        _l.share_instance_id,
        _l.path,
        _l.is_admin_only,
        _l.created_at,
        _l.updated_at,
        _m.key.label("meta_key"),
        _m.value.label("meta_value"),
    )
    .select_from(
        locations.outerjoin(metadata, sa.and_(_m.export_location_id == _l.id, _m.deleted == 0))
    )
    .where(_l.share_instance_id.in_(sa.bindparam("instance_ids", expanding=True)), _l.deleted == 0)
    .order_by(_l.id, _m.id)
)
_INSERT = locations.insert().values(
    uuid=sa.bindparam("uuid"),
    share_instance_id=sa.bindparam("share_instance_id"),
    path=sa.bindparam("path"),
    is_admin_only=sa.bindparam("is_admin_only"),
    created_at=sa.bindparam("now"),
    updated_at=sa.bindparam("now"),
    deleted=0,
)
# The location's number is the database's to give; its uuid is ours, so no round trip is needed.
_INSERT_METADATA = metadata.insert().from_select(
    ["export_location_id", "key", "value", "created_at", "updated_at", "deleted"],
    sa.select(
        _l.id,
        sa.bindparam("key", type_=sa.String),
        sa.bindparam("value", type_=sa.String),
        sa.bindparam("now", type_=sa.DateTime),
        sa.bindparam("now", type_=sa.DateTime),
        sa.literal_column("0"),
    ).where(_l.uuid == sa.bindparam("uuid")),
    include_defaults=False,
)
_SET_ADMIN_ONLY = (
    locations.update()
    .where(_l.id == sa.bindparam("b_id"), _l.deleted == 0)
    .values(is_admin_only=sa.bindparam("b_is_admin_only"), updated_at=sa.bindparam("b_now"))
)
_DELETE = (
    locations.update()
    .where(_l.id == sa.bindparam("b_id"), _l.deleted == 0)
    .values(deleted=_l.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_METADATA = (
    metadata.update()
    .where(_m.export_location_id == sa.bindparam("b_id"), _m.deleted == 0)
    .values(deleted=_m.id, deleted_at=sa.bindparam("b_now"))
)


def of_instances(
    connection: Connection, instance_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return {instance id: its export locations}, with one SELECT.

    Preferred ones come first, those for administrators last, else in order of age.
    """
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in connection.execute(_OF_INSTANCES, {"instance_ids": list(instance_ids)}):
        of_instance = found.setdefault(row.share_instance_id, {})
        location = of_instance.get(row.id)
        if location is None:
            location = of_instance[row.id] = _location(row)
        if row.meta_key is not None:
            location["metadata"][row.meta_key] = row.meta_value
    return {key: sorted(values.values(), key=_primary_first) for key, values in found.items()}


def _location(row: Any) -> dict[str, Any]:
    return Record(
        id=row.id,
        uuid=row.uuid,
        share_instance_id=row.share_instance_id,
        path=row.path,
        is_admin_only=bool(row.is_admin_only),
        metadata={},
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _primary_first(location: Mapping[str, Any]) -> tuple[bool, bool]:
    preferred = strutils.bool_from_string(location["metadata"].get(PREFERRED), default=False)
    return (bool(location["is_admin_only"]), not preferred)


def attach(instance: Record, found: list[dict[str, Any]]) -> None:
    """Set the instance's export locations, and the path that old drivers read."""
    instance["export_locations"] = found
    instance["export_location"] = found[0]["path"] if found else None


def normalize(returned: Any) -> list[dict[str, Any]]:
    """Bring what a driver returned into one shape: path, is_admin_only and metadata (strings).

    Drivers return None, a path, a list of paths, or a list of dicts; a path that comes twice
    counts once. Raises InvalidShareInstance for anything else.
    """
    if returned is None:
        return []
    if isinstance(returned, str | Mapping):
        returned = [returned]
    if not isinstance(returned, list | tuple):
        raise _not_locations(returned)
    by_path = {location["path"]: location for location in map(_normalize_one, returned)}
    return list(by_path.values())


def _normalize_one(returned: Any) -> dict[str, Any]:
    if isinstance(returned, str):
        returned = {"path": returned}
    path = returned.get("path") if isinstance(returned, Mapping) else None
    if not isinstance(path, str) or not 0 < len(path) <= MAX_PATH or "\x00" in path:
        raise _not_locations(returned)
    pairs = returned.get("metadata") or {}
    return {
        "path": path,
        "is_admin_only": bool(returned.get("is_admin_only", False)),
        "metadata": {
            str(k)[:MAX_KEY]: str(v)[:MAX_VALUE] for k, v in pairs.items() if v is not None
        },
    }


def _not_locations(returned: Any) -> exception.InvalidShareInstance:
    return exception.InvalidShareInstance(
        reason=f"the driver returned {returned!r:.200} where export locations are expected"
    )


def add(instance_id: str, returned: Any, now: datetime.datetime) -> list[Write]:
    """Insert export locations of an instance that has none."""
    writes: list[Write] = []
    for location in normalize(returned):
        writes += _insert(instance_id, location, now)
    return writes


def _insert(instance_id: str, location: dict[str, Any], now: datetime.datetime) -> list[Write]:
    key = str(uuid.uuid4())
    row = {
        "uuid": key,
        "share_instance_id": instance_id,
        "path": location["path"],
        "is_admin_only": location["is_admin_only"],
        "now": now,
    }
    return [Write(_INSERT, row), *_insert_metadata(key, location["metadata"], now)]


def _insert_metadata(key: str, pairs: Mapping[str, str], now: datetime.datetime) -> list[Write]:
    return [
        Write(_INSERT_METADATA, {"uuid": key, "key": name, "value": value, "now": now})
        for name, value in pairs.items()
    ]


def replace(
    instance_id: str, current: Sequence[Mapping[str, Any]], returned: Any, now: datetime.datetime
) -> list[Write]:
    """Make the rows say what the driver returned.

    current: what :func:`of_instances` read. A path that stays keeps its row and uuid, by which
    users know it; nothing is written where nothing changed.
    """
    wanted = {location["path"]: location for location in normalize(returned)}
    writes: list[Write] = []
    for row in current:
        location = wanted.pop(row["path"], None)
        writes += delete_one(row, now) if location is None else _change(row, location, now)
    for location in wanted.values():
        writes += _insert(instance_id, location, now)
    return writes


def _change(
    row: Mapping[str, Any], location: dict[str, Any], now: datetime.datetime
) -> list[Write]:
    writes: list[Write] = []
    if bool(row["is_admin_only"]) != location["is_admin_only"]:
        values = {"b_id": row["id"], "b_is_admin_only": location["is_admin_only"], "b_now": now}
        writes.append(Write(_SET_ADMIN_ONLY, values))
    if row["metadata"] != location["metadata"]:
        writes.append(Write(_DELETE_METADATA, {"b_id": row["id"], "b_now": now}))
        writes += _insert_metadata(row["uuid"], location["metadata"], now)
    return writes


def delete_one(row: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Mark an export location and its metadata as deleted."""
    parameters = {"b_id": row["id"], "b_now": now}
    return [Write(_DELETE_METADATA, parameters), Write(_DELETE, parameters)]
