# SPDX-License-Identifier: Apache-2.0
"""Addresses of share servers from Neutron: a port each, which carries the share server's id.

A port is made before its row is written. After a crash in between, the repeated call finds the
port by its name and its device_id, and deallocation finds what no row tells of.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import neutron as options
from manila_lite.network.base import Model, NetworkBaseAPI
from manila_lite.network.neutron.client import Neutron

OWNER: Final = "manila:{}"
DEFAULT_OWNER: Final = "share"
ADMIN: Final = "admin"


class NeutronNetworkPlugin(NetworkBaseAPI):
    """Ports on the Neutron network and subnet that the share network subnet names."""

    #: Whether the administrators' network, too, needs a share network subnet.
    needs_subnet: ClassVar[bool] = True

    def __init__(
        self,
        config_group_name: str | None = None,
        label: str = "user",
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        super().__init__(config_group_name=config_group_name, label=label, conf=conf)
        self.section.add(options.PLUGIN_OPTS)
        self.neutron = Neutron(self.section.conf)

    def allocate_network(
        self,
        context: Any,
        share_server: Model,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Return kwargs["count"] (1) allocations of the server on the subnet.

        Those that it has already are counted, so a call may be repeated. device_owner: how ports
        are marked as the service's, without 'manila:'. Raises NetworkException,
        NetworkUnavailable, PortLimitExceeded, IpAddressGenerationFailureClient.
        """
        server_id, count = str(share_server["id"]), int(kwargs.get("count", 1))
        owner = OWNER.format(kwargs.get("device_owner", DEFAULT_OWNER))
        subnet = self._described(server_id, share_network_subnet)
        found = self.ledger.of_server(server_id, self.label, subnet.get("id"))
        for port in self._left_ports(server_id, owner, subnet, found):
            if len(found) < count:
                found.append(self._keep(server_id, subnet, port))
        while len(found) < count:
            port = self._create_port(server_id, owner, subnet, share_network)
            found.append(self._keep(server_id, subnet, port))
        return found[:count]

    def deallocate_network(
        self,
        context: Any,
        share_server_id: str,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
    ) -> None:
        """Delete the server's ports, with a subnet only those on it.

        Raises NetworkException; what is deleted by then is forgotten, the rest is still known.
        """
        subnet_id = share_network_subnet["id"] if share_network_subnet else None
        found = self.ledger.of_server(share_server_id, self.label, subnet_id)
        for allocation in found:
            self.neutron.delete_port(allocation["id"])
            self.ledger.forget([allocation])
        if subnet_id is None:
            ports = self.neutron.list_ports(
                device_id=share_server_id, name=self._port_name(share_server_id)
            )
            for port in ports:
                self.neutron.delete_port(port["id"])

    def manage_network_allocations(
        self,
        context: Any,
        allocations: Sequence[str],
        share_server: Model,
        share_network: Model | None = None,
        share_network_subnet: Model | None = None,
    ) -> list[str]:
        """Take over those addresses for which Neutron has a port of Manila's; return the others.

        Raises ManageShareServerError for a port that is another share server's.
        """
        server_id = str(share_server["id"])
        subnet = self._described(server_id, share_network_subnet)
        left = list(allocations)
        ports = self.neutron.list_ports(
            network_id=subnet["neutron_net_id"], device_owner=OWNER.format(DEFAULT_OWNER)
        )
        for port in ports:
            address = next((text for text in _addresses(port, subnet) if text in left), None)
            if address is not None:
                self._refuse_other_servers(port["id"], server_id)
                self._keep(server_id, subnet, port, address)
                left.remove(address)
        return left

    def unmanage_network_allocations(self, context: Any, share_server_id: str) -> None:
        """Forget the server's ports and leave them in Neutron."""
        self.ledger.forget(self.ledger.of_server(share_server_id, self.label))

    def include_network_info(self, share_network_subnet: dict[str, Any]) -> None:
        """Fill the subnet's dictionary with what Neutron knows of its network and subnet."""
        share_network_subnet.update(self._describe(share_network_subnet))

    # -- the network ---------------------------------------------------------------------------

    def _described(self, server_id: str, subnet: Model | None) -> Mapping[str, Any]:
        """Return the subnet with what Neutron knows of it, which its row gets as well."""
        if self.needs_subnet or self.label != ADMIN:
            subnet = self._verify_share_network(server_id, subnet)
        columns = self._describe(subnet or {})
        if subnet and self.label != ADMIN:
            self.ledger.describe_subnet(subnet["id"], columns)
        return {**(subnet or {}), **columns}

    def _describe(self, subnet: Model) -> dict[str, Any]:
        network_id, subnet_id = self._place(subnet)
        network = self.neutron.get_network(network_id)
        found = self.neutron.get_subnet(subnet_id)
        if found.get("network_id") != network_id:
            raise exception.NetworkBadConfigurationException(
                reason=f"Neutron subnet {subnet_id} is not one of network {network_id}"
            )
        kind, segment = self._segment_of(network)
        return {
            "neutron_net_id": network_id,
            "neutron_subnet_id": subnet_id,
            "network_type": kind,
            "segmentation_id": segment,
            "mtu": network.get("mtu"),
            "cidr": found["cidr"],
            "gateway": found["gateway_ip"],
            "ip_version": found["ip_version"],
        }

    def _place(self, subnet: Model) -> tuple[str, str]:
        """Return the ids of the Neutron network and subnet."""
        for key in ("neutron_net_id", "neutron_subnet_id"):
            if not subnet.get(key):
                raise exception.NetworkBadConfigurationException(
                    reason=f"share network subnet {subnet.get('id')} has no {key}"
                )
        return str(subnet["neutron_net_id"]), str(subnet["neutron_subnet_id"])

    def _segment_of(self, network: Mapping[str, Any]) -> tuple[str, int | None]:
        """Return type and segment of a network.

        Raises NetworkBadConfigurationException where Neutron does not tell, or where the network
        has several segments and neutron_physical_net_name names none of them.
        """
        segments = network.get("segments") or [network]
        name = self.section.read("neutron_physical_net_name")
        if network.get("segments"):
            segments = [s for s in segments if s.get("provider:physical_network") == name]
        if not segments:
            raise exception.NetworkBadConfigurationException(
                reason=f"[{self.section.name or 'DEFAULT'}] neutron_physical_net_name = "
                f"{name}: network {network['id']} has several segments, and none of this name"
            )
        kind = segments[0].get("provider:network_type")
        if not kind:
            raise exception.NetworkBadConfigurationException(
                reason=f"Neutron does not tell the type of network {network['id']}; the user of "
                "section [neutron] has to be allowed to see it"
            )
        return str(kind), segments[0].get("provider:segmentation_id")

    # -- ports ---------------------------------------------------------------------------------

    def _port_name(self, server_id: str) -> str:
        return f"manila-{self.label}-{server_id}"

    def _left_ports(
        self, server_id: str, owner: str, subnet: Mapping[str, Any], known: Sequence[Model]
    ) -> list[dict[str, Any]]:
        """Return ports that an interrupted call has made and no row tells of."""
        ids = {allocation["id"] for allocation in known}
        ports = self.neutron.list_ports(
            device_id=server_id,
            device_owner=owner,
            network_id=subnet["neutron_net_id"],
            name=self._port_name(server_id),
        )
        return [port for port in ports if port["id"] not in ids and _addresses(port, subnet)]

    def _create_port(
        self, server_id: str, owner: str, subnet: Mapping[str, Any], network: Model | None
    ) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "network_id": subnet["neutron_net_id"],
            "fixed_ips": [{"subnet_id": subnet["neutron_subnet_id"]}],
            "device_owner": owner,
            "device_id": server_id,
            "name": self._port_name(server_id),
            "admin_state_up": True,
        }
        if network:
            attributes["project_id"] = network["project_id"]
        return self.neutron.create_port(**attributes)

    def _keep(
        self,
        server_id: str,
        subnet: Mapping[str, Any],
        port: Mapping[str, Any],
        address: str | None = None,
    ) -> Any:
        if address is None:
            address = next(iter(_addresses(port, subnet)), None)
        if address is None:
            raise exception.NetworkBadConfigurationException(
                reason=f"port {port['id']} has no IPv{subnet['ip_version']} address on subnet "
                f"{subnet['neutron_subnet_id']}"
            )
        shared = ("network_type", "segmentation_id", "ip_version", "cidr", "gateway", "mtu")
        return self.ledger.add(
            {
                "id": port["id"],
                "share_server_id": server_id,
                "share_network_subnet_id": None if self.label == ADMIN else subnet["id"],
                "label": self.label,
                "ip_address": address,
                "mac_address": port.get("mac_address"),
                **{name: subnet[name] for name in shared},
            }
        )

    def _refuse_other_servers(self, port_id: str, server_id: str) -> None:
        known = self.ledger.get(port_id)
        if known is not None and known["share_server_id"] != server_id:
            raise exception.ManageShareServerError(
                reason=f"port {port_id} belongs to share server {known['share_server_id']}"
            )


class NeutronSingleNetworkPlugin(NeutronNetworkPlugin):
    """Ports on the one Neutron network and subnet that the section names."""

    needs_subnet = False

    def __init__(
        self,
        config_group_name: str | None = None,
        label: str = "user",
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        """Raises NetworkBadConfigurationException where network or subnet are not set."""
        super().__init__(config_group_name=config_group_name, label=label, conf=conf)
        self.section.add(options.SINGLE_OPTS)
        for option in ("neutron_net_id", "neutron_subnet_id"):
            if not self.section.read(option):
                raise self._bad(option, "is needed by NeutronSingleNetworkPlugin")

    def _place(self, subnet: Model) -> tuple[str, str]:
        """Return what the section names; the subnet's row must not say something else."""
        for option in ("neutron_net_id", "neutron_subnet_id"):
            said = subnet.get(option)
            if said and said != self.section.read(option):
                raise self._bad(option, f"share network subnet {subnet.get('id')} says {said}")
        return self.section.read("neutron_net_id"), self.section.read("neutron_subnet_id")

    def _bad(self, option: str, reason: str) -> exception.NetworkBadConfigurationException:
        return exception.NetworkBadConfigurationException(
            reason=f"[{self.section.name or 'DEFAULT'}] {option} = {self.section.read(option)}: "
            f"{reason}"
        )


def _addresses(port: Mapping[str, Any], subnet: Mapping[str, Any]) -> list[str]:
    """Return the port's addresses on the subnet, of the subnet's IP version."""
    return [
        fixed["ip_address"]
        for fixed in port.get("fixed_ips") or ()
        if fixed.get("subnet_id") == subnet["neutron_subnet_id"]
        and ipaddress.ip_address(fixed["ip_address"]).version == subnet["ip_version"]
    ]
