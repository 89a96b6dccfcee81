# SPDX-License-Identifier: Apache-2.0
"""Share servers: writing, as data where an operation's outcome is written with it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite import server_states as states
from manila_lite.db.guards import status_write
from manila_lite.db.models import (
    share_groups,
    share_instances,
    share_server_backend_details,
    share_server_share_network_subnet_mappings,
    share_servers,
)
from manila_lite.db.writes import Write

MAX_KEY = 255
MAX_VALUE = 1023

_s = share_servers.c
_d = share_server_backend_details.c
_m = share_server_share_network_subnet_mappings.c

_INSERT = share_servers.insert()
_INSERT_MAPPING = share_server_share_network_subnet_mappings.insert()
_INSERT_DETAIL = share_server_backend_details.insert().values(
    share_server_id=sa.bindparam("b_server_id"),
    key=sa.bindparam("b_key"),
    value=sa.bindparam("b_value"),
    created_at=sa.bindparam("b_now"),
    deleted="False",
)
_UPDATE_DETAIL = (
    share_server_backend_details.update()
    .where(
        _d.share_server_id == sa.bindparam("b_server_id"),
        _d.key == sa.bindparam("b_key"),
        _d.deleted == "False",
    )
    .values(value=sa.bindparam("b_value"), updated_at=sa.bindparam("b_now"))
)
_DELETE = (
    share_servers.update()
    .where(_s.id == sa.bindparam("b_server_id"), _s.deleted == "False")
    .values(
        status=states.DELETED,
        deleted=_s.id,
        deleted_at=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
    )
)
_DELETE_DETAILS = (
    share_server_backend_details.update()
    .where(_d.share_server_id == sa.bindparam("b_server_id"), _d.deleted == "False")
    .values(deleted=sa.cast(_d.id, sa.String(36)), deleted_at=sa.bindparam("b_now"))
)
_DELETE_MAPPINGS = (
    share_server_share_network_subnet_mappings.update()
    .where(_m.share_server_id == sa.bindparam("b_server_id"), _m.deleted == 0)
    .values(deleted=_m.id, deleted_at=sa.bindparam("b_now"))
)
_TOUCH = (
    share_servers.update()
    .where(_s.id == sa.bindparam("b_server_id"), _s.deleted == "False")
    .values(updated_at=sa.bindparam("b_now"))
)
_IDENTIFY = _TOUCH.values(identifier=sa.bindparam("b_identifier"))


def _assign(table: sa.Table) -> sa.Update:
    c = table.c
    return (
        table.update()
        .where(
            c.id == sa.bindparam("b_id"),
            c.deleted == "False",
            sa.func.coalesce(c.share_server_id, "") == sa.bindparam("b_before"),
        )
        .values(share_server_id=sa.bindparam("b_server_id"), updated_at=sa.bindparam("b_now"))
    )


_ASSIGN = {table.name: _assign(table) for table in (share_instances, share_groups)}


def new_server(
    connection: Connection,
    now: datetime.datetime,
    *,
    host: str,
    subnet_ids: Sequence[str],
    status: str = states.CREATING,
    **columns: Any,
) -> str:
    """Insert a share server on the subnets and return its id; columns are set beside it.

    host: 'host@backend'.
    """
    server_id = str(uuid.uuid4())
    row = {
        "id": server_id,
        "host": host,
        "status": status,
        "is_auto_deletable": True,
        "security_service_update_support": False,
        "network_allocation_update_support": False,
        "share_replicas_migration_support": False,
        "created_at": now,
        "updated_at": now,
        "deleted": "False",
        **columns,
    }
    connection.execute(_INSERT, row)
    for subnet_id in subnet_ids:
        map_subnet(connection, server_id, subnet_id, now)
    return server_id


def map_subnet(
    connection: Connection, server_id: str, subnet_id: str, now: datetime.datetime
) -> None:
    """Say that the share server is on the subnet."""
    row = {
        "share_server_id": server_id,
        "share_network_subnet_id": subnet_id,
        "created_at": now,
        "deleted": 0,
    }
    connection.execute(_INSERT_MAPPING, row)


def assign(
    connection: Connection,
    table: sa.Table,
    row_id: str,
    before: str | None,
    server_id: str,
    now: datetime.datetime,
) -> bool:
    """Put a share instance or share group on a server; False where it is not on ``before``.

    table: models.share_instances or models.share_groups.
    """
    values = {"b_id": row_id, "b_before": before or "", "b_server_id": server_id, "b_now": now}
    return bool(connection.execute(_ASSIGN[table.name], values).rowcount)


def move(server_id: str, old: str, new: str, now: datetime.datetime, **columns: Any) -> list[Write]:
    """Take a share server from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation.
    """
    return [
        status_write(
            share_servers,
            states.check_server_transition,
            server_id,
            old,
            new,
            now,
            columns,
            states.may_be_overwritten,
        )
    ]


def identified(server_id: str, identifier: str, now: datetime.datetime) -> list[Write]:
    """Keep how the driver knows the server: the sign that it was set up."""
    return [Write(_IDENTIFY, {"b_server_id": server_id, "b_identifier": identifier, "b_now": now})]


def details(
    server: Mapping[str, Any],
    values: Mapping[str, Any],
    now: datetime.datetime,
    *,
    lenient: bool = False,
) -> list[Write]:
    """Keep details of a server, as text; those of other keys stay.

    server: with its present ``backend_details``. Raises InvalidShareServer for a detail that the
    table cannot hold; with lenient it is left out.
    """
    known = server["backend_details"]
    writes = []
    for key, value in values.items():
        text = str(value)
        if len(str(key)) > MAX_KEY or len(text) > MAX_VALUE:
            if lenient:
                continue
            raise exception.InvalidShareServer(
                reason=f"detail {str(key)[:MAX_KEY]!r} has more than {MAX_VALUE} characters"
            )
        statement = _UPDATE_DETAIL if key in known else _INSERT_DETAIL
        parameters = {"b_server_id": server["id"], "b_key": str(key), "b_value": text, "b_now": now}
        writes.append(Write(statement, parameters))
    return writes


def deleted(server_id: str, now: datetime.datetime) -> list[Write]:
    """Mark a server as deleted, with its details and its places on subnets."""
    parameters = {"b_server_id": server_id, "b_now": now}
    return [
        Write(statement, parameters) for statement in (_DELETE, _DELETE_DETAILS, _DELETE_MAPPINGS)
    ]


def left(server_id: str | None, now: datetime.datetime) -> list[Write]:
    """Note that a share has left the server: from now on it may be unused. None: no write."""
    return [] if server_id is None else [Write(_TOUCH, {"b_server_id": server_id, "b_now": now})]
