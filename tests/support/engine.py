# SPDX-License-Identifier: Apache-2.0
"""What tests of the engine share: a database in memory, a table to write to, and a back end.

The back end is a list: flows write into it what they do, so that a test can tell what happened,
how often and in which order.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import operation_requests, workers
from manila_lite.db import operations as rows
from manila_lite.db.models import metadata as all_tables
from manila_lite.db.models.lite import dead_letter_chunks, dead_letters, operations
from manila_lite.db.models.lite import workers as worker_table
from manila_lite.db.session import Database
from manila_lite.db.writes import Write
from manila_lite.engine.registry import FlowRegistry
from manila_lite.engine.settings import EngineSettings
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.engine import SteppedEngine

HOST = "host@backend"
LITE_TABLES = (operations, worker_table, dead_letters, dead_letter_chunks)

test_tables = sa.MetaData()
# One row for each time that a resource write was applied.
applied = sa.Table(
    "test_applied",
    test_tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
)
# A table that refuses a second row of the same name.
named_once = sa.Table(
    "test_named_once", test_tables, sa.Column("name", sa.String(64), primary_key=True)
)
_APPLY = applied.insert().values(name=sa.bindparam("b_name"))
_CLAIM_NAME = named_once.insert().values(name=sa.bindparam("b_name"))


def applying(name: str) -> Write:
    """A write that leaves one row each time it is carried out."""
    return Write(_APPLY, {"b_name": name})


def claiming_name(name: str) -> Write:
    """A write that the database refuses the second time."""
    return Write(_CLAIM_NAME, {"b_name": name})


def make_tables(database: Database) -> None:
    """Create the engine's tables and those of the tests."""
    with database.writer() as connection:
        all_tables.create_all(connection, tables=list(LITE_TABLES))
        test_tables.create_all(connection)


def applied_names(database: Database) -> list[str]:
    """The names that resource writes left, in order."""
    with database.reader() as connection:
        return list(connection.execute(sa.select(applied.c.name).order_by(applied.c.id)).scalars())


class Crash(BaseException):
    """The process ended here: nothing that it had not committed exists."""


@dataclasses.dataclass
class BackEnd:
    """What a driver would talk to. calls: what was done, in order."""

    calls: list[Any] = dataclasses.field(default_factory=list)
    # Called with the name of an effect before it takes place; may raise or act.
    before: Callable[[Any], None] = lambda name: None

    def do(self, name: Any, result: Any = None) -> Any:
        self.before(name)
        self.calls.append(name)
        return result

    def fail_with(self, *errors: BaseException) -> None:
        """Let the next effects raise these errors, one each."""
        left = list(errors)

        def before(name: Any) -> None:
            if left:
                raise left.pop(0)

        self.before = before


class SharedClock:
    """The clock of a database that outlives a test, set by each test anew."""

    def __init__(self) -> None:
        self.current = ManualClock()

    def now(self) -> datetime.datetime:
        return self.current.now()

    def monotonic(self) -> float:
        return self.current.monotonic()

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        return self.current.wait(event, timeout)


@functools.cache
def _shared() -> tuple[Database, SharedClock]:
    """One database for all tests of a process: SQLAlchemy compiles each statement once."""
    clock = SharedClock()
    database = Database("sqlite://", clock=clock)
    make_tables(database)
    return database, clock


def empty_database(clock: ManualClock) -> Database:
    """Return a database in memory whose tables are empty and whose time is the clock's."""
    database, shared = _shared()
    shared.current = clock
    with database.writer() as connection:
        for table in (*LITE_TABLES, *test_tables.sorted_tables):
            connection.execute(table.delete())
    return database


class Bench:
    """A database in memory, a clock, a registry, a back end, and workers made at will.

    There is one at a time in a process: a new one empties the database.
    """

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.database = empty_database(self.clock)
        self.registry = FlowRegistry()
        self.back_end = BackEnd()
        self.settings = EngineSettings(**settings)

    def flow(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Register a flow under its function's name; its lane is one per `key` by default."""
        if function is None:
            return lambda found: self.flow(found, **options)
        options.setdefault("lane", "lane:{key}" if _takes_key(function) else "lane")
        return self.registry.flow(function.__name__, **options)(function)

    def worker(self, **settings: Any) -> SteppedEngine:
        chosen = dataclasses.replace(self.settings, **settings)
        return SteppedEngine(
            self.database, self.registry, self.clock, host=HOST, env=self.back_end, settings=chosen
        )

    def crash(self, worker: SteppedEngine) -> None:
        """Let the worker vanish and the others notice: its operations are queued again."""
        worker.jobs.clear()
        worker.runner.timers.clear()
        self.expire(worker)

    def expire(self, worker: SteppedEngine) -> int:
        """Declare the worker lost although it may live on; return what it held."""

        def work(connection: Connection) -> int:
            lease = next(
                row["lease_until"]
                for row in workers.active(connection, HOST)
                if row["id"] == worker.worker.id
            )
            return workers.declare_lost(connection, worker.worker.id, lease) or 0

        return self.database.run(work)

    def row(self, uuid: str) -> dict[str, Any]:
        with self.database.reader() as connection:
            return operation_requests.get_operation(connection, uuid)[0]

    def state(self, uuid: str) -> str:
        return str(self.row(uuid)["state"])

    def states(self, uuids: Sequence[str]) -> list[str]:
        return [self.state(uuid) for uuid in uuids]

    def cancel(self, uuid: str) -> bool:
        return self.database.run(lambda c: operation_requests.request_cancel(c, uuid))

    def retry(self, uuid: str) -> bool:
        return self.database.run(
            lambda c: operation_requests.request_retry(c, uuid, self.clock.now())
        )

    def applied(self) -> list[str]:
        return applied_names(self.database)

    def mend_lanes(self) -> int:
        """What the engine's sweep does to blocked hints that are wrong."""

        def work(connection: Connection) -> int:
            lanes = rows.blocked_lanes(connection, HOST)
            return rows.unblock_next(connection, HOST, lanes) if lanes else 0

        return self.database.run(work)


def _takes_key(function: Callable[..., Any]) -> bool:
    return "key" in function.__code__.co_varnames[: function.__code__.co_argcount]
