# SPDX-License-Identifier: Apache-2.0
"""The interface of a network plugin."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import network as options
from manila_lite.conf import sections

Model = Mapping[str, Any]


class Ledger(Protocol):
    """Where plugins keep allocations; network.ledger.Ledger does it in the database."""

    def of_server(self, server_id: str, label: str, subnet_id: str | None = None) -> list[Any]: ...

    def allocate(
        self,
        server_id: str,
        label: str,
        subnet_id: str | None,
        *,
        count: int,
        network: str,
        candidates: Callable[[], Iterable[str]],
        columns: Mapping[str, Any],
    ) -> list[Any]: ...

    def claim(
        self,
        server_id: str,
        label: str,
        subnet_id: str | None,
        addresses: Sequence[str],
        columns: Mapping[str, Any],
    ) -> None: ...

    def add(self, values: Mapping[str, Any]) -> Any: ...

    def get(self, allocation_id: str) -> Any: ...

    def forget(self, allocations: Iterable[Mapping[str, Any]]) -> None: ...

    def describe_subnet(self, subnet_id: str, columns: Mapping[str, Any]) -> None: ...


class NetworkBaseAPI(abc.ABC):
    """What a network plugin does: give addresses to share servers, and take them back.

    Every method may raise NetworkException; a driver passes it on, and the share server goes to
    error.
    """

    def __init__(
        self,
        config_group_name: str | None = None,
        label: str = "user",
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        self.config_group_name = config_group_name
        self.label = label
        self.section = sections.Section(cfg.CONF if conf is None else conf, config_group_name)
        self.section.add(options.OPTS)
        self._ledger: Ledger | None = None

    def use_ledger(self, ledger: Ledger) -> None:
        """Say where allocations are kept; the service does so before the driver's set-up."""
        self._ledger = ledger

    @property
    def ledger(self) -> Ledger:
        """Where allocations are kept. Raises NetworkException as long as nobody has said so."""
        if self._ledger is None:
            raise exception.NetworkException("The network plugin is not connected to a database.")
        return self._ledger

    @property
    def enabled_ip_versions(self) -> set[int]:
        """The IP versions that the plugin gives out: {4}, {6} or both.

        Raises NetworkBadConfigurationException where both are switched off.
        """
        switches = {4: "network_plugin_ipv4_enabled", 6: "network_plugin_ipv6_enabled"}
        versions = {version for version, name in switches.items() if self.section.read(name)}
        if not versions:
            section = self.section.name or "DEFAULT"
            raise exception.NetworkBadConfigurationException(
                reason=f"[{section}] neither IPv4 nor IPv6 is enabled"
            )
        return versions

    @abc.abstractmethod
    def allocate_network(
        self,
        context: Any,
        share_server: Model,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
        **kwargs: Any,
    ) -> Sequence[Model] | None:
        """Allocate kwargs["count"] addresses for the share server and return them.

        share_network is None for the administrators' network.
        """

    @abc.abstractmethod
    def deallocate_network(
        self,
        context: Any,
        share_server_id: str,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
    ) -> None:
        """Give back all addresses of the share server; those already gone are no error."""

    @abc.abstractmethod
    def manage_network_allocations(
        self,
        context: Any,
        allocations: Sequence[str],
        share_server: Model,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
    ) -> Sequence[str]:
        """Take over addresses that a managed share server has; return those that are not ours."""

    @abc.abstractmethod
    def unmanage_network_allocations(self, context: Any, share_server_id: str) -> None:
        """Forget the addresses of the share server without giving them back."""

    @abc.abstractmethod
    def include_network_info(self, share_network_subnet: dict[str, Any]) -> None:
        """Fill the subnet's dictionary with what the network knows: type, segment, gateway."""

    def _verify_share_network(
        self, share_server_id: str, share_network_subnet: Model | None
    ) -> Model:
        """Return the subnet. Raises NetworkBadConfigurationException where there is none."""
        if not share_network_subnet:
            raise exception.NetworkBadConfigurationException(
                reason=f"share server {share_server_id} needs a share network subnet"
            )
        return share_network_subnet

    def update_network_allocation(self, context: Any, share_server: Model) -> None:  # noqa: B027
        """Bring allocations up to date once the share server runs; most plugins need nothing."""
