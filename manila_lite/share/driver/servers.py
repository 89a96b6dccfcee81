# SPDX-License-Identifier: Apache-2.0
"""Share servers and their networks, for drivers that handle share servers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from manila_lite import exception
from manila_lite.share.driver.base import DriverBase, Model, ShareServer

LOG = logging.getLogger(__name__)


class NetworkMethods(DriverBase):
    """Addresses for share servers, from the network plugins."""

    def get_network_allocations_number(self) -> int:
        """Return how many addresses a share server needs.

        0 where something else gives them out, as Nova does for servers that are virtual machines.
        """
        raise NotImplementedError

    def get_admin_network_allocations_number(self) -> int:
        """Return how many addresses on the administrators' network a share server needs."""
        return 0

    def update_network_allocation(self, context: Any, share_server: Model) -> None:
        """Let the network plugin know that the share server runs."""
        self.network_api.update_network_allocation(context, share_server)

    def update_admin_network_allocation(self, context: Any, share_server: Model) -> None:
        """Do the same for the administrators' network, where the driver uses one."""
        if self.get_admin_network_allocations_number() and self.admin_network_api:
            self.admin_network_api.update_network_allocation(context, share_server)

    def allocate_network(
        self,
        context: Any,
        share_server: Model,
        share_network: Model,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Allocate count addresses, or as many as the driver needs; 0 asks the plugin nothing."""
        count = self.get_network_allocations_number() if count is None else count
        if count:
            self.network_api.allocate_network(
                context, share_server, share_network, **{**kwargs, "count": count}
            )

    def allocate_admin_network(
        self, context: Any, share_server: Model, count: int | None = None, **kwargs: Any
    ) -> None:
        """Allocate addresses on the administrators' network, as allocate_network does.

        Raises NetworkBadConfigurationException where addresses are wanted and there is no plugin.
        """
        count = self.get_admin_network_allocations_number() if count is None else count
        if not count:
            return
        if not self.admin_network_api:
            raise exception.NetworkBadConfigurationException(
                reason="the driver needs an admin network, and admin_network_config_group is unset"
            )
        self.admin_network_api.allocate_network(context, share_server, **{**kwargs, "count": count})

    def deallocate_network(self, context: Any, share_server_id: str) -> None:
        """Give back the share server's addresses, if drivers like this one get any."""
        if self.get_network_allocations_number():
            self.network_api.deallocate_network(context, share_server_id)


class ServerMethods(DriverBase):
    """The life of a share server."""

    def choose_share_server_compatible_with_share(
        self,
        context: Any,
        share_servers: Sequence[Model],
        share: Model,
        snapshot: Model | None = None,
        share_group: Model | None = None,
    ) -> ShareServer:
        """Choose the share server for a new share; None: make a new one.

        A share of a group goes where its group is, any other to the first that is offered.
        """
        if share_group:
            wanted = share_group.get("share_server_id")
            return next((server for server in share_servers if server["id"] == wanted), None)
        return share_servers[0] if share_servers else None

    def choose_share_server_compatible_with_share_group(
        self,
        context: Any,
        share_servers: Sequence[Model],
        share_group_ref: Model,
        share_group_snapshot: Model | None = None,
    ) -> ShareServer:
        """Choose the share server for a new group, the first that is offered; None: a new one."""
        return share_servers[0] if share_servers else None

    def setup_server(self, *args: Any, **kwargs: Any) -> Any:
        """Make a share server with _setup_server; do nothing where there are none."""
        if self.driver_handles_share_servers:
            return self._setup_server(*args, **kwargs)
        LOG.debug("No share server is made: the driver does not handle share servers")
        return None

    def _setup_server(self, network_info: Any, metadata: Mapping[str, Any] | None = None) -> Any:
        """Make and configure a share server; return its details, a dictionary of text to keep.

        network_info: the allocations and networks. metadata: request_host, the host with pool for
        which the server is made. Details in an exception's detail_data["server_details"] are kept
        for the clean-up.
        """
        raise NotImplementedError

    def teardown_server(self, *args: Any, **kwargs: Any) -> Any:
        """Remove a share server with _teardown_server; do nothing where there are none."""
        if self.driver_handles_share_servers:
            return self._teardown_server(*args, **kwargs)
        LOG.debug("No share server is removed: the driver does not handle share servers")
        return None

    def _teardown_server(
        self, server_details: Mapping[str, Any], security_services: Sequence[Model] | None = None
    ) -> None:
        """Remove a share server with all that belongs to it."""
        raise NotImplementedError

    def get_share_server_pools(self, share_server: ShareServer) -> Sequence[Any]:
        """Return the pools that a share server uses."""
        return []

    def get_share_server_network_info(
        self,
        context: Any,
        share_server: Model,
        identifier: str,
        driver_options: Mapping[str, Any],
    ) -> Sequence[str]:
        """Return the IP addresses, as text, of a share server that is about to be managed.

        identifier: how the driver knows the server on the storage.
        """
        raise NotImplementedError

    def manage_server(
        self,
        context: Any,
        share_server: Model,
        identifier: str,
        driver_options: Mapping[str, Any],
    ) -> tuple[str, Mapping[str, Any]]:
        """Take over a share server; return its new identifier and its details to keep.

        Raises ManageShareServerError where it cannot be managed.
        """
        raise NotImplementedError

    def unmanage_server(
        self, server_details: Mapping[str, Any], security_services: Sequence[Model] | None = None
    ) -> None:
        """Forget a share server and leave it on the storage."""
        raise NotImplementedError
