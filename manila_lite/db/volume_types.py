# SPDX-License-Identifier: Apache-2.0
"""Volume types with their extra specs.

Each volume has a type, as in Cinder: where nobody chose one it is ``__DEFAULT__``, which is made
when it is first needed.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.guards import living
from manila_lite.db.models import volume_type_extra_specs, volume_types
from manila_lite.db.records import Record
from manila_lite.db.writes import Write, execute_writes

DEFAULT_NAME = "__DEFAULT__"

_t = volume_types.c
_e = volume_type_extra_specs.c

_TYPES = sa.select(volume_types).where(living(volume_types)).order_by(_t.name, _t.id)
_BY_IDS = _TYPES.where(_t.id.in_(sa.bindparam("ids", expanding=True)))
_BY_NAME_OR_ID = _TYPES.where(
    sa.or_(_t.id == sa.bindparam("wanted"), _t.name == sa.bindparam("wanted"))
)
_SPECS = (
    sa.select(_e.volume_type_id, _e.key, _e.value)
    .where(
        _e.volume_type_id.in_(sa.bindparam("ids", expanding=True)),
        living(volume_type_extra_specs),
    )
    .order_by(_e.id)
)
_INSERT_TYPE = volume_types.insert().values(
    id=sa.bindparam("id"),
    name=sa.bindparam("name"),
    description=sa.bindparam("description"),
    is_public=True,
    created_at=sa.bindparam("now"),
    deleted=False,
)
_INSERT_SPEC = volume_type_extra_specs.insert().values(
    volume_type_id=sa.bindparam("volume_type_id"),
    key=sa.bindparam("key"),
    value=sa.bindparam("value"),
    created_at=sa.bindparam("now"),
    deleted=False,
)


def list_types(connection: Connection) -> list[Record]:
    """Return the volume types with ``extra_specs``, by name."""
    return _with_specs(connection, Record.all(connection.execute(_TYPES)))


def get_types(connection: Connection, type_ids: Iterable[str]) -> dict[str, Record]:
    """Return {id: volume type with ``extra_specs``} of those that exist."""
    ids = sorted(set(type_ids))
    if not ids:
        return {}
    found = Record.all(connection.execute(_BY_IDS, {"ids": ids}))
    return {record["id"]: record for record in _with_specs(connection, found)}


def get_type(connection: Connection, wanted: str) -> Record | None:
    """Return a volume type by name or id, with ``extra_specs``."""
    found = Record.all(connection.execute(_BY_NAME_OR_ID, {"wanted": wanted}))
    return _with_specs(connection, found[:1])[0] if found else None


def _with_specs(connection: Connection, found: list[Record]) -> list[Record]:
    specs: dict[str, dict[str, str]] = {}
    ids = [record["id"] for record in found]
    for row in connection.execute(_SPECS, {"ids": ids}) if ids else ():
        specs.setdefault(row.volume_type_id, {})[row.key] = row.value
    for record in found:
        record["extra_specs"] = specs.get(record["id"], {})
    return found


def new_type(
    name: str,
    extra_specs: Mapping[str, str],
    now: datetime.datetime,
    type_id: str | None = None,
    description: str | None = None,
) -> list[Write]:
    """Insert a public volume type."""
    type_id = type_id or str(uuid.uuid4())
    row = {"id": type_id, "name": name, "description": description, "now": now}
    specs: Sequence[tuple[str, str]] = sorted(extra_specs.items())
    return [
        Write(_INSERT_TYPE, row),
        *(
            Write(_INSERT_SPEC, {"volume_type_id": type_id, "key": key, "value": value, "now": now})
            for key, value in specs
        ),
    ]


def ensure_default(connection: Connection, now: datetime.datetime) -> Record:
    """Return the type ``__DEFAULT__``; make it where it is missing.

    Two that make it in the same moment make two of it, of which one is used from then on.
    """
    found = get_type(connection, DEFAULT_NAME)
    if found is None:
        execute_writes(connection, [new_type(DEFAULT_NAME, {}, now, description="Default type")])
        found = get_type(connection, DEFAULT_NAME)
    assert found is not None
    return found
