# SPDX-License-Identifier: Apache-2.0
"""What share servers are made on: share networks with their subnets and security services."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import (
    security_services,
    share_network_security_service_association,
    share_network_subnet_metadata,
    share_network_subnets,
    share_networks,
)
from manila_lite.db.records import Record

_k = share_networks.c
_n = share_network_subnets.c
_v = security_services.c
_l = share_network_security_service_association.c
_p = share_network_subnet_metadata.c

_NETWORK = sa.select(*share_networks.columns).where(
    _k.id == sa.bindparam("network_id"), _k.deleted == "False"
)
_SUBNETS = (
    sa.select(*share_network_subnets.columns)
    .where(_n.share_network_id == sa.bindparam("network_id"), _n.deleted == "False")
    .order_by(_n.created_at, _n.id)
)
_SERVICES = (
    sa.select(*security_services.columns)
    .join(
        share_network_security_service_association,
        _l.security_service_id == _v.id,
    )
    .where(
        _l.share_network_id == sa.bindparam("network_id"), _l.deleted == 0, _v.deleted == "False"
    )
    .order_by(_l.id)
)
_SERVICE = sa.select(*security_services.columns).where(
    _v.id == sa.bindparam("service_id"), _v.deleted == "False"
)
_METADATA = sa.select(_p.share_network_subnet_id, _p.key, _p.value).where(
    _p.share_network_subnet_id.in_(sa.bindparam("ids", expanding=True)), _p.deleted == "False"
)


def get_network(connection: Connection, network_id: str) -> Record | None:
    """Return a share network with ``security_services`` and ``share_network_subnets``, or None.

    Security services hold passwords: they go to the driver and nowhere else.
    """
    row = connection.execute(_NETWORK, {"network_id": network_id}).first()
    if row is None:
        return None
    services = Record.all(connection.execute(_SERVICES, {"network_id": network_id}))
    subnets = _subnets(connection, network_id)
    return Record.of(row).merged({"security_services": services, "share_network_subnets": subnets})


def subnets_in_zone(
    connection: Connection, network_id: str, zone_id: str | None, *, or_default: bool = True
) -> list[Record]:
    """Return a network's subnets in an availability zone, oldest first.

    Where it has none there, its default subnets, unless or_default is false.
    """
    found = _subnets(connection, network_id)
    here = [subnet for subnet in found if subnet["availability_zone_id"] == zone_id]
    if here or not or_default:
        return here
    return [subnet for subnet in found if subnet["availability_zone_id"] is None]


def _subnets(connection: Connection, network_id: str) -> list[Record]:
    return Record.all(connection.execute(_SUBNETS, {"network_id": network_id}))


def with_metadata(connection: Connection, subnets: Sequence[Record]) -> Sequence[Record]:
    """Give subnets their ``subnet_metadata``, a dict of texts, with one SELECT."""
    for subnet in subnets:
        subnet["subnet_metadata"] = {}
    by_id = {subnet["id"]: subnet for subnet in subnets}
    for row in connection.execute(_METADATA, {"ids": list(by_id)}) if by_id else ():
        by_id[row.share_network_subnet_id]["subnet_metadata"][row.key] = row.value
    return subnets


def get_security_service(connection: Connection, service_id: str) -> Record | None:
    """Return a security service with its password, or None."""
    row = connection.execute(_SERVICE, {"service_id": service_id}).first()
    return None if row is None else Record.of(row)
