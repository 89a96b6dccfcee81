# SPDX-License-Identifier: Apache-2.0
"""An engine without threads: tests decide what happens next.

The parts are the real ones (journal, claims, runner, group commit, leases) on a real database;
only the threads and the clock are replaced, so that an interleaving can be chosen and repeated.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite.clock import Clock
from manila_lite.db import models, workers
from manila_lite.db import operations as rows
from manila_lite.db.session import Database
from manila_lite.engine import claims
from manila_lite.engine.commits import Bundle, GroupCommitter
from manila_lite.engine.journal import Journal, LaneResolver, NewOperation
from manila_lite.engine.leases import Worker
from manila_lite.engine.probation import Probation
from manila_lite.engine.registry import FlowRegistry
from manila_lite.engine.runner import Runner
from manila_lite.engine.settings import EngineSettings


class InlineCommitter(GroupCommitter):
    """Commits each bundle in the thread that hands it in."""

    def commit(self, bundle: Bundle) -> None:
        self._commit_batch([bundle])
        if bundle.error is not None:
            raise bundle.error


class SteppedEngine:
    """One worker whose every move a test makes by hand."""

    def __init__(
        self,
        database: Database,
        registry: FlowRegistry,
        clock: Clock,
        *,
        host: str = "host@backend",
        env: Any = None,
        settings: EngineSettings | None = None,
        resolvers: Mapping[str, tuple[str, LaneResolver]] | None = None,
    ) -> None:
        self.host = host
        self.clock = clock
        self.database = database
        self._registry = registry
        self.settings = settings or EngineSettings()
        self.probation = Probation(clock, self.settings.max_dispatches)
        self.jobs: deque[Callable[[], None]] = deque()
        self.committer = InlineCommitter(database, host)
        self.journal = Journal(
            database, host, registry, clock, resolvers, on_blocked=self.committer.note_blocked
        )
        self.runner = Runner(
            database,
            registry,
            self.committer,
            clock,
            self.settings,
            env,
            self.jobs.append,
            lambda: self.worker,
        )
        self.worker = Worker(database, host, self.settings.lease, clock)
        self.worker.register()

    def cast(self, method: str, **arguments: Any) -> str:
        """Record an operation; return its uuid."""
        return self.journal.record([NewOperation(method, arguments)])[0].uuid

    def claim(self, most: int = 100) -> list[dict[str, Any]]:
        """Claim lane heads and queue their runs; return the claimed rows."""
        claimed = claims.claim(
            self.database,
            self.host,
            self.worker.id,
            self.clock,
            most,
            claims.announcing(self._registry, self.settings),
            self.probation,
        )
        for row in claimed:
            run = functools.partial(self.runner.run_claimed, row)
            self.jobs.append(self.probation.watch(row, run))
        return list(claimed)

    def run_one(self) -> bool:
        """Run the oldest queued job; False when there is none."""
        if not self.jobs:
            return False
        self.jobs.popleft()()
        return True

    def fire_timers(self) -> None:
        """Queue a job for each suspended operation whose time has come."""
        for entry in self.runner.timers.due():
            self.runner._on_due(entry)

    def look_for_requests(self) -> None:
        """Pass cancel requests on to this worker's operations."""
        requests = self.database.run(
            lambda connection: rows.requests_for(connection, self.worker.id), write=False
        )
        for operation_id, request in requests:
            if request == rows.CANCEL:
                self.runner.cancel(operation_id)

    def run_until_idle(self, most: int = 1000) -> int:
        """Claim and run until nothing can run at the present time; return the number of jobs.

        The lease is renewed first if it ran out: a worker that lives does so in time.
        """
        if not self.worker.holds_lease():
            self.worker.renew()
        count = 0
        while count < most:
            self.fire_timers()
            if self.run_one():
                count += 1
            elif not self.claim() and not claims.mend_lanes(
                self.database, self.host, self.committer
            ):
                return count
        raise AssertionError(f"still busy after {most} jobs")

    def die(self) -> None:
        """Do no more, as if the process had been killed; others see that its worker is gone."""
        self.jobs.clear()
        self.runner.timers.clear()

        def work(connection: Connection) -> None:
            for row in workers.active(connection, self.host):
                if row["id"] == self.worker.id:
                    workers.declare_lost(connection, row["id"], row["lease_until"])

        self.database.run(work)

    def operation(self, uuid: str) -> dict[str, Any]:
        """Return the operation's row as it is in the database."""
        from manila_lite.db import operation_requests

        found = self.database.run(
            lambda connection: operation_requests.get_operation(connection, uuid), write=False
        )
        return dict(found[0])


def empty(database: Database) -> None:
    """Delete all rows of an SQLite database, by one script: a statement a table takes longer."""
    script = "".join(f'DELETE FROM "{name}";' for name in models.metadata.tables)
    with database.reader() as connection:
        raw: Any = connection.connection.driver_connection
        raw.executescript(script)
