# SPDX-License-Identifier: Apache-2.0
"""Share networks, their subnets and security services: making, listing, removing.

What drivers get of them is read in :mod:`manila_lite.db.server_networks`. Functions that refuse
something raise Conflict's relatives, and have written nothing then.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception, server_states
from manila_lite.db import share_servers as server_rows
from manila_lite.db.models import (
    availability_zones,
    security_services,
    share_groups,
    share_instances,
    share_network_security_service_association,
    share_network_subnet_metadata,
    share_network_subnets,
    share_networks,
    share_server_share_network_subnet_mappings,
    share_servers,
)
from manila_lite.db.records import Record

MAX_TEXT = 255
MAX_ADDRESS = 64

_k = share_networks.c
_n = share_network_subnets.c
_v = security_services.c
_l = share_network_security_service_association.c
_p = share_network_subnet_metadata.c
_m = share_server_share_network_subnet_mappings.c
_s = share_servers.c
_z = availability_zones.c

_NETWORKS = (
    sa.select(
        *share_networks.columns,
        sa.select(sa.func.count())
        .where(_n.share_network_id == _k.id, _n.deleted == "False")
        .scalar_subquery()
        .label("subnets"),
    )
    .where(_k.deleted == "False")
    .order_by(_k.created_at.desc(), _k.id)
)
_SUBNETS = (
    sa.select(*share_network_subnets.columns, _z.name.label("availability_zone"))
    .outerjoin(availability_zones, _z.id == _n.availability_zone_id)
    .where(_n.share_network_id == sa.bindparam("network_id"), _n.deleted == "False")
    .order_by(_n.created_at, _n.id)
)
_SERVICES = (
    sa.select(*[column for column in security_services.columns if column.name != "password"])
    .where(_v.deleted == "False")
    .order_by(_v.created_at.desc(), _v.id)
)
_NETWORKS_OF_SERVICE = sa.select(_l.share_network_id).where(
    _l.security_service_id == sa.bindparam("service_id"), _l.deleted == 0
)
_LINKED = sa.select(_v.id, _v.type, _v.name).where(
    _l.security_service_id == _v.id,
    _l.share_network_id == sa.bindparam("network_id"),
    _l.deleted == 0,
    _v.deleted == "False",
)
_SERVERS_ON = (
    sa.select(_m.share_server_id)
    .join(share_servers, _s.id == _m.share_server_id)
    .where(
        _m.share_network_subnet_id == sa.bindparam("subnet_id"),
        _m.deleted == 0,
        _s.deleted == "False",
    )
    .distinct()
)
_USERS = {
    "shares": sa.select(share_instances.c.id).where(
        share_instances.c.share_network_id == sa.bindparam("network_id"),
        share_instances.c.deleted == "False",
    ),
    "share groups": sa.select(share_groups.c.id).where(
        share_groups.c.share_network_id == sa.bindparam("network_id"),
        share_groups.c.deleted == "False",
    ),
}
_ZONE = sa.select(_z.id).where(_z.name == sa.bindparam("name"), _z.deleted == "False")
_DELETE_NETWORK = (
    share_networks.update()
    .where(_k.id == sa.bindparam("b_id"), _k.deleted == "False")
    .values(deleted=_k.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_SUBNET = (
    share_network_subnets.update()
    .where(_n.id == sa.bindparam("b_id"), _n.deleted == "False")
    .values(deleted=_n.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_SUBNET_METADATA = (
    share_network_subnet_metadata.update()
    .where(_p.share_network_subnet_id == sa.bindparam("b_id"), _p.deleted == "False")
    .values(deleted=sa.cast(_p.id, sa.String(36)), deleted_at=sa.bindparam("b_now"))
)
_DELETE_SERVICE = (
    security_services.update()
    .where(_v.id == sa.bindparam("b_id"), _v.deleted == "False")
    .values(deleted=_v.id, deleted_at=sa.bindparam("b_now"))
)
_UNLINK = (
    share_network_security_service_association.update()
    .where(_l.share_network_id == sa.bindparam("b_network_id"), _l.deleted == 0)
    .values(deleted=_l.id, deleted_at=sa.bindparam("b_now"))
)
_UNLINK_ONE = _UNLINK.where(_l.security_service_id == sa.bindparam("b_service_id"))
_DESCRIBED = ("network_type", "segmentation_id", "cidr", "gateway", "mtu", "ip_version")
_NEUTRON = ("neutron_net_id", "neutron_subnet_id")


class InUse(exception.Conflict):
    """Something stands on what is to be removed or changed."""

    message = "%(what)s is in use by %(users)s"


def new_network(
    connection: Connection,
    now: datetime.datetime,
    *,
    project_id: str,
    user_id: str | None,
    name: str | None = None,
    description: str | None = None,
) -> str:
    """Insert a share network without subnets and return its id."""
    row = {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "user_id": user_id or "",
        "name": name,
        "description": description,
        "status": server_states.NETWORK_ACTIVE,
        "created_at": now,
        "deleted": "False",
    }
    connection.execute(share_networks.insert(), row)
    return str(row["id"])


def list_networks(connection: Connection, project_id: str | None = None) -> list[Record]:
    """Return living share networks with the number of their ``subnets``, the newest first."""
    query = _NETWORKS if project_id is None else _NETWORKS.where(_k.project_id == project_id)
    return Record.all(connection.execute(query))


def delete_network(connection: Connection, network_id: str, now: datetime.datetime) -> None:
    """Delete a share network with its subnets; its security services stay, without it.

    Raises InUse where a share, a share group or a share server is on it.
    """
    subnets = [subnet["id"] for subnet in list_subnets(connection, network_id)]
    server_rows.lock_subnets(connection, subnets)
    what = f"Share network {network_id}"
    for kind, query in _USERS.items():
        users = connection.execute(query, {"network_id": network_id}).scalars().all()
        if users:
            raise InUse(what=what, users=_some(kind, users))
    for subnet_id in subnets:
        delete_subnet(connection, subnet_id, now)
    connection.execute(_UNLINK, {"b_network_id": network_id, "b_now": now})
    connection.execute(_DELETE_NETWORK, {"b_id": network_id, "b_now": now})


def new_subnet(
    connection: Connection,
    now: datetime.datetime,
    *,
    network_id: str,
    zone_id: str | None = None,
    neutron_net_id: str | None = None,
    neutron_subnet_id: str | None = None,
) -> str:
    """Insert a subnet and return its id. zone_id: an availability zone; None: for all zones."""
    row = {
        "id": str(uuid.uuid4()),
        "share_network_id": network_id,
        "availability_zone_id": zone_id,
        "neutron_net_id": neutron_net_id,
        "neutron_subnet_id": neutron_subnet_id,
        "created_at": now,
        "deleted": "False",
    }
    connection.execute(share_network_subnets.insert(), row)
    return str(row["id"])


def zone_id(connection: Connection, name: str) -> str | None:
    """Return the id of the availability zone of that name, or None."""
    found: str | None = connection.execute(_ZONE, {"name": name}).scalar()
    return found


def list_subnets(connection: Connection, network_id: str) -> list[Record]:
    """Return a network's living subnets, oldest first, with the name of their zone."""
    return Record.all(connection.execute(_SUBNETS, {"network_id": network_id}))


def describe_subnet(
    connection: Connection, subnet_id: str, columns: Mapping[str, Any], now: datetime.datetime
) -> None:
    """Keep what a network plugin knows of a subnet; columns that are no such are left out."""
    known = {key: columns[key] for key in (*_DESCRIBED, *_NEUTRON) if key in columns}
    connection.execute(
        share_network_subnets.update()
        .where(_n.id == subnet_id, _n.deleted == "False")
        .values(**known, updated_at=now)
    )


def delete_subnet(connection: Connection, subnet_id: str, now: datetime.datetime) -> None:
    """Delete a subnet with its metadata. Raises InUse where a share server is on it."""
    server_rows.lock_subnets(connection, [subnet_id])
    servers = connection.execute(_SERVERS_ON, {"subnet_id": subnet_id}).scalars().all()
    if servers:
        what = f"Share network subnet {subnet_id}"
        raise InUse(what=what, users=_some("share servers", servers))
    for statement in (_DELETE_SUBNET_METADATA, _DELETE_SUBNET):
        connection.execute(statement, {"b_id": subnet_id, "b_now": now})


def new_security_service(
    connection: Connection, now: datetime.datetime, *, project_id: str, kind: str, **columns: Any
) -> str:
    """Insert a security service and return its id.

    kind: one of server_states.SECURITY_SERVICE_TYPES. Raises Invalid for another one, and for
    values that are too long for the table; they are not shown, as they may be secrets.
    """
    if kind not in server_states.SECURITY_SERVICE_TYPES:
        known = ", ".join(sorted(server_states.SECURITY_SERVICE_TYPES))
        raise exception.Invalid(f"Security service type '{kind}' is none of: {known}.")
    for name, value in columns.items():
        most = MAX_ADDRESS if name == "dns_ip" else MAX_TEXT
        if value is not None and len(value) > most:
            raise exception.Invalid(f"{name} of a security service has more than {most} letters.")
    row = {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "type": kind,
        "created_at": now,
        "deleted": "False",
        **columns,
    }
    connection.execute(security_services.insert(), row)
    return str(row["id"])


def list_security_services(connection: Connection, project_id: str | None = None) -> list[Record]:
    """Return living security services without their passwords, the newest first."""
    query = _SERVICES if project_id is None else _SERVICES.where(_v.project_id == project_id)
    return Record.all(connection.execute(query))


def networks_of_service(connection: Connection, service_id: str) -> list[str]:
    """Return the ids of the share networks that a security service is attached to."""
    return list(connection.execute(_NETWORKS_OF_SERVICE, {"service_id": service_id}).scalars())


def delete_security_service(
    connection: Connection, service_id: str, now: datetime.datetime
) -> None:
    """Delete a security service. Raises InUse where it is attached to a share network."""
    networks = networks_of_service(connection, service_id)
    if networks:
        what = f"Security service {service_id}"
        raise InUse(what=what, users=_some("share networks", networks))
    connection.execute(_DELETE_SERVICE, {"b_id": service_id, "b_now": now})


def attach(
    connection: Connection, network_id: str, service: Mapping[str, Any], now: datetime.datetime
) -> None:
    """Attach a security service to a share network; one that is attached already is no matter.

    Raises InUse where the network has one of the type, or share servers that would not notice.
    """
    linked = Record.all(connection.execute(_LINKED, {"network_id": network_id}))
    if any(other["id"] == service["id"] for other in linked):
        return
    same = [other["id"] for other in linked if other["type"] == service["type"]]
    if same:
        what = f"The place for type {service['type']} of share network {network_id}"
        raise InUse(what=what, users=_some("security services", same))
    _refuse_servers(connection, network_id)
    row = {
        "share_network_id": network_id,
        "security_service_id": service["id"],
        "created_at": now,
        "deleted": 0,
    }
    connection.execute(share_network_security_service_association.insert(), row)


def detach(
    connection: Connection, network_id: str, service_id: str, now: datetime.datetime
) -> bool:
    """Detach a security service from a share network; False where it is not attached.

    Raises InUse where the network has share servers, which would not notice.
    """
    if network_id not in networks_of_service(connection, service_id):
        return False
    _refuse_servers(connection, network_id)
    values = {"b_network_id": network_id, "b_service_id": service_id, "b_now": now}
    connection.execute(_UNLINK_ONE, values)
    return True


def _refuse_servers(connection: Connection, network_id: str) -> None:
    subnets = [subnet["id"] for subnet in list_subnets(connection, network_id)]
    server_rows.lock_subnets(connection, subnets)
    for subnet_id in subnets:
        servers = connection.execute(_SERVERS_ON, {"subnet_id": subnet_id}).scalars().all()
        if servers:
            what = f"Share network {network_id}"
            raise InUse(what=what, users=_some("share servers", servers))


def _some(kind: str, ids: Any, most: int = 3) -> str:
    rest = f" and {len(ids) - most} more" if len(ids) > most else ""
    return f"{kind} {', '.join(ids[:most])}{rest}"
