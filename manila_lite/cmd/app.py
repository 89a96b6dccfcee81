# SPDX-License-Identifier: Apache-2.0
"""What the commands of one invocation share: configuration, database, who asks, how to answer."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from manila_lite.clock import Clock, SystemClock
from manila_lite.cmd.output import Output

if TYPE_CHECKING:
    from oslo_config import cfg
    from sqlalchemy.engine import Connection

    from manila_lite.context import RequestContext
    from manila_lite.db.session import Database

T = TypeVar("T")

# Somebody sits and waits: long enough for a fail-over to be noticed, not for one to be over.
DATABASE_PATIENCE = 5.0


class App:
    """Everything is made at its first use, so that ``--help`` costs nothing."""

    def __init__(
        self,
        config_files: tuple[str, ...] = (),
        *,
        verbose: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.config_files = config_files
        self.output = Output()
        self.verbose = verbose
        self.clock: Clock = clock or SystemClock()
        self.user_id = os.environ.get("OS_USER_ID", "admin")
        self.project_id = os.environ.get("OS_PROJECT_ID", "admin")

    @functools.cached_property
    def conf(self) -> cfg.ConfigOpts:
        """The configuration, checked as far as every command needs it."""
        from oslo_log import log

        from manila_lite.conf.check import check_common
        from manila_lite.conf.load import load
        from manila_lite.observability import logging

        if not self.verbose:
            # oslo.config warns of deprecated names at every start; the daemon's log says it.
            log.getLogger(None).logger.setLevel("CRITICAL")
        conf = load([], self.config_files or None)
        # A command's log is for its user: on standard error, and only with --verbose.
        conf.set_override("log_file", None)
        conf.set_override("log_dir", None)
        conf.set_override("use_syslog", False)
        conf.set_override("use_journal", False)
        conf.set_override("debug", self.verbose)
        if not self.verbose:
            # What goes wrong is told in one line; libraries would say it before, in ten.
            conf.set_override("default_log_levels", [])
        check_common(conf)
        logging.setup(conf)
        if not self.verbose:
            log.getLogger(None).logger.setLevel("CRITICAL")
        return conf

    @functools.cached_property
    def database(self) -> Database:
        """The database, known to have the tables that this release needs."""
        from manila_lite.db.sync import require_current

        database = self.bare_database
        require_current(database, deadline=DATABASE_PATIENCE)
        return database

    @functools.cached_property
    def bare_database(self) -> Database:
        """The database as it is, for ``db sync``."""
        from manila_lite.db.session import Database

        return Database.from_conf(self.conf)

    @functools.cached_property
    def transport(self) -> Any:
        """The connection to the broker; only where there is a transport_url."""
        from manila_lite.rpc.transport import make_transport

        return make_transport(self.conf)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run a reading function; gives up after DATABASE_PATIENCE seconds."""
        return self.database.run(work, write=False, deadline=DATABASE_PATIENCE)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in one transaction; gives up after DATABASE_PATIENCE seconds."""
        return self.database.run(work, deadline=DATABASE_PATIENCE)

    def context(self) -> RequestContext:
        """A new request of the user and the project that the command acts for."""
        from manila_lite.context import RequestContext

        return RequestContext(
            user_id=self.user_id, project_id=self.project_id, is_admin=True, overwrite=False
        )

    def close(self) -> None:
        """Give connections back."""
        if "transport" in self.__dict__:
            self.transport.cleanup()
        if "bare_database" in self.__dict__:
            self.bare_database.close()


pass_app = click.make_pass_decorator(App)
