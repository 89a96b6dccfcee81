# SPDX-License-Identifier: Apache-2.0
"""Loaded by every pytest beside which this package is installed: so it does next to nothing.

The suite's options have common names. They exist only where the suite is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SUITE = "manila_lite.testing.conformance"


def pytest_load_initial_conftests(early_config: Any, parser: Any, args: list[str]) -> None:
    """Add the options and fixtures where an argument names the suite."""
    if any(_is_suite(argument) for argument in args):
        early_config.pluginmanager.import_plugin(f"{_SUITE}.options")


def _is_suite(argument: str) -> bool:
    named = argument.partition("::")[0]
    if named == _SUITE or named.startswith(f"{_SUITE}."):
        return True
    here = Path(__file__).parent
    path = Path(named).absolute()
    return path == here or here in path.parents
