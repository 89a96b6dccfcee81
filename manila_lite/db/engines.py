# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy engines for the three databases: one for reading, one for writing.

Two, because switching a connection between autocommit and transactions costs round trips on
MariaDB; this way a read is one statement and nothing else, and a writer's connection stays in
its isolation level.
"""

from __future__ import annotations

import dataclasses
import sqlite3
import time
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from oslo_db.sqlalchemy import exc_filters
from sqlalchemy import event, pool
from sqlalchemy.engine import URL, Connection, Engine, make_url

if TYPE_CHECKING:
    from oslo_config import cfg

_LOCK_LOOK = 0.001  # seconds between two looks for SQLite's write lock

_DRIVERS = {
    "postgresql": "postgresql+psycopg2",
    "postgresql+psycopg2": "postgresql+psycopg2",
    "postgres": "postgresql+psycopg2",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How connections are made and kept. Times are in seconds, pool sizes in connections.

    The pool sizes hold for readers and for writers each; SQLite has one writer in any case.
    """

    pool_size: int = 16
    max_overflow: int = 0
    pool_timeout: float = 30.0
    recycle_time: int = 3600
    lock_timeout: float = 10.0
    network_timeout: int = 60
    sqlite_synchronous: bool = True
    mysql_sql_mode: str | None = "TRADITIONAL"
    mysql_wsrep_sync_wait: int | None = None
    connection_parameters: str = ""

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> EngineOptions:
        """Read section [database]; options that are unset there keep the values above."""
        section = conf.database
        given = {
            "pool_size": section.max_pool_size,
            "max_overflow": section.max_overflow,
            "pool_timeout": section.pool_timeout,
            "recycle_time": section.connection_recycle_time,
            "lock_timeout": section.lock_timeout,
            "network_timeout": section.network_timeout,
            "sqlite_synchronous": section.sqlite_synchronous,
            "mysql_wsrep_sync_wait": section.mysql_wsrep_sync_wait,
            "connection_parameters": section.connection_parameters,
        }
        set_ones = {name: value for name, value in given.items() if value is not None}
        return cls(mysql_sql_mode=section.mysql_sql_mode or None, **set_ones)


def read_url(text: str | URL, connection_parameters: str = "") -> URL:
    """Parse a connection URL and name the driver; ``sqlite://`` is a database in memory.

    Raises ValueError, without the URL in its text, for anything but SQLite, PostgreSQL, MariaDB
    and MySQL.
    """
    try:
        url = make_url(text)
    except sa.exc.ArgumentError:
        raise ValueError("not a database URL; expected e.g. sqlite:////path/to/file") from None
    if url.drivername not in _DRIVERS:
        raise ValueError(
            f"{url.drivername!r} is not supported; use one of {', '.join(sorted(_DRIVERS))}"
        )
    url = url.set(drivername=_DRIVERS[url.drivername])
    # SQLAlchemy plugins, such as the counter that devstack configures for Manila's own services.
    url = url.difference_update_query(["plugin"])
    if connection_parameters:
        url = url.update_query_string(connection_parameters, append=True)
    # What MySQL calls utf8 has no room for four-byte characters; our own tables have.
    if url.query.get("charset") in ("utf8", "utf8mb3"):
        url = url.update_query_dict({"charset": "utf8mb4"})
    return _in_memory(url) if is_memory(url) else url


def is_memory(url: URL) -> bool:
    """Tell whether the URL names a SQLite database that lives in this process only."""
    if url.get_backend_name() != "sqlite":
        return False
    return url.database in (None, "", ":memory:") or url.query.get("vfs") == "memdb"


def _in_memory(url: URL) -> URL:
    """Give a memory database a name, so that all connections of the process share it."""
    if url.query.get("vfs") == "memdb":
        return url
    name = f"file:/manila-lite-{uuid.uuid4().hex}"
    return url.set(database=name, query={"vfs": "memdb", "uri": "true"})


def create_reader(url: URL, options: EngineOptions) -> Engine:
    """Return an engine whose connections are in autocommit: each statement sees what is there."""
    arguments = _arguments(url, options)
    engine = sa.create_engine(
        url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, **arguments
    )
    return _prepared(engine, options)


def create_writer(url: URL, options: EngineOptions) -> Engine:
    """Return an engine for transactions: READ COMMITTED, on SQLite BEGIN IMMEDIATE."""
    arguments = _arguments(url, options)
    if url.get_backend_name() == "sqlite":
        # Threads queue for the one connection in turn, instead of polling for SQLite's lock.
        arguments.update(pool_size=1, max_overflow=0)
        engine = sa.create_engine(url, **arguments)
        timeout = options.lock_timeout
        event.listen(engine, "begin", lambda connection: _begin_immediate(connection, timeout))
    else:
        engine = sa.create_engine(url, isolation_level="READ COMMITTED", **arguments)
    return _prepared(engine, options)


def _arguments(url: URL, options: EngineOptions) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "poolclass": pool.QueuePool,
        "pool_size": options.pool_size,
        "max_overflow": options.max_overflow,
        "pool_timeout": options.pool_timeout,
        "pool_recycle": options.recycle_time,
        "pool_use_lifo": True,
        # Values may be secrets, and errors end in logs.
        "hide_parameters": True,
    }
    backend = url.get_backend_name()
    if backend == "sqlite":
        # The last connection of a memory database takes the data with it.
        arguments["pool_recycle"] = -1
        arguments["connect_args"] = {"check_same_thread": False, "timeout": options.lock_timeout}
    elif backend == "postgresql":
        arguments["executemany_mode"] = "values_plus_batch"
        arguments["connect_args"] = _postgresql_timeouts(url, options)
    else:
        arguments["connect_args"] = _mysql_arguments(url, options)
    return arguments


def _postgresql_timeouts(url: URL, options: EngineOptions) -> dict[str, Any]:
    """Let the kernel notice a server that went away without a word."""
    wanted: dict[str, Any] = {
        "connect_timeout": 10,
        "keepalives_idle": max(options.network_timeout // 2, 1),
        "keepalives_interval": max(options.network_timeout // 6, 1),
        "keepalives_count": 3,
        "tcp_user_timeout": options.network_timeout * 1000,
        "client_encoding": "utf8",
        "application_name": "manila-lite",
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _mysql_arguments(url: URL, options: EngineOptions) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "connect_timeout": 10,
        "read_timeout": options.network_timeout,
        "write_timeout": options.network_timeout,
        "charset": "utf8mb4",
        "init_command": _mysql_session(options),
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _mysql_session(options: EngineOptions) -> str:
    """Return one SET statement for all session variables: one round trip per connection."""
    settings = [f"innodb_lock_wait_timeout = {max(int(options.lock_timeout), 1)}"]
    if options.mysql_sql_mode:
        settings.append(f"sql_mode = '{_word(options.mysql_sql_mode)}'")
    if options.mysql_wsrep_sync_wait is not None:
        settings.append(f"wsrep_sync_wait = {int(options.mysql_wsrep_sync_wait)}")
    return "SET SESSION " + ", SESSION ".join(settings)


def _word(mode: str) -> str:
    if not mode.replace("_", "").replace(",", "").isalnum():
        raise ValueError(f"mysql_sql_mode: {mode!r} is not a list of modes")
    return mode


def _prepared(engine: Engine, options: EngineOptions) -> Engine:
    # oslo.db's translation of driver errors, without its listeners for savepoints and its ping
    # at every checkout: lost connections are met by running the work again.
    event.listen(engine, "handle_error", exc_filters.handler, retval=True)
    if engine.dialect.name == "sqlite":
        _listen_sqlite(engine, options)
    elif engine.dialect.name == "postgresql":
        _listen_postgresql(engine, options)
    return engine


def _listen_sqlite(engine: Engine, options: EngineOptions) -> None:
    def on_connect(connection: Any, _record: Any) -> None:
        # None: the driver neither begins nor commits on its own.
        connection.isolation_level = None
        if not is_memory(engine.url):
            connection.execute("PRAGMA journal_mode = WAL")
        level = "FULL" if options.sqlite_synchronous else "OFF"
        connection.execute(f"PRAGMA synchronous = {level}")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA journal_size_limit = 67108864")

    event.listen(engine, "connect", on_connect)


def _listen_postgresql(engine: Engine, options: EngineOptions) -> None:
    milliseconds = int(options.lock_timeout * 1000)

    def on_connect(connection: Any, _record: Any) -> None:
        before, connection.autocommit = connection.autocommit, True
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {milliseconds}")
        connection.autocommit = before

    event.listen(engine, "connect", on_connect)


def _begin_immediate(connection: Connection, lock_timeout: float) -> None:
    """Take the write lock at once: a transaction that reads first could not upgrade later.

    SQLite itself looks for a lock after 1, 2, 5 ... 100 ms, so that who has waited longest looks
    most seldom: a process that writes without a pause keeps the others out. Short looks are fair.
    """
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        if not _begun(raw, time.monotonic() + lock_timeout):
            # Once more through SQLAlchemy, for the error that callers know.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(lock_timeout * 1000)}")


def _begun(raw: Any, until: float) -> bool:
    """Try until it is time to give up; False also for any trouble but a lock."""
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError as error:
            locked = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not locked or time.monotonic() >= until:
                return False
        time.sleep(_LOCK_LOOK)
