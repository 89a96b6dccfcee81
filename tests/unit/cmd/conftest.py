# SPDX-License-Identifier: Apache-2.0
"""The command line on a site in memory: its journal is read by a real engine, step by step."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from oslo_config import cfg

from manila_lite.cmd.app import App
from manila_lite.cmd.main import main
from manila_lite.conf import opts
from manila_lite.testing.clock import ManualClock
from tests.support import volumes
from tests.support.shares import Site


class WorkingClock(ManualClock):
    """While a command waits, ``work`` is called, as if a daemon ran beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Any = lambda: None

    def wait(self, event: Any, timeout: float | None) -> bool:
        self.work()
        return super().wait(event, timeout)


class Shell:
    """Types commands; ``site`` is what they work on. kind: 'share' or 'volume'."""

    def __init__(self, site: Any, kind: str = "share") -> None:
        self.site = site
        self.clock = WorkingClock()
        self.conf = cfg.ConfigOpts()
        opts.register_all(self.conf)
        register = {"share": opts.register_backend, "volume": opts.register_volume_backend}[kind]
        register(self.conf, "backend")
        register(self.conf, "second")
        self.conf([], default_config_files=[], default_config_dirs=[])
        self.conf.set_override("host", "host")
        self.conf.set_override(f"enabled_{kind}_backends", ["backend"])
        self.conf.set_override(f"{kind}_backend_name", "pool", group="backend")

    def type(self, *words: str, code: int = 0) -> Any:
        """Run a command and return what click's runner says of it; it must end with ``code``."""
        app = App(clock=self.clock)
        app.__dict__.update(conf=self.conf, database=self.site.database)
        result = CliRunner().invoke(main, list(words), obj=app)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    def read(self, *words: str) -> Any:
        """Run a command with --json and return what it answers."""
        return json.loads(self.type("--json", *words).stdout)

    def refusal(self, *words: str, code: int = 7) -> str:
        """What a command says on standard error when it ends with ``code``."""
        return str(self.type(*words, code=code).stderr)

    def serve_while_waiting(self) -> None:
        """Have the engine run whenever a command waits."""
        self.clock.work = self.site.run


@pytest.fixture
def shell() -> Shell:
    return Shell(Site())


@pytest.fixture
def volume_shell() -> Shell:
    return Shell(volumes.Site(), "volume")
