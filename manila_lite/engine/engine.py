# SPDX-License-Identifier: Apache-2.0
"""The engine: journal, claims, runner, leases and their threads, put together.

One engine serves one host ('host@backend') in one process. start() after a fork, never before.
"""

from __future__ import annotations

import datetime
import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite.clock import Clock, SystemClock
from manila_lite.db import operations as rows
from manila_lite.db import workers
from manila_lite.db.session import Database
from manila_lite.engine import claims
from manila_lite.engine.commits import GroupCommitter
from manila_lite.engine.executor import Executor
from manila_lite.engine.journal import Journal, LaneResolver
from manila_lite.engine.leases import Worker
from manila_lite.engine.probation import Probation
from manila_lite.engine.registry import FlowRegistry
from manila_lite.engine.runner import Runner, Surroundings, no_surroundings
from manila_lite.engine.settings import EngineSettings

LOG = log.getLogger(__name__)

_PURGE_BATCH = 1000
# Seconds after a worker was lost in which nothing is claimed ahead.
_CAREFUL = 10.0
_LAST_CLAIM = 5.0


class Engine:
    """Carries out the operations of one host.

    env is handed to flows as op.env. lost_worker is called when this worker was declared lost
    (it was paused for longer than its lease): the engine then goes on under a new identity.
    """

    def __init__(
        self,
        database: Database,
        host: str,
        registry: FlowRegistry,
        *,
        env: Any = None,
        settings: EngineSettings | None = None,
        clock: Clock | None = None,
        resolvers: Mapping[str, tuple[str, LaneResolver]] | None = None,
        surroundings: Surroundings = no_surroundings,
    ) -> None:
        self.host = host
        self.settings = settings or EngineSettings()
        self.clock = clock or SystemClock()
        self._database = database
        self._first_step = claims.announcing(registry, self.settings)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._claims: threading.Thread | None = None
        self._more = False
        self._careful_until = 0.0
        self._probation = Probation(self.clock, self.settings.max_dispatches, self.wake)
        self.committer = GroupCommitter(database, host, on_unblocked=self.wake)
        self.journal = Journal(
            database,
            host,
            registry,
            self.clock,
            resolvers,
            on_recorded=self.wake,
            on_blocked=self.committer.note_blocked,
        )
        self.executor = Executor(self.settings.threads, on_room=self._on_room)
        self.runner = Runner(
            database,
            registry,
            self.committer,
            self.clock,
            self.settings,
            env,
            self.executor.submit,
            lambda: self.worker,
            surroundings,
        )
        self.worker = Worker(database, host, self.settings.lease, self.clock)

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Register, take over what a worker that is gone left behind, and begin to work."""
        self.worker.register()
        self._take_over()
        self._mend_lanes()
        self.committer.start()
        self.executor.start()
        self.runner.timers.start()
        self._claims = self._spawn("claims", self._claim_loop)
        self._spawn("leases", self._lease_loop)
        self._spawn("requests", self._sweep_loop)

    def stop(self) -> bool:
        """Let running steps finish within drain_timeout and give the rest back.

        Returns whether every running step ended. One that is still running then is left in
        doubt: the next worker asks its probe.
        """
        self._stopping.set()
        self._wake.set()
        self.runner.drain()
        self.runner.timers.stop()
        drained = self.executor.wait_idle(self.settings.drain_timeout)
        # A claim that is under way would else be committed after everything was given back.
        if self._claims is not None:
            self._claims.join(_LAST_CLAIM)
        kept = [] if drained else self.runner.running()
        self.runner.timers.clear()
        self.committer.stop(5.0)
        try:
            released = self.worker.stop(kept)
            LOG.info("%d operations stay queued, %d are in doubt", released, len(kept))
        except Exception as error:
            LOG.warning("Operations are given back when the lease is over: %s", error)
        self._ended.set()
        self.executor.stop()
        return drained

    def wake(self) -> None:
        """Look for work now: something was recorded or a lane became free."""
        self._wake.set()

    def waiting(self) -> int:
        """Return how many suspended operations this worker holds in memory."""
        return len(self.runner.timers)

    def _on_room(self) -> None:
        if self._more:
            self._wake.set()

    @staticmethod
    def _spawn(name: str, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    # -- claims --------------------------------------------------------------------------------

    def _claim_loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._claim_while_room()
            except Exception:
                LOG.exception("Claiming operations failed; it is tried again")
            self.clock.wait(self._wake, self.settings.poll_interval)
            self._wake.clear()

    def _claim_while_room(self) -> None:
        while not self._stopping.is_set():
            self.executor.ahead = self.clock.monotonic() >= self._careful_until
            room = min(self.executor.room(), self.settings.claim_batch)
            if room <= 0:
                self._more = True
                # Room may have come between the look and the note.
                if self.executor.room() <= 0:
                    return
                continue
            claimed = claims.claim(
                self._database,
                self.host,
                self.worker.id,
                self.clock,
                room,
                self._first_step,
                self._probation,
            )
            for row in claimed:
                run = functools.partial(self.runner.run_claimed, row)
                self.executor.submit(self._probation.watch(row, run), claimed=True)
            self._more = len(claimed) == room
            if not self._more:
                return

    # -- leases and requests -------------------------------------------------------------------

    def _lease_loop(self) -> None:
        """Until the very end: steps that a stop waits for must not be taken over meanwhile."""
        interval = self.settings.lease / 3
        while not self.clock.wait(self._ended, interval):
            try:
                held = self.worker.renew()
                if self._stopping.is_set():
                    continue
                if not held:
                    self._become_new_worker()
                if self._take_over():
                    self.wake()
            except Exception:
                LOG.exception("Renewing the lease failed; it is tried again")

    def _take_over(self) -> int:
        """Put what lost workers had back into the queue; return how many operations.

        For a while nothing is claimed ahead then: what ended that worker may end this one, and
        what was claimed counts as started, also where it never began.
        """
        taken = self.worker.take_over()
        if taken:
            self._careful_until = self.clock.monotonic() + _CAREFUL
        return taken

    def _become_new_worker(self) -> None:
        """Go on after this worker was declared lost: forget what it held, under a new name."""
        LOG.error("Worker %s was declared lost while it lived; it goes on as new", self.worker.id)
        self.runner.timers.clear()
        worker = Worker(self._database, self.host, self.settings.lease, self.clock)
        worker.register()
        self.worker = worker

    def _sweep_loop(self) -> None:
        since_maintenance = 0.0
        while not self.clock.wait(self._stopping, self.settings.sweep_interval):
            try:
                self._look_for_requests()
                self._mend_lanes()
                since_maintenance += self.settings.sweep_interval
                if since_maintenance >= self.settings.maintenance_interval:
                    since_maintenance = 0.0
                    self._maintain()
            except Exception:
                LOG.exception("Looking for requests failed; it is tried again")

    def _look_for_requests(self) -> None:
        owner = self.worker.id

        def work(connection: Connection) -> list[tuple[int, str]]:
            return rows.requests_for(connection, owner)

        for operation_id, request in self._database.run(work, write=False):
            if request == rows.CANCEL:
                self.runner.cancel(operation_id)

    def _mend_lanes(self) -> None:
        if claims.mend_lanes(self._database, self.host, self.committer):
            self.wake()

    def _maintain(self) -> None:
        before = self.clock.now() - datetime.timedelta(seconds=self.settings.retention)

        def purge(connection: Connection) -> int:
            return rows.purge(connection, before, _PURGE_BATCH)

        # Until nothing is left: more than one batch may end between two rounds.
        while self._database.run(purge) == _PURGE_BATCH and not self._stopping.is_set():
            LOG.debug("%d operations that ended long ago were deleted", _PURGE_BATCH)
        self._database.run(lambda connection: workers.purge(connection, before))
