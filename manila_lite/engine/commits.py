# SPDX-License-Identifier: Apache-2.0
"""Group commit: the writes of many running operations in one transaction.

Each running flow hands in a bundle and waits; one thread takes all that wait and commits them
together. Every bundle is guarded by owner, fence and revision of its operation, checked under
row locks, so that

* a worker whose operation was taken over writes nothing, neither operation nor resource;
* a bundle whose COMMIT was sent on a connection that then broke is not applied twice: its
  revision tells that it went through.

It does not keep a worker that lost an operation from going on with a driver call that it had
begun; only the writes stop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite.db import operations as rows
from manila_lite.db.owned_updates import OwnedUpdate
from manila_lite.db.session import Database
from manila_lite.db.writes import Write, execute_writes
from manila_lite.engine import crashpoints

LOG = log.getLogger(__name__)

INTENT = "intent"
WAIT = "wait"
FINISH = "finish"
RELEASE = "release"


class FenceLost(BaseException):
    """The operation belongs to another worker now; nothing of this one may be written."""


class CommitterStopped(BaseException):
    """The engine stopped before the bundle was committed; it was not written."""


@dataclasses.dataclass(slots=True)
class Bundle:
    """What one operation wants written, all or nothing.

    update: the kind of update; parameters: its values without those of the guard. lane: set when
    the operation leaves its lane.
    """

    kind: str
    operation_id: int
    owner: str
    fence: int
    revision: int
    update: OwnedUpdate
    parameters: dict[str, Any]
    writes: Sequence[Write] = ()
    lane: str | None = None
    error: BaseException | None = None
    done: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def guarded(self) -> dict[str, Any]:
        self.parameters.update(
            id=self.operation_id,
            owner=self.owner,
            fence=self.fence,
            revision=self.revision,
        )
        return self.parameters


class GroupCommitter:
    """Commits bundles, many at a time.

    on_unblocked is called, from the committing thread, when a finished operation let another
    of its lane go ahead.
    """

    def __init__(
        self,
        database: Database,
        host: str,
        on_unblocked: Callable[[], None] = lambda: None,
        most: int = 256,
    ) -> None:
        self._database = database
        self._host = host
        self._on_unblocked = on_unblocked
        self._most = most
        self._waiting: deque[Bundle] = deque()
        self._wake = threading.Condition(threading.Lock())
        self._stopping = False
        # Lanes in which an operation waits behind another, as far as this process knows.
        self._blocked: set[str] = set()
        self._noted: set[str] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Commit what waits, then end; at most timeout seconds."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def commit(self, bundle: Bundle) -> None:
        """Return when the bundle is committed.

        Raises FenceLost when the operation was taken over; the database's own error when the
        bundle's writes are refused (then nothing of it was written). Rides out a database that
        is away.
        """
        bundle.done.acquire()
        with self._wake:
            if self._stopping:
                raise CommitterStopped()
            self._waiting.append(bundle)
            self._wake.notify()
        # The committing thread releases the lock: a latch, cheaper than an Event.
        bundle.done.acquire()
        if bundle.error is not None:
            raise bundle.error

    def note_blocked(self, lanes: Iterable[str]) -> None:
        """Say that an operation was recorded behind another one of its lane."""
        noted = set(lanes)
        self._noted |= noted
        self._blocked |= noted

    def replace_blocked(self, lanes: Iterable[str]) -> None:
        """Say which lanes the database shows as blocked; those noted since the last time stay."""
        noted, self._noted = self._noted, set()
        self._blocked = noted | set(lanes)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    self._wake.wait()
                if not self._waiting:
                    return
                batch = [
                    self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))
                ]
            self._commit_batch(batch)
            for bundle in batch:
                bundle.done.release()

    def _commit_batch(self, batch: list[Bundle]) -> None:
        try:
            self._transact(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            LOG.debug("A group of %d is committed one by one: %s", len(batch), error)
            for bundle in batch:
                self._commit_batch([bundle])

    def _transact(self, batch: list[Bundle]) -> None:
        unblocked = self._database.run(lambda connection: self._apply(connection, batch))
        self._reach("after_commit", batch)
        if unblocked:
            # What is committed is committed, whatever a listener makes of it.
            with contextlib.suppress(Exception):
                self._on_unblocked()

    def _apply(self, connection: Connection, batch: list[Bundle]) -> int:
        held = self._still_held(connection, batch)
        by_update: dict[int, tuple[OwnedUpdate, list[dict[str, Any]]]] = {}
        for bundle in held:
            group = by_update.setdefault(id(bundle.update), (bundle.update, []))
            group[1].append(bundle.guarded())
        for update, parameters in by_update.values():
            update.execute(connection, parameters)
        execute_writes(connection, [bundle.writes for bundle in held if bundle.writes])
        lanes = [bundle.lane for bundle in held if bundle.lane in self._blocked]
        unblocked = rows.unblock_next(connection, self._host, lanes) if lanes else 0
        self._reach("before_commit", batch)
        return unblocked

    @staticmethod
    def _still_held(connection: Connection, batch: list[Bundle]) -> list[Bundle]:
        """Return the bundles to write; mark those whose operation is not theirs any more."""
        locked = rows.lock_owned(connection, [bundle.operation_id for bundle in batch])
        held = []
        for bundle in batch:
            bundle.error = None
            found = locked.get(bundle.operation_id)
            if found == (bundle.owner, bundle.fence, bundle.revision):
                held.append(bundle)
            elif found != (bundle.owner, bundle.fence, bundle.revision + 1):
                bundle.error = FenceLost(f"operation {bundle.operation_id} was taken over")
        return held

    @staticmethod
    def _reach(moment: str, batch: list[Bundle]) -> None:
        for bundle in batch:
            name = f"{bundle.kind}.{moment}"
            if name in crashpoints.NAMES:
                crashpoints.reach(name)
