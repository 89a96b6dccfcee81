# SPDX-License-Identifier: Apache-2.0
"""Reading an option from a section before [DEFAULT]: what back ends and networks both do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

_UNSET = frozenset({cfg.Locations.opt_default, cfg.Locations.set_default})
_REFERENCE = re.compile(r"\$\{?(\w+)")


class Section:
    """A section of the configuration over [DEFAULT].

    What somebody has set in the section counts, then what somebody has set in [DEFAULT], then the
    default. Options have to be added before they are read.
    """

    def __init__(self, conf: cfg.ConfigOpts, name: str | None) -> None:
        self.conf = conf
        self.name = None if name == "DEFAULT" else name
        self._references: dict[str, list[str]] = {}

    def add(self, opts: Iterable[cfg.Opt]) -> None:
        """Make the options readable here. Raises DuplicateOptError for another definition."""
        for opt in opts:
            self.conf.register_opt(opt, group=self.name)
            self._references[opt.dest] = _REFERENCE.findall(str(opt.default))
            if self.name is not None:
                self._add_to_default(opt)

    def read(self, option: str) -> Any:
        """Return the value. Raises NoSuchOptError where nobody has added the option."""
        home = self._home(option)
        return self.conf[option] if home is None else self.conf[home][option]

    def _add_to_default(self, opt: cfg.Opt) -> None:
        # Another definition in [DEFAULT] reads the same lines of the file, so it serves as well.
        with contextlib.suppress(cfg.DuplicateOptError):
            self.conf.register_opt(opt)

    def _home(self, option: str) -> str | None:
        """Return the section whose value counts; None for [DEFAULT]."""
        if self.name is None or self._is_set(option, self.name):
            return self.name
        if self._is_set(option, None):
            return None
        # A default made of other options, such as "$state_path/x", counts where those are set.
        names = self._references.get(option, [])
        here = any(self._is_set(name, self.name) for name in names)
        above = any(self._is_set(name, None) for name in names)
        return None if above and not here else self.name

    def _is_set(self, option: str, section: str | None) -> bool:
        try:
            found = self.conf.get_location(option, section)
        except (cfg.NoSuchOptError, cfg.NoSuchGroupError):
            return False
        return found is not None and found.location not in _UNSET
