# SPDX-License-Identifier: Apache-2.0
"""The standalone network plugin: addresses of one network that the configuration describes.

It needs no network service. It only keeps account of addresses, in the database, so that several
back ends, sections and processes may use one network; an address that any allocation has is never
given out a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from manila_lite.conf import network_standalone as options
from manila_lite.db.records import Record
from manila_lite.network.base import Model, NetworkBaseAPI
from manila_lite.network.pools import Pool

ADMIN = "admin"


class StandaloneNetworkPlugin(NetworkBaseAPI):
    """Gives out addresses from the pool of its section, the lowest free one first."""

    def __init__(
        self,
        config_group_name: str | None = None,
        label: str = "user",
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        """Raises NetworkBadConfigurationException for options that make no network."""
        super().__init__(config_group_name=config_group_name, label=label, conf=conf)
        self.section.add(options.OPTS)
        self.pool = Pool.from_section(self.section, super().enabled_ip_versions)

    @property
    def enabled_ip_versions(self) -> set[int]:
        """The IP version of the gateway: the network has one only."""
        return {self.pool.ip_version}

    def allocate_network(
        self,
        context: Any,
        share_server: Model,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
        **kwargs: Any,
    ) -> list[Record]:
        """Return kwargs["count"] (1) allocations of the server on the subnet.

        Those that it has already are counted, so a call may be repeated. Raises NetworkExhausted
        where too few addresses are free; the server has no more than before then.
        """
        subnet_id = self._describe(share_server["id"], share_network_subnet)
        return self.ledger.allocate(
            share_server["id"],
            self.label,
            subnet_id,
            count=int(kwargs.get("count", 1)),
            network=self._name,
            candidates=self.pool.candidates,
            columns=self.pool.columns(),
        )

    def deallocate_network(
        self,
        context: Any,
        share_server_id: str,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
    ) -> None:
        """Give back the server's addresses, with a subnet only those on it."""
        subnet_id = share_network_subnet["id"] if share_network_subnet else None
        self.ledger.forget(self.ledger.of_server(share_server_id, self.label, subnet_id))

    def manage_network_allocations(
        self,
        context: Any,
        allocations: Sequence[str],
        share_server: Model,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
    ) -> list[str]:
        """Take over those addresses that the network may give out; return the others.

        Raises IPAddressInUse for one that another share server has; none is taken over then.
        """
        subnet_id = self._describe(share_server["id"], share_network_subnet)
        ours = [address for address in allocations if self.pool.allows(address)]
        columns = self.pool.columns()
        self.ledger.claim(share_server["id"], self.label, subnet_id, ours, columns)
        return [address for address in allocations if address not in ours]

    def unmanage_network_allocations(self, context: Any, share_server_id: str) -> None:
        """Forget the server's addresses; the plugin may give them to others then."""
        self.deallocate_network(context, share_server_id)

    def include_network_info(self, share_network_subnet: dict[str, Any]) -> None:
        """Fill the subnet's dictionary with what the section says of the network."""
        share_network_subnet.update(self.pool.columns())

    def _describe(self, server_id: str, subnet: Model | None) -> str | None:
        """Keep in the subnet's row what the network is like; return its id, None for admins."""
        if self.label == ADMIN:
            return None
        subnet = self._verify_share_network(server_id, subnet)
        columns = self.pool.columns()
        if isinstance(subnet, dict):
            subnet.update(columns)
        self.ledger.describe_subnet(subnet["id"], columns)
        return str(subnet["id"])

    @property
    def _name(self) -> str:
        ranges = ", ".join(f"{part.first}-{part.last}" for part in self.pool.ranges)
        inside = f" ({ranges})" if ranges else ""
        return f"Network {self.pool.cidr}{inside} of section [{self.section.name or 'DEFAULT'}]"
