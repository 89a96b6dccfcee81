# SPDX-License-Identifier: Apache-2.0
"""The services table: signs of life that Manila's API and schedulers go by.

One row for each ``host@backend`` and binary. ``disabled`` belongs to the administrator and is
never touched here.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import types
from manila_lite.db.models import availability_zones, services
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

BINARY = "manila-share"
VOLUME_BINARY = "manila-lite-volume"
UP = "up"
STOPPED = "stopped"

_c = services.c
_THIS = (
    _c.host == sa.bindparam("b_host"),
    _c.binary == sa.bindparam("b_binary"),
    _c.deleted == 0,
)
_BEAT = (
    services.update()
    .where(*_THIS)
    .values(report_count=_c.report_count + 1, state=UP, updated_at=sa.bindparam("b_now"))
)
_SET_ENSURING = services.update().where(*_THIS).values(ensuring=sa.bindparam("b_ensuring"))
_SET_STATE = (
    services.update()
    .where(*_THIS)
    .values(state=sa.bindparam("b_state"), updated_at=sa.bindparam("b_now"))
)
_SET_ZONE = services.update().where(*_THIS).values(availability_zone_id=sa.bindparam("b_zone"))
_GET = sa.select(services).where(*_THIS).order_by(_c.id)
_LIST = (
    sa.select(services, availability_zones.c.name.label("availability_zone"))
    .select_from(
        services.outerjoin(availability_zones, availability_zones.c.id == _c.availability_zone_id)
    )
    .where(_c.deleted == 0)
    .order_by(_c.host, _c.binary)
)


def get_service(connection: Connection, host: str, binary: str = BINARY) -> Record | None:
    """Return the service's row, or None before its first :func:`register`."""
    row = connection.execute(_GET, {"b_host": host, "b_binary": binary}).first()
    return None if row is None else Record.of(row)


def register(
    connection: Connection,
    host: str,
    zone: str,
    now: datetime.datetime,
    *,
    topic: str = "manila-share",
    binary: str = BINARY,
) -> Record:
    """Make the service's row, and the availability zone of that name, where they are missing.

    Keeps ``disabled`` and the count of an existing row. A second row of two workers that start in
    the same moment does no harm: both are kept alive, as Manila's own would be.
    """
    zone_id = types.ensure_zone(connection, zone, now)
    this = {"b_host": host, "b_binary": binary}
    if connection.execute(_SET_ZONE, {**this, "b_zone": zone_id}).rowcount == 0:
        connection.execute(
            services.insert().values(
                host=host,
                binary=binary,
                topic=topic,
                state=UP,
                report_count=0,
                disabled=False,
                ensuring=False,
                availability_zone_id=zone_id,
                created_at=now,
                deleted=0,
            )
        )
    connection.execute(_BEAT, {**this, "b_now": now})
    registered = get_service(connection, host, binary)
    assert registered is not None
    return registered


def beat(host: str, now: datetime.datetime, binary: str = BINARY) -> list[Write]:
    """Give a sign of life: report_count and updated_at move on."""
    return [Write(_BEAT, {"b_host": host, "b_binary": binary, "b_now": now})]


def stopped(host: str, now: datetime.datetime, binary: str = BINARY) -> list[Write]:
    """Say that the service was stopped on purpose."""
    parameters = {"b_host": host, "b_binary": binary, "b_now": now, "b_state": STOPPED}
    return [Write(_SET_STATE, parameters)]


def ensuring(host: str, is_ensuring: bool, binary: str = BINARY) -> list[Write]:
    """Say whether the back end's shares are being ensured."""
    return [Write(_SET_ENSURING, {"b_host": host, "b_binary": binary, "b_ensuring": is_ensuring})]


def list_services(
    connection: Connection, now: datetime.datetime, down_time: float, binary: str | None = None
) -> list[Record]:
    """Return the services with ``is_up``: reported within the last down_time seconds."""
    statement = _LIST if binary is None else _LIST.where(_c.binary == binary)
    alive = _alive_since(now - datetime.timedelta(seconds=down_time))
    return [Record.of(row).merged({"is_up": alive(row)}) for row in connection.execute(statement)]


def _alive_since(limit: datetime.datetime) -> Callable[[Any], bool]:
    def is_alive(row: Any) -> bool:
        last = row.updated_at or row.created_at
        return row.state != STOPPED and last is not None and bool(last >= limit)

    return is_alive
