# SPDX-License-Identifier: Apache-2.0
"""Finding share servers, and the subnets that they are on, as people name them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.lookup import SHORTEST_PREFIX
from manila_lite.db import server_networks
from manila_lite.db import share_servers as server_rows
from manila_lite.db.models import (
    share_groups,
    share_instances,
    share_networks,
    share_servers,
)
from manila_lite.db.records import Record

_s = share_servers.c
_i = share_instances.c
_g = share_groups.c


def server(connection: Connection, id_or_beginning: str) -> Record:
    """The share server of this id, or of this beginning of an id.

    Raises ShareServerNotFound; Refused when several fit.
    """
    found = _find(connection, share_servers, id_or_beginning, "share server")
    record = server_rows.get_server(connection, found) if found else None
    if record is None:
        raise exception.ShareServerNotFound(share_server_id=id_or_beginning)
    record["shares"], record["share_groups"] = _users(connection, record["id"])
    return record


def network(connection: Connection, name_or_id: str) -> Record:
    """The share network of this id, name, or beginning of an id, with its subnets.

    Raises ShareNetworkNotFound; Refused when several fit.
    """
    found = _find(connection, share_networks, name_or_id, "share network", share_networks.c.name)
    record = server_networks.get_network(connection, found) if found else None
    if record is None:
        raise exception.ShareNetworkNotFound(share_network_id=name_or_id)
    return record


def _find(
    connection: Connection, table: sa.Table, text: str, kind: str, name: Any = None
) -> str | None:
    c = table.c
    conditions: list[Any] = [c.id == text]
    if name is not None:
        conditions.append(name == text)
    if len(text) >= SHORTEST_PREFIX:
        conditions.append(c.id.startswith(text, autoescape=True))
    for condition in conditions:
        query = sa.select(c.id).where(condition, c.deleted == "False").order_by(c.id).limit(2)
        ids = list(connection.execute(query).scalars())
        if len(ids) > 1:
            raise Refused(reason=f"more than one {kind} fits {text!r}: {', '.join(ids)}")
        if ids:
            return str(ids[0])
    return None


def server_list(
    connection: Connection, *, host: str | None, status: str | None, most: int
) -> list[Record]:
    """Living share servers, the newest first, with the number of shares on each."""
    count = (
        sa.select(sa.func.count())
        .where(_i.share_server_id == _s.id, _i.deleted == "False")
        .scalar_subquery()
    )
    query = (
        sa.select(_s.id, count.label("shares"))
        .where(_s.deleted == "False")
        .order_by(_s.created_at.desc(), _s.id)
        .limit(most)
    )
    if host is not None:
        query = query.where(_s.host == host.partition("#")[0])
    if status is not None:
        query = query.where(_s.status == status)
    counts = {row.id: row.shares for row in connection.execute(query)}
    found = server_rows.get_servers(connection, counts)
    return [found[key].merged({"share_count": counts[key]}) for key in counts if key in found]


def _users(connection: Connection, server_id: str) -> tuple[list[str], list[str]]:
    shares = sa.select(_i.share_id).where(_i.share_server_id == server_id, _i.deleted == "False")
    groups = sa.select(_g.id).where(_g.share_server_id == server_id, _g.deleted == "False")
    return (
        sorted(set(connection.execute(shares).scalars())),
        sorted(connection.execute(groups).scalars()),
    )
