# SPDX-License-Identifier: Apache-2.0
"""A network as the options of the standalone plugin describe it: which addresses may be given."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from manila_lite import exception
from manila_lite.conf.sections import Section

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

_PREFIX: Final = "standalone_network_plugin_"
GATEWAY: Final = f"{_PREFIX}gateway"
MASK: Final = f"{_PREFIX}mask"
NETWORK_TYPE: Final = f"{_PREFIX}network_type"
SEGMENTATION_ID: Final = f"{_PREFIX}segmentation_id"
ALLOWED_IP_RANGES: Final = f"{_PREFIX}allowed_ip_ranges"
MTU: Final = f"{_PREFIX}mtu"

FLAT: Final = "flat"
#: The highest segment of each kind of network that has segments.
_SEGMENTS: Final[Mapping[str, int]] = {"vlan": 4094, "vxlan": 2**24 - 1, "gre": 2**32 - 1}


@dataclasses.dataclass(frozen=True)
class Range:
    """Addresses from ``first`` to ``last``, both of them included."""

    first: Address
    last: Address

    def __contains__(self, address: Address) -> bool:
        return self.first.version == address.version and int(self.first) <= int(address) <= int(
            self.last
        )


@dataclasses.dataclass(frozen=True)
class Pool:
    """The addresses of one network. ranges: what may be given out; empty means all of it."""

    interface: Interface
    network_type: str
    segmentation_id: int | None
    mtu: int
    ranges: Sequence[Range] = ()

    @classmethod
    def from_section(cls, section: Section, versions: set[int]) -> Pool:
        """Read the options. versions: the IP versions that are switched on.

        Raises NetworkBadConfigurationException, which names section, option and value.
        """
        interface = _interface(section, versions)
        kind = _read(section, NETWORK_TYPE) or FLAT
        return cls(
            interface,
            kind,
            _segment(section, kind),
            _read(section, MTU),
            [_range(section, text, interface) for text in _read(section, ALLOWED_IP_RANGES) or ()],
        )

    @property
    def gateway(self) -> str:
        return str(self.interface.ip)

    @property
    def cidr(self) -> str:
        return str(self.interface.network)

    @property
    def ip_version(self) -> int:
        return self.interface.version

    def columns(self) -> dict[str, Any]:
        """What subnets and allocations of this network have in common."""
        return {
            "network_type": self.network_type,
            "segmentation_id": self.segmentation_id,
            "cidr": self.cidr,
            "gateway": self.gateway,
            "ip_version": self.ip_version,
            "mtu": self.mtu,
        }

    def candidates(self) -> Iterator[str]:
        """Yield all addresses that may be given out, one at a time: there may be 2 ** 64."""
        network, reserved = self.interface.network, self._reserved
        everything = Range(network.network_address, network.broadcast_address)
        for part in self.ranges or [everything]:
            for number in range(int(part.first), int(part.last) + 1):
                address = type(part.first)(number)
                if address not in reserved:
                    yield str(address)

    def allows(self, text: str) -> bool:
        """Whether a text is an address that may be given out."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if address in self._reserved or address not in self.interface.network:
            return False
        return not self.ranges or any(address in part for part in self.ranges)

    @property
    def _reserved(self) -> set[Address]:
        """The gateway and, where they are no hosts, the first and the last address.

        A network of two addresses or of one has no such; in IPv6 the last one is a host's.
        """
        network = self.interface.network
        reserved: set[Address] = {self.interface.ip}
        if network.prefixlen < network.max_prefixlen - 1:
            reserved.add(network.network_address)
            if network.version == 4:
                reserved.add(network.broadcast_address)
        return reserved


def _interface(section: Section, versions: set[int]) -> Interface:
    gateway, mask = _needed(section, GATEWAY), _needed(section, MASK)
    try:
        address = ipaddress.ip_address(gateway)
    except ValueError:
        raise _bad(section, GATEWAY, gateway, "is no IP address") from None
    if address.version not in versions:
        raise _bad(
            section, GATEWAY, gateway,
            f"network_plugin_ipv{address.version}_enabled is not true in this section",
        )  # fmt: skip
    try:
        return ipaddress.ip_interface(f"{address}/{mask}")
    except ValueError:
        raise _bad(section, MASK, mask, f"is no mask of an IPv{address.version} network") from None


def _segment(section: Section, kind: str) -> int | None:
    segment: int | None = _read(section, SEGMENTATION_ID)
    most = _SEGMENTS.get(kind)
    if most is None:
        if segment:
            raise _bad(section, SEGMENTATION_ID, segment, f"a network of type {kind} has none")
        return None
    if segment is None or not 1 <= segment <= most:
        raise _bad(section, SEGMENTATION_ID, segment, f"has to be from 1 to {most} for type {kind}")
    return segment


def _range(section: Section, text: str, interface: Interface) -> Range:
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        found = Range(ipaddress.ip_address(first), ipaddress.ip_address(last if dash else first))
    except ValueError:
        raise _bad(
            section, ALLOWED_IP_RANGES, text, "is neither an IP address nor a range of two"
        ) from None
    network = interface.network
    if found.first not in network or found.last not in network:
        raise _bad(section, ALLOWED_IP_RANGES, text, f"is not inside the network {network}")
    if int(found.first) > int(found.last):
        raise _bad(section, ALLOWED_IP_RANGES, text, "ends before it begins")
    return found


def _needed(section: Section, option: str) -> str:
    value = _read(section, option)
    if not value:
        raise _bad(section, option, "(not set)", "is needed by the standalone network plugin")
    return str(value)


def _read(section: Section, option: str) -> Any:
    try:
        return section.read(option)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise exception.NetworkBadConfigurationException(
            reason=f"[{section.name or 'DEFAULT'}] {option}: {reason}"
        ) from None


def _bad(
    section: Section, option: str, value: Any, reason: str
) -> exception.NetworkBadConfigurationException:
    return exception.NetworkBadConfigurationException(
        reason=f"[{section.name or 'DEFAULT'}] {option} = {value}: {reason}"
    )
