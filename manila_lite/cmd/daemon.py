# SPDX-License-Identifier: Apache-2.0
"""A daemon: one process for each enabled back end, under one parent. Which one, others say."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from manila_lite import no_eventlet

no_eventlet.choose_threads()

from oslo_config import cfg  # noqa: E402
from oslo_service import service as oslo_service  # noqa: E402

from manila_lite import exception  # noqa: E402
from manila_lite.conf import load, reload  # noqa: E402
from manila_lite.db.session import Database  # noqa: E402
from manila_lite.observability import logging as log_setup  # noqa: E402
from manila_lite.worker_service import WorkerService  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Daemon:
    """program: its name. backends: the sections that it serves. check: raises ConfigurationError
    for what cannot be right. service: made for each back end."""

    program: str
    backends: Callable[[cfg.ConfigOpts], list[str]]
    check: Callable[[cfg.ConfigOpts], None]
    service: Callable[[cfg.ConfigOpts, str], WorkerService]

    def run(self, argv: Sequence[str] | None = None) -> int:
        """Run until SIGTERM (exit code 0). 1: the configuration or the database is unfit."""
        arguments = sys.argv[1:] if argv is None else list(argv)
        try:
            conf = load.load(arguments, prog=self.program)
            self.check(conf)
            reload.guard(conf, arguments, self.check)
            log_setup.setup(conf)
            _prepare_database(conf)
        except exception.ManilaException as error:
            print(f"{self.program}: {error}", file=sys.stderr)
            return 1
        launcher = oslo_service.ProcessLauncher(conf, restart_method="mutate")
        for backend in self.backends(conf):
            launcher.launch_service(self.service(conf, backend))
        _reload_in_place(launcher)
        return _wait(launcher)


def _wait(launcher: oslo_service.ProcessLauncher) -> int:
    """Return the exit code when all is over.

    The launcher raises SystemExit and leaves an alarm running, which would kill an interpreter
    that is still winding up when graceful_shutdown_timeout is over.
    """
    try:
        code = launcher.wait()
    except SystemExit as end:
        code = end.code
    finally:
        signal.alarm(0)
    return code if isinstance(code, int) else int(code is not None)


def _reload_in_place(launcher: oslo_service.ProcessLauncher) -> None:
    """Have SIGHUP call the services' reset(), which oslo.service's wrapper for threads forgets.

    As it is, each process ends and another one takes its place: calls of the driver that outlast
    graceful_shutdown_timeout would be broken off, and in doubt, because somebody turned debug on.
    """

    def on_new_worker(service_id: object, worker_id: int, wrapper: Any) -> None:
        wrapper.reload = wrapper.service_instance.reset

    launcher._manager.register_hooks(on_new_worker=on_new_worker)


def _prepare_database(conf: cfg.ConfigOpts) -> None:
    """See that the tables are those of this release; make them where nobody else can: on SQLite.

    Waits for a database that is away, for as long as it takes.
    """
    from manila_lite.db import sync

    database = Database.from_conf(conf)
    try:
        sync.require_current(database)
    except sync.DatabaseUnfit:
        if database.dialect != "sqlite":
            raise
        sync.sync(database)
    finally:
        database.close()
