# SPDX-License-Identifier: Apache-2.0
"""[neutron]: how Neutron is asked, and what its network plugins read from their own section.

Manila's and keystoneauth's names, so that the section of a manila.conf works as it is. What the
plugin of auth_type wants (auth_url, username, password, ...) is read when the plugin is made.
"""

from __future__ import annotations

from typing import Final

from oslo_config import cfg

GROUP: Final = "neutron"
NO_AUTHENTICATION: Final = "none"

AUTH_OPTS = [
    cfg.StrOpt(
        "auth_type",
        deprecated_name="auth_plugin",
        help="Plugin of keystoneauth by which this service identifies itself to Neutron, such as "
        "'password'; the plugin's own options follow in the same section. 'none' needs url and "
        "sends no token. Needed by the Neutron network plugins.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="Section from which auth_type and the plugin's options are read instead of this one.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="keystone",
        help="Read for compatibility; auth_type says how this service identifies itself.",
    ),
]

OPTS = [
    *AUTH_OPTS,
    cfg.StrOpt(
        "url",
        help="URL of Neutron (http://neutron:9696) instead of the one in the catalogue.",
    ),
    cfg.IntOpt(
        "url_timeout",
        default=30,
        min=1,
        help="Seconds without an answer of Neutron after which a request counts as lost.",
    ),
    cfg.StrOpt(
        "endpoint_type",
        default="publicURL",
        choices=["publicURL", "internalURL", "adminURL", "public", "internal", "admin"],
        help="Kind of the end point that is looked up in the catalogue.",
    ),
    cfg.StrOpt(
        "region_name", help="Region whose Neutron is asked. Not set: the catalogue's first."
    ),
    cfg.StrOpt("cafile", help="PEM file of the certificate authorities that are trusted."),
    cfg.StrOpt("certfile", help="PEM file of this service's own certificate."),
    cfg.StrOpt("keyfile", help="PEM file of the key that belongs to certfile."),
    cfg.BoolOpt("insecure", default=False, help="Do not check the servers' certificates."),
]

PLUGIN_OPTS = [
    cfg.StrOpt(
        "neutron_physical_net_name",
        help="Physical network whose segment counts, for Neutron networks that have several.",
    ),
]

SINGLE_OPTS = [
    cfg.StrOpt(
        "neutron_net_id",
        help="Neutron network of all share servers, for NeutronSingleNetworkPlugin.",
    ),
    cfg.StrOpt(
        "neutron_subnet_id",
        help="Subnet of that network, for NeutronSingleNetworkPlugin.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.neutron``."""
    conf.register_opts(OPTS, group=GROUP)


def auth_group(conf: cfg.ConfigOpts) -> str:
    """The section that holds auth_type and the plugin's options; its auth_type is readable then."""
    section: str = conf[GROUP].auth_section or GROUP
    conf.register_opt(AUTH_OPTS[0], group=section)
    return section


def interface(conf: cfg.ConfigOpts) -> str:
    """endpoint_type in keystoneauth's words: public, internal or admin."""
    return str(conf[GROUP].endpoint_type).removesuffix("URL")


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", [*PLUGIN_OPTS, *SINGLE_OPTS]), (GROUP, OPTS)]
