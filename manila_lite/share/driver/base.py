# SPDX-License-Identifier: Apache-2.0
"""What every family of driver methods stands on: construction, options and the chosen mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from manila_lite import exception, network
from manila_lite.conf import sections
from manila_lite.conf import share_driver as options

Model = Mapping[str, Any]
"""A row as a driver sees it: read by key, and by attribute where the service hands it over."""

Rules = Sequence[Model]
ShareServer = Model | None


class DriverBase:
    """Construction of a share driver; the families derive from it to share its attributes."""

    configuration: Any
    network_api: network.NetworkBaseAPI

    def __init__(self, driver_handles_share_servers: Any, *args: Any, **kwargs: Any) -> None:
        """Check the mode, set up the networks, and let the mix-ins set themselves up.

        driver_handles_share_servers: what the driver supports: a boolean, or several of them in a
        tuple, list or set. The option of the same name chooses one.
        configuration (keyword): a share.configuration.Configuration; may be None in tests.
        config_opts (keyword): further lists of options that the driver reads.
        Raises ManilaException for a mode that the driver does not support or that is not set, and
        NetworkBadConfigurationException where share servers are handled without a network plugin.
        """
        super().__init__()
        self.configuration = kwargs.get("configuration")
        self.initialized = False
        self._stats: dict[str, Any] = {}
        self.ip_versions: set[int] | None = None
        self.ipv6_implemented = False
        self.pools: list[Any] = []
        if self.configuration:
            self.configuration.append_config_values(options.share_opts)
        self._verify_share_server_handling(driver_handles_share_servers)
        if self.driver_handles_share_servers:
            self._set_up_networks()
        for opts in kwargs.get("config_opts", []):
            self.configuration.append_config_values(opts)
        for set_up in ("init_execute_mixin", "init_ganesha_mixin"):
            if hasattr(self, set_up):
                getattr(self, set_up)(*args, **kwargs)

    @property
    def admin_network_api(self) -> network.NetworkBaseAPI | None:
        """The administrators' network, None where none is configured."""
        return getattr(self, "_admin_network_api", None)

    @property
    def driver_handles_share_servers(self) -> Any:
        """The mode that the configuration chose; None where it chose none."""
        return self._option("driver_handles_share_servers")

    @property
    def replication_domain(self) -> str | None:
        """The name that back ends which replicate between each other have in common."""
        return self._option("replication_domain")

    def _verify_share_server_handling(self, driver_handles_share_servers: Any) -> None:
        """Raise ManilaException unless the configured mode is one that the driver supports."""
        configured = self.driver_handles_share_servers
        if not isinstance(configured, bool):
            raise exception.ManilaException(
                f"Option driver_handles_share_servers has to be true or false, not '{configured}'."
            )
        supported = driver_handles_share_servers
        if isinstance(supported, bool):
            supported = [supported]
        if not isinstance(supported, (tuple, list, set)) or not _all_booleans(supported):
            raise exception.ManilaException(
                "The driver has to say which modes of driver_handles_share_servers it supports "
                f"with booleans, not with '{driver_handles_share_servers}'."
            )
        if configured not in supported:
            allowed = " or ".join(sorted(str(mode) for mode in supported)) or "none"
            raise exception.ManilaException(
                f"The driver does not support driver_handles_share_servers = {configured}; "
                f"it supports: {allowed}."
            )

    def _set_up_networks(self) -> None:
        group = self._option("network_config_group")
        group = group or getattr(self.configuration, "config_group", None)
        self.network_api = network.API(config_group_name=group, conf=self._conf)
        admin_group = self._option("admin_network_config_group")
        if admin_group:
            self._admin_network_api = network.API(
                config_group_name=admin_group, label="admin", conf=self._conf
            )

    @property
    def _conf(self) -> cfg.ConfigOpts:
        """The configuration object behind the driver's; oslo.config's global one for others'."""
        conf = getattr(self.configuration, "conf", None)
        return conf if isinstance(conf, cfg.ConfigOpts) else cfg.CONF

    def _option(self, name: str) -> Any:
        """Read one of share_opts from the driver's configuration, else from [DEFAULT]."""
        if self.configuration:
            return self.configuration.safe_get(name)
        return self._default_option(name)

    def _default_option(self, name: str) -> Any:
        """Read one of share_opts from [DEFAULT]."""
        section = sections.Section(self._conf, None)
        if name not in self._conf:
            section.add(opt for opt in options.share_opts if opt.dest == name)
        return section.read(name)


def _all_booleans(values: Any) -> bool:
    return all(isinstance(value, bool) for value in values)
