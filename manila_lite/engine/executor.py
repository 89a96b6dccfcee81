# SPDX-License-Identifier: Apache-2.0
"""A bounded pool of threads that carries operations out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue

from oslo_log import log

LOG = log.getLogger(__name__)

Job = Callable[[], None]


class Executor:
    """Runs jobs on `threads` threads in the order in which they were submitted.

    on_room is called when there is room for a further claim: not at every job that ends, but
    when room for half as many jobs as threads has come together, or nothing is left to do.
    """

    def __init__(self, threads: int, on_room: Callable[[], None] = lambda: None) -> None:
        self._size = threads
        #: Whether work is claimed beyond the running one, so that a thread that gets free finds
        #: some. Without, nothing is claimed that cannot begin at once.
        self.ahead = True
        self._quantum = max(threads // 2, 1)
        self._on_room = on_room
        self._jobs: SimpleQueue[tuple[Job, bool] | None] = SimpleQueue()
        self._pending = 0
        self._claimed = 0
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(self._size):
            thread = threading.Thread(target=self._run, name=f"operations-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    @property
    def _capacity(self) -> int:
        return 3 * self._size if self.ahead else self._size

    @property
    def pending(self) -> int:
        """Jobs that run or wait for a thread."""
        return self._pending

    def room(self) -> int:
        """How many jobs a claim may add now; 0 until a worthwhile number fits."""
        room = self._capacity - self._claimed
        return room if room >= self._quantum else 0

    def submit(self, job: Job, *, claimed: bool = False) -> None:
        """Have a thread run the job. claimed: it takes up the room of a claim.

        Probes of waits take none: however many are due, casts go on being claimed.
        """
        with self._lock:
            self._pending += 1
            self._claimed += claimed
        self._jobs.put((job, claimed))

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no job runs or waits, at most timeout seconds; return whether that is so."""
        with self._idle:
            return self._idle.wait_for(lambda: self._pending == 0, timeout)

    def stop(self) -> None:
        """End the threads that are not in a job; never waits for one that is."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while True:
            taken = self._jobs.get()
            if taken is None:
                return
            job, claimed = taken
            try:
                job()
            except BaseException:
                LOG.exception("A job ended with an error that nobody handled")
            # Else the last job of an idle thread would be kept alive.
            del job, taken
            with self._lock:
                self._pending -= 1
                self._claimed -= claimed
                left = self._claimed
                if self._pending == 0:
                    self._idle.notify_all()
            if not claimed:
                continue
            room = self._capacity - left
            if left == 0 or (room >= self._quantum and room % self._quantum == 0):
                with contextlib.suppress(Exception):
                    self._on_room()
