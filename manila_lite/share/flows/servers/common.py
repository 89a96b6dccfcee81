# SPDX-License-Identifier: Apache-2.0
"""What the flows of share servers have in common: reading, secrets in details, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import exception, jsontext, server_states
from manila_lite.db import server_networks, share_servers
from manila_lite.db.records import Record
from manila_lite.engine import Operation
from manila_lite.share.flows import common

SET_UP: Final = "_set_up_share_server"
DELETE_UNUSED: Final = "_delete_unused_share_server"
RECONCILE: Final = "_reconcile_share_server"
RECONCILE_CHANGE: Final = "_reconcile_share_network_change"

RESOURCE: Final = ("share_server", "share_server_id")
LANE: Final = "share_server:{share_server_id}"

_DETAIL: Final = "security_service_"
_SERVICE_COLUMNS: Final = (
    "name", "ou", "default_ad_site", "domain", "server", "dns_ip", "user", "type", "password",
)  # fmt: skip


def get_server(op: Operation, server_id: str) -> Record | None:
    """Return a share server with all that drivers know of it, or None."""
    return common.read(op, lambda connection: share_servers.get_server(connection, server_id))


def network_of(op: Operation, server: Mapping[str, Any]) -> Record:
    """Return the share network that a server is on.

    Raises NetworkBadConfigurationException for a server that is on none.
    """
    network_id = server["share_network_id"]
    if network_id is None:
        raise exception.NetworkBadConfigurationException(
            reason=f"share server {server['id']} has no share network subnet"
        )
    return get_network(op, network_id)


def get_network(op: Operation, network_id: str) -> Record:
    """Return a share network with its security services; raises ShareNetworkNotFound."""

    def work(connection: Connection) -> Record | None:
        return server_networks.get_network(connection, network_id)

    found = common.read(op, work)
    if found is None:
        raise exception.ShareNetworkNotFound(share_network_id=network_id)
    return found


def service_details(service: Mapping[str, Any]) -> dict[str, str]:
    """Return a security service as a server's details keep it, for a teardown without network."""
    kept = {name: service[name] for name in _SERVICE_COLUMNS}
    return {f"{_DETAIL}{service['type']}": jsontext.encode(kept)}


def services_of(details: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the security services that a server was set up with, from its details."""
    found = (details.get(_DETAIL + kind) for kind in server_states.SECURITY_SERVICE_TYPES)
    return [jsontext.decode(text) for text in found if text]


def release_addresses(driver: Any, context: Any, server_id: str) -> None:
    """Give the server's addresses back; those that are back already are no error."""
    driver.deallocate_network(context, server_id)
    if driver.admin_network_api is not None and driver.get_admin_network_allocations_number():
        driver.admin_network_api.deallocate_network(context, server_id)


def supports(driver: Any) -> dict[str, Any]:
    """Return what a new server's columns say of changes that its driver can make later."""
    names = (
        "security_service_update_support",
        "network_allocation_update_support",
        "share_replicas_migration_support",
    )
    return {name: bool(getattr(driver, name, False)) for name in names}
