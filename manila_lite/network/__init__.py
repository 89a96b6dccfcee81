# SPDX-License-Identifier: Apache-2.0
"""Network plugins: how a driver that handles share servers gets addresses for them.

Manila's interface (`manila.network`). No plugin ships here yet; a class of one's own is named by
network_api_class in the section that network_config_group points to.
"""

from __future__ import annotations

from oslo_config import cfg
from oslo_utils import importutils

from manila_lite import exception
from manila_lite.conf import network as options
from manila_lite.conf import sections
from manila_lite.network.base import NetworkBaseAPI

__all__ = ["API", "NetworkBaseAPI"]


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
    try:
        plugin = importutils.import_class(path)
    except (ImportError, ValueError) as error:
        raise _bad(section, f"network_api_class = {path} cannot be loaded: {error}") from error
    return plugin(config_group_name=config_group_name, label=label, conf=conf)


def _bad(section: sections.Section, reason: str) -> exception.NetworkBadConfigurationException:
    return exception.NetworkBadConfigurationException(
        reason=f"[{section.name or 'DEFAULT'}] {reason}"
    )
