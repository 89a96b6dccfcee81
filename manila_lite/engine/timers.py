# SPDX-License-Identifier: Apache-2.0
"""Waiting operations in memory: an entry in a heap each, and one thread for all of them."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import threading
from collections.abc import Callable, Iterable

from manila_lite.clock import Clock
from manila_lite.engine.outcomes import Waiter


@dataclasses.dataclass(slots=True)
class Entry:
    """A suspended operation. Kept small: a worker may hold 100,000 of them.

    waiter: the probe to ask when it is due; None when the flow is simply entered again.
    """

    operation_id: int
    owner: str
    fence: int
    revision: int
    waiter: Waiter | None
    progress: str | None = None
    # Its clean-up runs already; a cancel has nothing more to say to it.
    cleaning_up: bool = False
    due: float = 0.0
    # False once somebody else (a cancel, a drain) took the entry out.
    live: bool = True


class Timers:
    """Hands entries to `on_due` when their time has come, never before.

    on_due runs on the timers' own thread and must return at once.
    """

    def __init__(self, clock: Clock, on_due: Callable[[Entry], None]) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[float, int, Entry]] = []
        self._entries: dict[int, Entry] = {}
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def add(self, entry: Entry, delay: float) -> None:
        """Keep the entry for `delay` seconds, unless there is one of a later claim."""
        entry.due = self._clock.monotonic() + delay
        with self._lock:
            known = self._entries.get(entry.operation_id)
            if known is not None and known.fence > entry.fence:
                # This one is left over from before the worker was declared lost.
                return
            entry.live = True
            first = not self._heap or entry.due < self._heap[0][0]
            heapq.heappush(self._heap, (entry.due, next(self._order), entry))
            self._entries[entry.operation_id] = entry
        if first:
            self._wake.set()

    def take(self, operation_id: int) -> Entry | None:
        """Take an entry out before its time to cancel it.

        None when it is not waiting here or is cleaning up already.
        """
        with self._lock:
            entry = self._entries.get(operation_id)
            if entry is None or entry.cleaning_up:
                return None
            del self._entries[operation_id]
            entry.live = False
            return entry

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            for entry in self._entries.values():
                entry.live = False
            self._entries.clear()
            self._heap.clear()

    def due(self) -> Iterable[Entry]:
        """Take out and return what is due now."""
        now = self._clock.monotonic()
        ready = []
        with self._lock:
            while self._heap and (self._heap[0][0] <= now or not self._heap[0][2].live):
                due, _, entry = heapq.heappop(self._heap)
                # An entry that was taken and added again has its old place in the heap as well.
                if entry.live and due == entry.due and self._holds(entry):
                    del self._entries[entry.operation_id]
                    ready.append(entry)
        return ready

    def _holds(self, entry: Entry) -> bool:
        return self._entries.get(entry.operation_id) is entry

    def _next_delay(self) -> float | None:
        with self._lock:
            if not self._heap:
                return None
            return max(self._heap[0][0] - self._clock.monotonic(), 0.0)

    def _run(self) -> None:
        while not self._stopping:
            for entry in self.due():
                self._on_due(entry)
            delay = self._next_delay()
            if delay is None or delay > 0:
                self._clock.wait(self._wake, delay)
                self._wake.clear()
