# SPDX-License-Identifier: Apache-2.0
"""What the standalone network plugin reads, from the section that network_config_group names.

Names, types and defaults are Manila's.
"""

from __future__ import annotations

from typing import Final

from oslo_config import cfg

NETWORK_TYPES: Final = ("flat", "vlan", "vxlan", "gre")

OPTS = [
    cfg.StrOpt(
        "standalone_network_plugin_gateway",
        help="Gateway of the network from which share servers get addresses, IPv4 or IPv6. "
        "Needed by the standalone network plugin.",
    ),
    cfg.StrOpt(
        "standalone_network_plugin_mask",
        help="Mask of that network: a number of bits such as 24, or 255.255.255.0. Needed by the "
        "standalone network plugin.",
    ),
    cfg.StrOpt(
        "standalone_network_plugin_network_type",
        choices=NETWORK_TYPES,
        help="Type of that network, as drivers are told. Unset: flat.",
    ),
    cfg.IntOpt(
        "standalone_network_plugin_segmentation_id",
        help="Segment of that network, such as its VLAN: 1 to 4094 for vlan, more for vxlan and "
        "gre, unset for flat.",
    ),
    cfg.ListOpt(
        "standalone_network_plugin_allowed_ip_ranges",
        help="Addresses and ranges of that network that may be given out, such as "
        "10.0.0.10-10.0.0.20,10.0.0.50. Unset: all of them but the gateway, the network's own "
        "address and the broadcast address.",
    ),
    cfg.IntOpt(
        "standalone_network_plugin_mtu",
        default=1500,
        min=1,
        help="Largest packet of that network, in bytes, as drivers are told.",
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS)]
