# SPDX-License-Identifier: Apache-2.0
"""What network plugins read, from the section that network_config_group names."""

from __future__ import annotations

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "network_api_class",
        help="Class of the network plugin: its dotted path. Needed where a driver handles share "
        "servers.",
    ),
    cfg.BoolOpt(
        "network_plugin_ipv4_enabled",
        default=True,
        help="Whether the network plugin gives out IPv4 addresses.",
    ),
    cfg.BoolOpt(
        "network_plugin_ipv6_enabled",
        default=False,
        help="Whether the network plugin gives out IPv6 addresses.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in [DEFAULT] or in the section of a network."""
    conf.register_opts(OPTS, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS)]
