# SPDX-License-Identifier: Apache-2.0
"""The configuration as a share driver sees it, under the name that Manila's drivers import."""

from __future__ import annotations

from collections.abc import Iterable

from oslo_config import cfg

from manila_lite.conf import configuration


class Configuration(configuration.Configuration):
    """Options of one back end, read as attributes."""

    def __init__(
        self,
        share_opts: Iterable[cfg.Opt],
        config_group: str | None = None,
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        """As the base class; the parameter's name is Manila's."""
        super().__init__(share_opts, config_group, conf)

    def append_config_values(self, share_opts: Iterable[cfg.Opt]) -> None:
        """As the base class; the parameter's name is Manila's."""
        super().append_config_values(share_opts)
