# SPDX-License-Identifier: Apache-2.0
"""Network plugins: how a driver that handles share servers gets addresses for them.

Manila's interface (`manila.network`). A plugin is named by network_api_class in the section that
network_config_group points to. The modules of plugins are loaded by name only: they use the
database, of which drivers know nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oslo_config import cfg
from oslo_utils import importutils

from manila_lite import exception
from manila_lite.conf import network as options
from manila_lite.conf import sections
from manila_lite.network.base import NetworkBaseAPI

__all__ = ["API", "NetworkBaseAPI"]

_STANDALONE: Final = "manila_lite.network.standalone.StandaloneNetworkPlugin"
_NEUTRON: Final = "manila_lite.network.neutron.NeutronNetworkPlugin"
_NEUTRON_SINGLE: Final = "manila_lite.network.neutron.NeutronSingleNetworkPlugin"
_MANILA_NEUTRON: Final = "manila.network.neutron.neutron_network_plugin"

#: Short names, and Manila's paths: a manila.conf works as it is.
ALIASES: Final[Mapping[str, str]] = {
    "standalone": _STANDALONE,
    "neutron": _NEUTRON,
    "manila.network.standalone_network_plugin.StandaloneNetworkPlugin": _STANDALONE,
    f"{_MANILA_NEUTRON}.NeutronNetworkPlugin": _NEUTRON,
    f"{_MANILA_NEUTRON}.NeutronSingleNetworkPlugin": _NEUTRON_SINGLE,
}

_NOT_OFFERED: Final = frozenset(
    f"{_MANILA_NEUTRON}.{name}"
    for name in ("NeutronBindNetworkPlugin", "NeutronBindSingleNetworkPlugin")
)


def API(  # noqa: N802 - Manila's name, which drivers call like a class
    config_group_name: str | None = None,
    label: str = "user",
    conf: cfg.ConfigOpts | None = None,
) -> NetworkBaseAPI:
    """Return the network plugin that the section config_group_name asks for.

    label: what the network is for, "user" or "admin"; plugins keep it with their allocations.
    conf: oslo.config's global one where there is none.
    Raises NetworkBadConfigurationException where no plugin is configured or it cannot be loaded.
    """
    section = sections.Section(cfg.CONF if conf is None else conf, config_group_name)
    section.add(options.OPTS)
    path = section.read("network_api_class")
    if not path:
        raise _bad(section, "no network_api_class, and the driver handles share servers")
    if path in _NOT_OFFERED:
        raise _bad(section, f"network_api_class = {path}: plugins that bind ports are not offered")
    plugin = _load(section, path)
    arguments: dict[str, Any] = {"config_group_name": config_group_name, "label": label}
    if isinstance(plugin, type) and issubclass(plugin, NetworkBaseAPI):
        arguments["conf"] = conf
    made: NetworkBaseAPI = plugin(**arguments)
    return made


def _load(section: sections.Section, path: str) -> Any:
    try:
        return importutils.import_class(ALIASES.get(path, path))
    except (ImportError, ValueError) as error:
        raise _bad(section, f"network_api_class = {path} cannot be loaded: {error}") from error


def _bad(section: sections.Section, reason: str) -> exception.NetworkBadConfigurationException:
    return exception.NetworkBadConfigurationException(
        reason=f"[{section.name or 'DEFAULT'}] {reason}"
    )
