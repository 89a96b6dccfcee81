# SPDX-License-Identifier: Apache-2.0
"""drivers_private_data: what drivers keep about an entity, by key.

The primary key is (entity, key) with deleted rows included, so that a key which comes back takes
its old row.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import drivers_private_data as table

MAX_VALUE = 1023
MAX_KEY = 255

_c = table.c
_OF_ENTITY = sa.select(_c.key, _c.value).where(
    _c.entity_uuid == sa.bindparam("entity"), _c.deleted == 0
)
_ONE = _OF_ENTITY.where(_c.key == sa.bindparam("key"))
_SET = (
    table.update()
    .where(_c.entity_uuid == sa.bindparam("b_entity"), _c.key == sa.bindparam("b_key"))
    .values(
        value=sa.bindparam("b_value"),
        updated_at=sa.bindparam("b_now"),
        deleted=0,
        deleted_at=None,
    )
)
_DELETE_ALL = (
    table.update()
    .where(_c.entity_uuid == sa.bindparam("b_entity"), _c.deleted == 0)
    .values(deleted=1, deleted_at=sa.bindparam("b_now"))
)
_DELETE_ONE = _DELETE_ALL.where(_c.key == sa.bindparam("b_key"))


def get(connection: Connection, entity_id: str) -> dict[str, str]:
    """Return all that is kept about an entity."""
    return {row.key: row.value for row in connection.execute(_OF_ENTITY, {"entity": entity_id})}


def get_one(connection: Connection, entity_id: str, key: str) -> str | None:
    """Return the value of one key, or None."""
    row = connection.execute(_ONE, {"entity": entity_id, "key": key}).first()
    return None if row is None else str(row.value)


def update(
    connection: Connection,
    entity_id: str,
    details: Mapping[str, str],
    now: datetime.datetime,
    *,
    delete_existing: bool = False,
) -> None:
    """Set keys of an entity; the others go where delete_existing says so."""
    if delete_existing:
        delete(connection, entity_id, now)
    for key, value in details.items():
        _set(connection, entity_id, key, value, now)


def _set(
    connection: Connection, entity_id: str, key: str, value: str, now: datetime.datetime
) -> None:
    parameters = {"b_entity": entity_id, "b_key": key, "b_value": value, "b_now": now}
    if connection.execute(_SET, parameters).rowcount == 0:
        connection.execute(
            table.insert(),
            {"entity_uuid": entity_id, "key": key, "value": value, "created_at": now, "deleted": 0},
        )


def delete(
    connection: Connection, entity_id: str, now: datetime.datetime, key: str | None = None
) -> None:
    """Forget one key of an entity, or all of them."""
    parameters = {"b_entity": entity_id, "b_now": now}
    if key is None:
        connection.execute(_DELETE_ALL, parameters)
    else:
        connection.execute(_DELETE_ONE, {**parameters, "b_key": key})
