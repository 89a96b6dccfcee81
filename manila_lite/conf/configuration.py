# SPDX-License-Identifier: Apache-2.0
"""The configuration as a driver sees it: its back end's section, then [DEFAULT]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

from manila_lite.conf import sections


class Configuration:
    """Options of one back end, read as attributes.

    A value that is set in the back end's section wins over one that is set in [DEFAULT], and that
    one over the option's default. Drivers add their own options with append_config_values and read
    them with ``configuration.option`` or ``configuration.safe_get("option")``.
    """

    def __init__(
        self,
        opts: Iterable[cfg.Opt],
        config_group: str | None = None,
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        """Add opts to the section config_group (None: [DEFAULT]) of conf.

        Without conf, oslo.config's global one is used: third-party drivers know no other.
        """
        self.config_group = config_group
        self.conf: cfg.ConfigOpts = cfg.CONF if conf is None else conf
        self._section = sections.Section(self.conf, config_group)
        self.append_config_values(opts)

    def append_config_values(self, opts: Iterable[cfg.Opt]) -> None:
        """Make more options readable. Adding the same ones again changes nothing.

        Raises DuplicateOptError for an option that the section knows with another meaning.
        """
        self._section.add(opts)

    @property
    def local_conf(self) -> Any:
        """The section alone, as oslo.config shows it: [DEFAULT] does not stand in for it."""
        return self.conf[self.config_group] if self.config_group else self.conf

    def safe_get(self, value: str) -> Any:
        """Return the option named value, or None where there is no such option."""
        try:
            return self._section.read(value)
        except cfg.NoSuchOptError:
            return None

    def __getattr__(self, value: str) -> Any:
        """Return the option. Raises NoSuchOptError, an AttributeError, where there is none."""
        if value.startswith("_"):
            # copy and pickle ask for these before __init__ has run.
            raise AttributeError(value)
        return self._section.read(value)
