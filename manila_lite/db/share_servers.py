# SPDX-License-Identifier: Apache-2.0
"""Share servers: reading.

A server is read as drivers know it: its columns, ``backend_details`` (a dict of texts),
``network_allocations``, and, from its subnets, ``share_network_subnets``,
``share_network_subnet_ids``, ``share_network_id`` and ``project_id``.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import server_states as states
from manila_lite.db.models import (
    network_allocations,
    share_groups,
    share_instances,
    share_network_subnets,
    share_networks,
    share_server_backend_details,
    share_server_share_network_subnet_mappings,
    share_servers,
    share_snapshot_instances,
    share_snapshots,
    shares,
)
from manila_lite.db.records import Record

_s = share_servers.c
_d = share_server_backend_details.c
_m = share_server_share_network_subnet_mappings.c
_n = share_network_subnets.c
_a = network_allocations.c
_i = share_instances.c
_g = share_groups.c

_LIVE = sa.select(*share_servers.columns).where(_s.deleted == "False")
_BY_IDS = _LIVE.where(_s.id.in_(sa.bindparam("ids", expanding=True))).order_by(_s.created_at, _s.id)
_DETAILS = (
    sa.select(_d.share_server_id, _d.key, _d.value)
    .where(_d.share_server_id.in_(sa.bindparam("ids", expanding=True)), _d.deleted == "False")
    .order_by(_d.id)
)
_ALLOCATIONS = (
    sa.select(*network_allocations.columns)
    .where(_a.share_server_id.in_(sa.bindparam("ids", expanding=True)), _a.deleted == "False")
    .order_by(_a.created_at, _a.id)
)
_SUBNETS = (
    sa.select(
        _m.share_server_id.label("of_server"),
        share_networks.c.project_id.label("of_project"),
        *share_network_subnets.columns,
    )
    .select_from(
        share_server_share_network_subnet_mappings.join(
            share_network_subnets, _n.id == _m.share_network_subnet_id
        ).outerjoin(share_networks, share_networks.c.id == _n.share_network_id)
    )
    .where(_m.share_server_id.in_(sa.bindparam("ids", expanding=True)), _m.deleted == 0)
    .order_by(_m.id)
)
_ON_SUBNET = (
    sa.select(_s.id)
    .join(share_server_share_network_subnet_mappings, _m.share_server_id == _s.id)
    .where(
        _m.share_network_subnet_id == sa.bindparam("subnet_id"),
        _m.deleted == 0,
        _s.host == sa.bindparam("host"),
        _s.deleted == "False",
        _s.status.in_([states.ACTIVE, states.CREATING]),
    )
    .distinct()
)
_OF_NETWORK = (
    sa.select(_s.id)
    .join(share_server_share_network_subnet_mappings, _m.share_server_id == _s.id)
    .join(share_network_subnets, _n.id == _m.share_network_subnet_id)
    .where(
        _n.share_network_id == sa.bindparam("network_id"), _m.deleted == 0, _s.deleted == "False"
    )
    .distinct()
)
_OTHER_ID = sa.select(_i.id).where(_i.share_server_id == _s.id, _i.deleted == "False")
_GROUP_ID = sa.select(_g.id).where(_g.share_server_id == _s.id, _g.deleted == "False")
_USERS = (_OTHER_ID.exists(), _GROUP_ID.exists())
_IS_USED = sa.select(sa.or_(*_USERS)).where(_s.id == sa.bindparam("server_id"))
_UNUSED = (
    sa.select(_s.id)
    .where(
        _s.host == sa.bindparam("host"),
        _s.deleted == "False",
        _s.is_auto_deletable == sa.true(),
        _s.status.in_([states.ACTIVE, states.INACTIVE, states.ERROR]),
        sa.func.coalesce(_s.updated_at, _s.created_at) < sa.bindparam("before"),
        ~_USERS[0],
        ~_USERS[1],
    )
    .order_by(_s.id)
)
_SHARES_ON = (
    sa.select(_i.share_server_id, sa.func.count(), sa.func.sum(shares.c.size))
    .join(shares, shares.c.id == _i.share_id)
    .where(_i.share_server_id.in_(sa.bindparam("ids", expanding=True)), _i.deleted == "False")
    .group_by(_i.share_server_id)
)
_SNAPSHOTS_ON = (
    sa.select(_i.share_server_id, sa.func.sum(share_snapshots.c.size))
    .join(share_snapshot_instances, share_snapshot_instances.c.share_instance_id == _i.id)
    .join(share_snapshots, share_snapshots.c.id == share_snapshot_instances.c.snapshot_id)
    .where(
        _i.share_server_id.in_(sa.bindparam("ids", expanding=True)),
        _i.deleted == "False",
        share_snapshot_instances.c.deleted == "False",
    )
    .group_by(_i.share_server_id)
)
_LOCK = (
    sa.select(_s.id, _s.status)
    .where(_s.id == sa.bindparam("server_id"), _s.deleted == "False")
    .with_for_update()
)
_LOCK_SUBNETS = (
    sa.select(_n.id, _n.deleted)
    .where(_n.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_n.id)
    .with_for_update()
)


def get_server(connection: Connection, server_id: str) -> Record | None:
    """Return a living share server as drivers know it, or None."""
    return get_servers(connection, [server_id]).get(server_id)


def get_servers(connection: Connection, ids: Iterable[str]) -> dict[str, Record]:
    """Return {id: living share server} in the order in which they were made."""
    wanted = {"ids": sorted(set(ids))}
    if not wanted["ids"]:
        return {}
    servers = {row.id: Record.of(row) for row in connection.execute(_BY_IDS, wanted)}
    for server in servers.values():
        server["backend_details"] = {}
        server["network_allocations"] = []
        _on_subnets(server, [])
    if not servers:
        return servers
    for row in connection.execute(_DETAILS, wanted):
        if row.share_server_id in servers:
            servers[row.share_server_id]["backend_details"][row.key] = row.value
    for row in connection.execute(_ALLOCATIONS, wanted):
        if row.share_server_id in servers:
            servers[row.share_server_id]["network_allocations"].append(Record.of(row))
    subnets: dict[str, list[Record]] = {}
    for row in connection.execute(_SUBNETS, wanted):
        subnets.setdefault(row.of_server, []).append(Record.of(row))
    for server_id, found in subnets.items():
        if server_id in servers:
            _on_subnets(servers[server_id], found)
    return servers


def _on_subnets(server: Record, subnets: list[Record]) -> None:
    first = subnets[0] if subnets else Record(share_network_id=None, of_project=None)
    server["share_network_id"] = first["share_network_id"]
    server["project_id"] = first["of_project"]
    for subnet in subnets:
        del subnet["of_server"], subnet["of_project"]
    server["share_network_subnets"] = subnets
    ids = server["share_network_subnet_ids"] = [subnet["id"] for subnet in subnets]
    # Drivers from before a server could be on several.
    server["share_network_subnet_id"] = ids[0] if ids else None


def attach(connection: Connection, instances: Sequence[Record]) -> None:
    """Give share instances their ``share_server``, with no SELECT where none has one."""
    ids = {i["share_server_id"] for i in instances if i["share_server_id"] is not None}
    servers = get_servers(connection, ids)
    for instance in instances:
        instance["share_server"] = servers.get(instance["share_server_id"])


def usable_on_subnet(connection: Connection, host: str, subnet_id: str) -> dict[str, Record]:
    """Return {id: server} of the host's servers on a subnet that are active or being created.

    host: 'host@backend', as servers show it.
    """
    ids = connection.execute(_ON_SUBNET, {"host": host, "subnet_id": subnet_id}).scalars().all()
    return get_servers(connection, ids)


def of_network(
    connection: Connection, network_id: str, host: str | None = None
) -> dict[str, Record]:
    """Return {id: server} of the share network's servers, of one host where it is given."""
    ids = connection.execute(_OF_NETWORK, {"network_id": network_id}).scalars().all()
    found = get_servers(connection, ids)
    return {key: s for key, s in found.items() if host is None or s["host"] == host}


def list_servers(
    connection: Connection, *, host: str | None = None, statuses: Collection[str] | None = None
) -> list[Record]:
    """Return living share servers, oldest first; each filter that is not None must match."""
    query = sa.select(_s.id).where(_s.deleted == "False")
    if host is not None:
        query = query.where(_s.host == host)
    if statuses is not None:
        query = query.where(_s.status.in_(sorted(statuses)))
    return list(get_servers(connection, connection.execute(query).scalars().all()).values())


def is_used(connection: Connection, server_id: str) -> bool:
    """Whether a living share instance or share group is on the server."""
    return bool(connection.execute(_IS_USED, {"server_id": server_id}).scalar())


def load_of(connection: Connection, ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return {server id: (shares on it, GiB of these and of their snapshots)}; 0 are left out."""
    wanted = {"ids": sorted(ids)}
    found = {
        row[0]: (int(row[1]), int(row[2] or 0)) for row in connection.execute(_SHARES_ON, wanted)
    }
    for server_id, size in connection.execute(_SNAPSHOTS_ON, wanted):
        number, sizes = found[server_id]
        found[server_id] = (number, sizes + int(size or 0))
    return found


def unused(connection: Connection, host: str, before: datetime.datetime) -> list[str]:
    """Return the ids of the host's servers that may go: with nothing on them since that time."""
    return list(connection.execute(_UNUSED, {"host": host, "before": before}).scalars())


def lock(connection: Connection, server_id: str) -> str | None:
    """Lock a living server's row until the transaction ends; return its status, None if gone."""
    row = connection.execute(_LOCK, {"server_id": server_id}).first()
    return None if row is None else str(row.status)


def lock_subnets(connection: Connection, subnet_ids: Collection[str]) -> set[str]:
    """Lock the rows of subnets, and return the ids of those that live.

    Of two transactions that make servers on them, or delete them, one waits.
    """
    rows = connection.execute(_LOCK_SUBNETS, {"ids": sorted(subnet_ids)}).all()
    return {row.id for row in rows if row.deleted == "False"}


def allocations_of(
    server: Mapping[str, Any], label: str, subnet_id: str | None = None
) -> list[Record]:
    """Return those of a server's allocations that have the label ("user" or "admin").

    subnet_id: only those on that subnet; one that names no subnet counts as on each of them.
    """
    return [
        allocation
        for allocation in server["network_allocations"]
        if (allocation["label"] or "user") == label
        and (subnet_id is None or allocation["share_network_subnet_id"] in (None, subnet_id))
    ]
