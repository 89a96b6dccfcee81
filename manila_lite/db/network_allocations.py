# SPDX-License-Identifier: Apache-2.0
"""network_allocations: which share server has which address.

Manila's table has no unique key on addresses: whoever gives them out holds locks.ADDRESSES from
before the first look until the transaction ends.
"""

from __future__ import annotations

import datetime
import ipaddress
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.db import locks
from manila_lite.db.models import network_allocations as table
from manila_lite.db.records import Record

DEFAULT_LABEL = "user"

_a = table.c
_LIVE = sa.select(*table.columns).where(_a.deleted == "False")
_OF_SERVER = (
    _LIVE.where(
        _a.share_server_id == sa.bindparam("server_id"),
        sa.func.coalesce(_a.label, DEFAULT_LABEL) == sa.bindparam("label"),
    ).order_by(_a.created_at, _a.id)
)  # fmt: skip
_BY_ID = sa.select(*table.columns).where(_a.id == sa.bindparam("allocation_id"))
_TAKEN = sa.select(_a.ip_address, _a.share_server_id).where(
    _a.deleted == "False", _a.ip_address.is_not(None)
)
_INSERT = table.insert()
_REVIVE = table.update().where(_a.id == sa.bindparam("b_id"), _a.deleted != "False")
_DELETE = (
    table.update()
    .where(_a.id == sa.bindparam("b_id"), _a.deleted == "False")
    .values(deleted=_a.id, deleted_at=sa.bindparam("b_now"))
)


def of_server(
    connection: Connection,
    server_id: str,
    label: str = DEFAULT_LABEL,
    subnet_id: str | None = None,
) -> list[Record]:
    """Return a share server's living allocations with the label, oldest first.

    subnet_id: only those on that subnet; one that names no subnet counts as on each of them.
    """
    values = {"server_id": server_id, "label": label}
    found = Record.all(connection.execute(_OF_SERVER, values))
    if subnet_id is None:
        return found
    return [row for row in found if row["share_network_subnet_id"] in (None, subnet_id)]


def allocate(
    connection: Connection,
    now: datetime.datetime,
    *,
    server_id: str,
    label: str,
    subnet_id: str | None,
    count: int,
    network: str,
    candidates: Iterable[str],
    columns: Mapping[str, Any],
) -> list[Record]:
    """Return ``count`` addresses of a share server: those that it has, and new ones as needed.

    network: how errors call it. candidates: addresses in the order of preference; only so many
    are asked for as it takes. columns: what else the new rows say. Raises NetworkExhausted, and
    writes nothing then.
    """
    locks.take(connection, locks.ADDRESSES)
    found = of_server(connection, server_id, label, subnet_id)
    if len(found) >= count:
        return found[:count]
    wanted = count - len(found)
    free = _free(connection, candidates, wanted)
    if len(free) < wanted:
        raise exception.NetworkExhausted(network=network, wanted=wanted, available=len(free))
    place = {"share_server_id": server_id, "label": label, "share_network_subnet_id": subnet_id}
    return found + [
        add(connection, now, {**columns, **place, "ip_address": address}) for address in free
    ]


def _free(connection: Connection, candidates: Iterable[str], wanted: int) -> list[str]:
    taken = taken_addresses(connection)
    free: list[str] = []
    for address in candidates:
        if address not in taken:
            free.append(address)
            if len(free) == wanted:
                break
    return free


def taken_addresses(connection: Connection) -> dict[str, str]:
    """Return {address in its usual form: share server} of all living allocations."""
    return {usual(row.ip_address): row.share_server_id for row in connection.execute(_TAKEN)}


def usual(address: str) -> str:
    """Return an address in the form in which it is compared; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def claim(
    connection: Connection,
    now: datetime.datetime,
    *,
    server_id: str,
    label: str,
    subnet_id: str | None,
    addresses: Sequence[str],
    columns: Mapping[str, Any],
) -> None:
    """Note that a share server has these very addresses; those that it has already are no matter.

    Raises IPAddressInUse for one that another server has, and writes nothing then.
    """
    locks.take(connection, locks.ADDRESSES)
    taken = taken_addresses(connection)
    place = {"share_server_id": server_id, "label": label, "share_network_subnet_id": subnet_id}
    for address in map(usual, addresses):
        owner = taken.get(address)
        if owner not in (None, server_id):
            raise exception.IPAddressInUse(ip=address)
        if owner is None:
            add(connection, now, {**columns, **place, "ip_address": address})


def add(connection: Connection, now: datetime.datetime, values: Mapping[str, Any]) -> Record:
    """Insert an allocation and return it; a deleted row of the same id comes back to life.

    values: columns of the table. Without an id it gets a new one; with one that is alive already
    nothing is written.
    """
    row = {
        **dict.fromkeys(table.columns.keys()),
        "created_at": now,
        **values,
        "deleted": "False",
    }
    row["id"] = row["id"] or str(uuid.uuid4())
    old = connection.execute(_BY_ID, {"allocation_id": row["id"]}).first()
    if old is None:
        connection.execute(_INSERT, row)
    elif old.deleted == "False":
        return Record.of(old)
    else:
        connection.execute(_REVIVE.values(row), {"b_id": row["id"]})
    return Record(row)


def get(connection: Connection, allocation_id: str) -> Record | None:
    """Return a living allocation, or None."""
    row = connection.execute(_BY_ID, {"allocation_id": allocation_id}).first()
    return None if row is None or row.deleted != "False" else Record.of(row)


def delete(connection: Connection, ids: Iterable[str], now: datetime.datetime) -> None:
    """Mark allocations as deleted: their addresses are free from then on."""
    for allocation_id in sorted(ids):
        connection.execute(_DELETE, {"b_id": allocation_id, "b_now": now})
