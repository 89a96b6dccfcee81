# SPDX-License-Identifier: Apache-2.0
"""Share types with their extra specs, and availability zones."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import availability_zones, share_type_extra_specs, share_types
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

DEFAULT_NAME = "default"

_z = availability_zones.c
_t = share_types.c
_e = share_type_extra_specs.c

_ZONE = sa.select(_z.id).where(_z.name == sa.bindparam("name"), _z.deleted == "False")
_TYPES = sa.select(share_types).where(_t.deleted == "False").order_by(_t.name)
_BY_NAME_OR_ID = _TYPES.where(
    sa.or_(_t.id == sa.bindparam("wanted"), _t.name == sa.bindparam("wanted"))
)
_SPECS = (
    sa.select(_e.share_type_id, _e.spec_key, _e.spec_value)
    .where(_e.share_type_id.in_(sa.bindparam("ids", expanding=True)), _e.deleted == 0)
    .order_by(_e.id)
)
_INSERT_SPEC = share_type_extra_specs.insert().values(
    share_type_id=sa.bindparam("share_type_id"),
    spec_key=sa.bindparam("spec_key"),
    spec_value=sa.bindparam("spec_value"),
    created_at=sa.bindparam("now"),
    deleted=0,
)


def ensure_zone(connection: Connection, name: str, now: datetime.datetime) -> str:
    """Return the id of the availability zone of that name; make it where it is missing.

    Where another process makes it in the same moment, the loser's IntegrityError is swallowed in
    a savepoint.
    """
    found = connection.execute(_ZONE, {"name": name}).scalar()
    if found is not None:
        return str(found)
    zone_id = str(uuid.uuid4())
    row = {"id": zone_id, "name": name, "created_at": now, "deleted": "False"}
    try:
        with connection.begin_nested():
            connection.execute(availability_zones.insert(), row)
    except Exception:
        found = connection.execute(_ZONE, {"name": name}).scalar()
        if found is None:
            raise
        return str(found)
    return zone_id


def list_types(connection: Connection) -> list[Record]:
    """Return the live share types with ``extra_specs``."""
    return _with_specs(connection, Record.all(connection.execute(_TYPES)))


def get_type(connection: Connection, wanted: str) -> Record | None:
    """Return a share type by name or id, with ``extra_specs``."""
    found = Record.all(connection.execute(_BY_NAME_OR_ID, {"wanted": wanted}))
    return _with_specs(connection, found[:1])[0] if found else None


def _with_specs(connection: Connection, found: list[Record]) -> list[Record]:
    specs: dict[str, dict[str, Any]] = {}
    for row in connection.execute(_SPECS, {"ids": [record["id"] for record in found]}):
        specs.setdefault(row.share_type_id, {})[row.spec_key] = row.spec_value
    for record in found:
        record["extra_specs"] = specs.get(record["id"], {})
    return found


#: Columns of a share that say what its type allows.
SUPPORTS = (
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
)


def supports(share_type: Mapping[str, Any]) -> dict[str, bool]:
    """Return a share's *_support columns, as its type's extra specs have them."""
    specs = share_type["extra_specs"]
    return {name: _is_true(specs.get(name)) for name in SUPPORTS}


def _is_true(value: str | None) -> bool:
    return (value or "").removeprefix("<is>").strip().lower() in ("true", "yes", "1", "t")


def new_type(
    name: str,
    extra_specs: Mapping[str, str],
    now: datetime.datetime,
    type_id: str | None = None,
) -> list[Write]:
    """Insert a public share type; Manila requires driver_handles_share_servers among its specs."""
    type_id = type_id or str(uuid.uuid4())
    row = {
        "id": type_id,
        "name": name,
        "is_public": True,
        "created_at": now,
        "deleted": "False",
    }
    specs: Sequence[tuple[str, str]] = sorted(extra_specs.items())
    return [
        Write(share_types.insert(), row),
        *(
            Write(
                _INSERT_SPEC,
                {"share_type_id": type_id, "spec_key": key, "spec_value": value, "now": now},
            )
            for key, value in specs
        ),
    ]
