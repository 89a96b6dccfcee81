# SPDX-License-Identifier: Apache-2.0
"""Carries one dispatch of an operation from its claim to its next rest."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.clock import Clock
from manila_lite.db import operations as rows
from manila_lite.db.session import Database
from manila_lite.db.writes import Write
from manila_lite.engine import outcomes
from manila_lite.engine.commits import CommitterStopped, FenceLost, GroupCommitter
from manila_lite.engine.leases import Worker
from manila_lite.engine.operation import Operation
from manila_lite.engine.outcomes import Pending, Suspended, Waiter
from manila_lite.engine.registry import FlowDefinition, FlowRegistry
from manila_lite.engine.settings import EngineSettings
from manila_lite.engine.shown import as_progress
from manila_lite.engine.timers import Entry, Timers

LOG = log.getLogger(__name__)

# Seconds until an operation is entered again after an error that left it where it was.
_AFTER_TROUBLE = 10.0

# Given to people who look at an operation's surroundings: log lines, metrics.
Surroundings = Callable[[Operation], contextlib.AbstractContextManager[Any]]


def no_surroundings(operation: Operation) -> contextlib.AbstractContextManager[Any]:
    """The default: nothing around an operation."""
    return contextlib.nullcontext()


class Runner:
    """Runs flows and does what their outcome asks for."""

    def __init__(
        self,
        database: Database,
        registry: FlowRegistry,
        committer: GroupCommitter,
        clock: Clock,
        settings: EngineSettings,
        env: Any,
        submit: Callable[[Callable[[], None]], None],
        worker: Callable[[], Worker],
        surroundings: Surroundings = no_surroundings,
    ) -> None:
        """worker: returns this process's present identity, which it may lose and change."""
        self._database = database
        self._registry = registry
        self._committer = committer
        self._clock = clock
        self._settings = settings
        self._env = env
        self._submit = submit
        self._worker = worker
        self._surroundings = surroundings
        self.timers = Timers(clock, self._on_due)
        self._running: dict[int, Operation] = {}
        self._lock = threading.Lock()
        self._draining = False

    # -- entry points --------------------------------------------------------------------------

    def run_claimed(self, row: dict[str, Any]) -> None:
        """Run an operation that was just claimed."""
        if self._draining and row.get("announced") is None:
            return
        operation = self._operation(row)
        if self._draining:
            # It was announced and will not be done: nobody shall take it for interrupted.
            self._guarded(operation, operation.release)
            return
        if operation.dispatches > self._settings.max_dispatches:
            error = outcomes.DispatchedTooOften(dispatches=operation.dispatches - 1)
            self._guarded(operation, lambda: self._give_up(operation, error, rows.DEAD))
            return
        self._guarded(operation, lambda: self._enter(operation))

    def resume(self, entry: Entry, answer: Callable[[], Any] | None = None) -> None:
        """Enter a suspended flow again from the top; answer: gives what its probe said."""
        try:
            row = self._load(entry)
        except BaseException:
            self._try_later(entry)
            raise
        if row is None:
            LOG.info("Operation number %s is not this worker's any more", entry.operation_id)
            return
        answers = {}
        if entry.waiter is not None and answer is not None:
            answers[entry.waiter.name] = answer
        operation = self._operation(row, answers)
        self._guarded(operation, lambda: self._enter(operation))

    def cancel(self, operation_id: int) -> None:
        """Let a running or waiting operation of this worker see that a cancel was asked for."""
        with self._lock:
            operation = self._running.get(operation_id)
        if operation is not None:
            operation.cancel_requested = True
            return
        entry = self.timers.take(operation_id)
        if entry is not None:
            self._submit(lambda: self.resume(entry))

    def drain(self) -> None:
        """Let every flow stop at its next step; what was claimed but not begun is left alone."""
        self._draining = True
        with self._lock:
            for operation in self._running.values():
                operation.draining = True

    def running(self) -> list[int]:
        """Return the ids of the operations that a thread is in now."""
        with self._lock:
            return list(self._running)

    # -- one dispatch --------------------------------------------------------------------------

    def _operation(
        self, row: dict[str, Any], answers: dict[str, Callable[[], Any]] | None = None
    ) -> Operation:
        operation = Operation(
            row,
            committer=self._committer,
            clock=self._clock,
            settings=self._settings,
            env=self._env,
            answers=answers,
            is_certain=functools.partial(self._is_certain, row["owner"]),
        )
        operation.draining = self._draining
        return operation

    def _is_certain(self, owner: str) -> bool:
        """Whether nobody can have taken the owner's operations over, judged from memory."""
        worker = self._worker()
        return worker.id == owner and worker.holds_lease()

    def _load(self, entry: Entry) -> dict[str, Any] | None:
        def work(connection: Connection) -> dict[str, Any] | None:
            return rows.load_owned(connection, entry.operation_id, entry.owner, entry.fence)

        return self._database.run(work, write=False)

    def _guarded(self, operation: Operation, work: Callable[[], None]) -> None:
        if not self._take_in(operation):
            self._try_later(_entry(operation))
            return
        try:
            with self._surroundings(operation):
                self._until_rest(operation, work)
        except FenceLost as lost:
            LOG.warning("Operation %s: %s", operation.uuid, lost)
        except CommitterStopped:
            LOG.info("Operation %s stays queued: the service is stopping", operation.uuid)
        except BaseException:
            self._try_later(_entry(operation))
            raise
        finally:
            with self._lock:
                del self._running[operation.id]

    def _take_in(self, operation: Operation) -> bool:
        """Note that a thread is in the operation; False when another one still is.

        That is so when this worker was declared lost in the middle of a driver call and, under
        its new name, claimed the operation again: it must not do twice at once what is in doubt.
        """
        with self._lock:
            if operation.id in self._running:
                return False
            self._running[operation.id] = operation
            operation.draining = self._draining
            return True

    def _try_later(self, entry: Entry) -> None:
        """Keep an operation that nothing could be written of: nobody else would go on with it."""
        if not self._draining:
            self.timers.add(dataclasses.replace(entry, waiter=None), _AFTER_TROUBLE)

    def _until_rest(self, operation: Operation, work: Callable[[], None]) -> None:
        try:
            work()
        except Suspended as suspended:
            self._suspend(operation, suspended)
        except outcomes.Drained:
            operation.release()

    def _enter(self, operation: Operation) -> None:
        definition = self._registry.get(operation.method)
        if definition is None:
            operation.fail(outcomes.UnknownFlow(method=operation.method))
            return
        try:
            definition.function(operation, **operation.arguments)
            if not operation.finished:
                operation.finish()
        except outcomes.Cancelled:
            self._cancel(operation, definition)
        except outcomes.ERRORS as error:
            self._after_error(operation, error)

    def _after_error(self, operation: Operation, error: BaseException) -> None:
        if operation.finished:
            LOG.exception("Operation %s: an error after its end", operation.uuid)
            return
        if exception.classify(error) is exception.ErrorKind.FINAL:
            LOG.warning("Operation %s failed: %s", operation.uuid, error, exc_info=error)
        else:
            LOG.warning("Operation %s failed for good: %s", operation.uuid, error)
        self._give_up(operation, error, rows.FAILED)

    def _give_up(self, operation: Operation, error: BaseException, state: str) -> None:
        definition = self._registry.get(operation.method)
        hook = definition.on_failure if definition is not None else None
        # A cancel that comes now is too late: the operation is failing.
        operation.begin_clean_up()
        self._end_with(operation, hook, error, state)

    def _cancel(self, operation: Operation, definition: FlowDefinition) -> None:
        operation.begin_clean_up()
        error = exception.ManilaException("The operation was cancelled on request.")
        hook = definition.on_cancel or definition.on_failure
        self._end_with(operation, hook, error, rows.CANCELLED)

    def _end_with(
        self,
        operation: Operation,
        hook: Callable[..., Iterable[Write] | None] | None,
        error: BaseException,
        state: str,
    ) -> None:
        """End badly with the hook's writes; without them if even those cannot be had.

        The resource is then left to reconciliation, which finds it in a transitional status.
        """
        try:
            writes = list(hook(operation, error, **operation.arguments) or ()) if hook else []
            operation.fail(error, writes, state)
        except outcomes.ERRORS:
            LOG.exception("Operation %s: its failure could not be recorded", operation.uuid)
            if not operation.finished:
                operation.fail(error, (), state)

    # -- waits ---------------------------------------------------------------------------------

    def _suspend(self, operation: Operation, suspended: Suspended) -> None:
        operation.suspend(suspended.delay)
        entry = _entry(operation, suspended.waiter)
        operation.let_go()
        if operation.cancel_requested and not operation.cleaning_up:
            # It was asked for after the flow's last look.
            self._submit(lambda: self.resume(entry))
        elif not self._draining:
            self.timers.add(entry, suspended.delay)

    def _on_due(self, entry: Entry) -> None:
        self._submit(functools.partial(self._probe, entry))

    def _probe(self, entry: Entry) -> None:
        """Ask a wait's probe again without entering the flow; enter it when there is news."""
        waiter = entry.waiter
        if waiter is None or entry.owner != self._worker().id:
            self.resume(entry)
            return
        if not self._is_certain(entry.owner):
            # The database is away, or this process was paused: another worker may be asking.
            self.timers.add(entry, waiter.schedule.delay(0))
            return
        try:
            answer = outcomes.ask(waiter.probe)
        except outcomes.ERRORS as error:
            self.resume(entry, functools.partial(_raise, error))
            return
        elapsed = self._clock.monotonic() - waiter.began
        overdue = waiter.deadline is not None and elapsed >= waiter.deadline
        if not isinstance(answer, Pending):
            self.resume(entry, lambda: answer)
        elif overdue or (_is_news(answer.progress, entry)):
            # The flow itself records progress and notices that its time is over.
            self.resume(entry, lambda: answer)
        elif not self._draining:
            self.timers.add(entry, waiter.schedule.delay(elapsed))


def _is_news(progress: str | None, entry: Entry) -> bool:
    return progress is not None and as_progress(progress) != entry.progress


def _entry(operation: Operation, waiter: Waiter | None = None) -> Entry:
    return Entry(
        operation.id,
        operation.owner,
        operation.fence,
        operation.revision,
        waiter,
        operation.shown_progress,
        operation.cleaning_up,
    )


def _raise(error: BaseException) -> Any:
    raise error
