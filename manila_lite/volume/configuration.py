# SPDX-License-Identifier: Apache-2.0
"""The configuration as a volume driver sees it: a driver may also set what it found out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

from manila_lite.conf import configuration

_OWN = frozenset({"config_group", "conf"})


class Configuration(configuration.Configuration):
    """Options of one back end, read as attributes, and set by the driver itself.

    RemoteFS drivers replace ``nas_secure_file_operations = auto`` by what they detect. A value set
    so counts for this object alone, until the process ends; files and other back ends keep theirs.
    """

    def __init__(
        self,
        volume_opts: Iterable[cfg.Opt],
        config_group: str | None = None,
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        """As the base class; the parameter's name is Cinder's."""
        super().__init__(volume_opts, config_group, conf)

    def append_config_values(self, volume_opts: Iterable[cfg.Opt]) -> None:
        """As the base class; the parameter's name is Cinder's."""
        super().append_config_values(volume_opts)

    def safe_get(self, value: str) -> Any:
        """Return what the driver has set, else the option, or None where there is neither."""
        assigned = vars(self)
        if value in assigned and value not in _OWN and not value.startswith("_"):
            return assigned[value]
        return super().safe_get(value)
