# SPDX-License-Identifier: Apache-2.0
"""Connections and transactions, on a database that may lock, deadlock or be away for a while."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, Engine

from manila_lite.clock import Clock, SystemClock
from manila_lite.db.engines import (
    EngineOptions,
    create_reader,
    create_writer,
    is_memory,
    read_url,
)
from manila_lite.db.trouble import Trouble, keeps_us_out, trouble

if TYPE_CHECKING:
    from oslo_config import cfg

LOG = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY = 0.02  # seconds
LONGEST_CONFLICT_RETRY = 1.0  # seconds: the other transaction is soon over

_NOW = {
    "postgresql": sa.text("SELECT timezone('utc', clock_timestamp())"),
    "mysql": sa.text("SELECT UTC_TIMESTAMP(6)"),
}


class Database:
    """One database, shared by all threads of a process.

    ``dialect`` is 'sqlite', 'postgresql' or 'mysql' (MariaDB too). Nothing is connected before
    the first use. The URL's password appears in no log line and no error.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        options: EngineOptions | None = None,
        max_retry_interval: float = 10.0,
    ) -> None:
        """Prepare the engines; ``max_retry_interval`` is in seconds.

        Raises ValueError for a URL that names no supported database.
        """
        self.options = options or EngineOptions()
        self.url = read_url(url, self.options.connection_parameters)
        self.dialect = self.url.get_backend_name()
        self._clock: Clock = clock or SystemClock()
        self._max_retry_interval = max_retry_interval
        self._reader = create_reader(self.url, self.options)
        self._writer = create_writer(self.url, self.options)
        self._held = threading.local()
        self._stop = threading.Event()
        self._outage = _Outage(self.url.render_as_string(hide_password=True), self._clock)
        _databases.add(self)

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts, *, clock: Clock | None = None) -> Database:
        """Build from section [database]; without a connection, SQLite in ``state_path``."""
        return cls(
            conf.database.connection or default_url(conf.state_path),
            clock=clock,
            options=EngineOptions.from_conf(conf),
            max_retry_interval=float(conf.database.db_max_retry_interval),
        )

    def __repr__(self) -> str:
        return f"<Database {self.url.render_as_string(hide_password=True)}>"

    @contextlib.contextmanager
    def reader(self) -> Iterator[Connection]:
        """Lend a connection in autocommit: each statement sees what is committed by then.

        Two statements may see different moments. Raises oslo.db's DBConnectionError when the
        database cannot be reached; nothing is retried here.
        """
        with self._connected(self._reader) as connection:
            yield connection

    @contextlib.contextmanager
    def writer(self) -> Iterator[Connection]:
        """Lend a connection inside one transaction: committed at the end, undone by an exception.

        On SQLite the transaction holds the write lock from its start, and a process has one at
        a time; a thread that asks for a second one inside gets a RuntimeError. An error at the
        end may mean that the commit went through and only its answer was lost. Nothing is
        retried here.
        """
        with self._not_twice(), self._connected(self._writer) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def _not_twice(self) -> Iterator[None]:
        """Raise where a thread would wait for itself."""
        if self.dialect != "sqlite":
            yield
            return
        if getattr(self._held, "writer", False):
            raise RuntimeError("a thread that holds SQLite's writer asked for it again")
        self._held.writer = True
        try:
            yield
        finally:
            self._held.writer = False

    @contextlib.contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        try:
            connection = engine.connect()
        except (sa_exc.OperationalError, sa_exc.InternalError) as error:
            # A server that starts, stops or is full answers with an error of its own kind.
            if keeps_us_out(error) or trouble(error) is Trouble.CONFLICT:
                raise
            if self.dialect == "sqlite":
                raise
            raise db_exc.DBConnectionError(error) from error
        with connection:
            yield connection

    def run(
        self,
        work: Callable[[Connection], T],
        *,
        write: bool = True,
        deadline: float | None = None,
    ) -> T:
        """Call ``work`` inside a transaction and return its result; on trouble, call it again.

        Trouble is a deadlock, a lock that was not to be had, or a database that is away; the
        work starts over from its beginning, for ``deadline`` seconds (None: until it succeeds or
        interrupt() is called), then the last error is raised. Other errors are raised at once.

        When a connection breaks during COMMIT, the work may run once more although its first
        commit went through: it must notice by itself (a unique key, a fence, a revision).

        With ``write=False`` the work gets a reader's connection, without a transaction.
        """
        began = self._clock.monotonic()
        tries = 0
        while True:
            try:
                with self.writer() if write else self.reader() as connection:
                    result = work(connection)
                self._outage.over()
                return result
            except (db_exc.DBError, sa_exc.SQLAlchemyError) as error:
                tries += 1
                pause = self._pause(error, tries)
                left = None if deadline is None else began + deadline - self._clock.monotonic()
                if pause is None or (left is not None and left <= 0):
                    raise
                if self._clock.wait(self._stop, pause if left is None else min(pause, left)):
                    raise

    def _pause(self, error: Exception, tries: int) -> float | None:
        """Return the seconds to wait before the next try, or None when there is to be none."""
        kind = trouble(error)
        if kind not in (Trouble.AWAY, Trouble.CONFLICT) or self._stop.is_set():
            return None
        longest = LONGEST_CONFLICT_RETRY
        if kind is Trouble.AWAY:
            self._outage.noticed(error)
            longest = self._max_retry_interval
        else:
            LOG.debug("Transaction is tried again (%d): %s", tries, _summary(error))
        # Half of it by chance, so that those who collided do not collide again.
        pause = min(FIRST_RETRY * 2 ** min(tries - 1, 20), longest)
        return pause * (0.5 + random.random() / 2)

    def now(self, connection: Connection) -> datetime.datetime:
        """Return the database server's time, naive UTC: what leases of several hosts count on.

        On SQLite, where all workers are on one machine, it is the injected clock's.
        """
        statement = _NOW.get(self.dialect)
        if statement is None:
            return self._clock.now()
        moment: datetime.datetime = connection.execute(statement).scalar_one()
        return moment

    def interrupt(self) -> None:
        """Make every run() that waits for a retry give up with the error that it met."""
        self._stop.set()

    def close(self) -> None:
        """Close idle connections; those in use close when they are given back."""
        self._reader.dispose()
        self._writer.dispose()

    def after_fork(self) -> None:
        """Forget, in a child process, the connections that belong to its parent.

        Called by itself after os.fork(). SQLite connections do not survive that: the parent's
        idle ones are closed before a fork.
        """
        self._reader.dispose(close=False)
        self._writer.dispose(close=False)
        self._stop = threading.Event()
        self._outage = _Outage(self._outage.name, self._clock)

    def before_fork(self) -> None:
        """Close idle SQLite connections: a child that inherits one loses its file locks."""
        if self.dialect == "sqlite" and not is_memory(self.url):
            self.close()


class _Outage:
    """Says once that the database is away, and once that it is back."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._since: float | None = None
        self._lock = threading.Lock()

    def noticed(self, error: Exception) -> None:
        with self._lock:
            if self._since is None:
                self._since = self._clock.monotonic()
                LOG.warning("Database %s is away, trying on: %s", self.name, _summary(error))

    def over(self) -> None:
        if self._since is None:
            return
        with self._lock:
            if self._since is not None:
                seconds = self._clock.monotonic() - self._since
                self._since = None
                LOG.info("Database %s is back after %.1f s", self.name, seconds)


def default_url(state_path: str) -> str:
    """Return the URL of the SQLite database that is used where none is configured."""
    return f"sqlite:///{os.path.join(os.path.abspath(state_path), 'manila-lite.sqlite')}"


def _summary(error: Exception) -> str:
    """Return the first line of an error; the rest is SQL."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _each(method: Callable[[Database], Any]) -> None:
    for database in list(_databases):
        method(database)


os.register_at_fork(
    before=lambda: _each(Database.before_fork),
    after_in_child=lambda: _each(Database.after_fork),
)
