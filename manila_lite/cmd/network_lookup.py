# SPDX-License-Identifier: Apache-2.0
"""Finding share networks, their subnets, and security services, as people name them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.lookup import SHORTEST_PREFIX
from manila_lite.cmd.server_lookup import network
from manila_lite.db import share_networks
from manila_lite.db.records import Record

__all__ = ["network", "network_view", "security_service", "service_view", "subnet", "zone_id"]

_SUBNET_KEYS = (
    "id", "share_network_id", "availability_zone", "neutron_net_id", "neutron_subnet_id",
    "network_type", "segmentation_id", "cidr", "gateway", "mtu", "ip_version", "created_at",
)  # fmt: skip
_SERVICE_KEYS = (
    "id", "name", "description", "type", "dns_ip", "server", "domain", "ou", "user",
    "default_ad_site", "project_id", "created_at",
)  # fmt: skip


def subnet(connection: Connection, network_id: str, id_or_beginning: str) -> Record:
    """The network's subnet of this id, or of this beginning of an id.

    Raises ShareNetworkSubnetNotFound; Refused when several fit.
    """
    found = [
        row
        for row in share_networks.list_subnets(connection, network_id)
        if _fits(row["id"], id_or_beginning)
    ]
    if not found:
        raise exception.ShareNetworkSubnetNotFound(share_network_subnet_id=id_or_beginning)
    return _only(found, "share network subnet", id_or_beginning)


def security_service(connection: Connection, name_or_id: str) -> Record:
    """The security service of this id, name, or beginning of an id, without its password.

    Raises SecurityServiceNotFound; Refused when several fit.
    """
    everything = share_networks.list_security_services(connection)
    for fits in (
        lambda row: row["id"] == name_or_id,
        lambda row: row["name"] == name_or_id,
        lambda row: _fits(row["id"], name_or_id),
    ):
        found = [row for row in everything if fits(row)]
        if found:
            return _only(found, "security service", name_or_id)
    raise exception.SecurityServiceNotFound(security_service_id=name_or_id)


def zone_id(connection: Connection, name: str | None) -> str | None:
    """The id of the availability zone of that name; None where none is asked for.

    Raises AvailabilityZoneNotFound: zones are made by the services that are in them.
    """
    if name is None:
        return None
    found = share_networks.zone_id(connection, name)
    if found is None:
        raise exception.AvailabilityZoneNotFound(id=name)
    return found


def network_view(connection: Connection, network_id: str) -> dict[str, Any]:
    """A share network as it is shown; the keys of ``--json`` do not change."""
    found = network(connection, network_id)
    return {
        "id": found["id"],
        "name": found["name"],
        "description": found["description"],
        "status": found["status"],
        "project_id": found["project_id"],
        "subnets": [
            {key: row[key] for key in _SUBNET_KEYS}
            for row in share_networks.list_subnets(connection, found["id"])
        ],
        "security_services": [
            {key: service[key] for key in ("id", "type", "name")}
            for service in found["security_services"]
        ],
        "created_at": found["created_at"],
    }


def service_view(connection: Connection, service: Record) -> dict[str, Any]:
    """A security service as it is shown: never with its password."""
    networks = share_networks.networks_of_service(connection, service["id"])
    return {**{key: service[key] for key in _SERVICE_KEYS}, "share_networks": networks}


def _fits(row_id: str, text: str) -> bool:
    return row_id == text or (len(text) >= SHORTEST_PREFIX and row_id.startswith(text))


def _only(found: list[Record], kind: str, text: str) -> Record:
    if len(found) > 1:
        ids = ", ".join(row["id"] for row in found)
        raise Refused(reason=f"more than one {kind} fits {text!r}: {ids}")
    return found[0]
