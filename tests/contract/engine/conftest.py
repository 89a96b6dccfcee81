# SPDX-License-Identifier: Apache-2.0
"""Engines with their threads on each of the three databases."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from manila_lite.clock import SystemClock
from manila_lite.db import operation_requests
from manila_lite.db.session import Database
from manila_lite.engine import FlowRegistry
from manila_lite.engine.engine import Engine
from manila_lite.engine.settings import EngineSettings
from manila_lite.testing.engine import SteppedEngine
from tests.support.engine import HOST, test_tables

PATIENCE = 90.0  # seconds; a busy machine is no failure

SETTINGS = EngineSettings(threads=8, poll_interval=0.05, sweep_interval=0.1, lease=15.0)


class Site:
    """One database, its flows, and engines that work on it."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.url = url
        self.registry = FlowRegistry()
        self.settings = SETTINGS
        self.env: Any = None
        self._engines: list[Engine] = []

    def flow(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        if function is None:
            return lambda found: self.flow(found, **options)
        options.setdefault("lane", "lane:{lane}")
        return self.registry.flow(function.__name__, **options)(function)

    def engine(self, **settings: Any) -> Engine:
        """An engine that is not started yet, with connections of its own."""
        made = Engine(
            Database(self.url),
            HOST,
            self.registry,
            env=self.env,
            settings=dataclasses.replace(self.settings, **settings),
        )
        self._engines.append(made)
        return made

    def worker(self) -> SteppedEngine:
        """A worker without threads: the test's own thread is its only one."""
        return SteppedEngine(
            self.database, self.registry, SystemClock(), env=self.env, settings=self.settings
        )

    def row(self, uuid: str) -> dict[str, Any]:
        with self.database.reader() as connection:
            return operation_requests.get_operation(connection, uuid)[0]

    def counts(self) -> dict[str, int]:
        with self.database.reader() as connection:
            return operation_requests.count_by_state(connection)

    def wait_for(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Whether the condition came true in time; looked at 50 times a second."""
        pause, clock = threading.Event(), SystemClock()
        end = clock.monotonic() + seconds
        while clock.monotonic() < end:
            if condition():
                return True
            pause.wait(0.02)
        return condition()

    def all_are(self, count: int, *states: str) -> bool:
        found = self.counts()
        return sum(found.get(state, 0) for state in states) == count == sum(found.values())

    def close(self) -> None:
        for engine in self._engines:
            with contextlib.suppress(Exception):
                engine.stop()
            engine._database.interrupt()
            engine._database.close()


@pytest.fixture
def site(database: Database, database_url: str) -> Iterator[Site]:
    with database.writer() as connection:
        test_tables.create_all(connection)
    made = Site(database, database_url)
    yield made
    made.close()
    # A test may have cut the connections in the pool.
    database.run(test_tables.drop_all)
