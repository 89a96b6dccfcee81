# SPDX-License-Identifier: Apache-2.0
"""Operations under suspicion begin in ever smaller groups, and at last alone.

When a process dies, nobody can tell which of its operations was the reason: all of them count a
start. Let them begin together again and again, and the innocent are parked as dead along with
the one that kills. So the fewer starts an operation has left, the fewer others may begin beside
it, down to none: the last death is its own doing, and the innocent have come to their end.

Groups, not single file from the first doubt on: a machine that is switched off every few seconds
kills what is innocent too, and that should go on getting done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from manila_lite.clock import Clock

# Seconds after which one that runs has shown that it does no harm at once.
PATIENCE = 10.0
# How many times smaller a group is than the one that was tried before.
FACTOR = 5


class Admission:
    """Who may be claimed together, as the suspects stand that began lately."""

    def __init__(self, max_dispatches: int, suspects: list[int]) -> None:
        """suspects: of each that began lately, the starts that it had before."""
        self._max_dispatches = max_dispatches
        self._count = len(suspects)
        self._capacity = min(map(self._group, suspects), default=FACTOR**max_dispatches)

    def _group(self, starts: int) -> int:
        return int(FACTOR ** max(self._max_dispatches - starts - 1, 0))

    def admits(self, starts: int) -> bool:
        """Whether a suspect of so many starts may begin too; if so, it counts from now on."""
        if starts >= self._max_dispatches:
            # It will be parked, not begun.
            return True
        capacity = min(self._capacity, self._group(starts))
        if self._count >= capacity:
            return False
        self._capacity = capacity
        self._count += 1
        return True


class Probation:
    """What one worker knows of its suspects."""

    def __init__(
        self, clock: Clock, max_dispatches: int, on_over: Callable[[], None] = lambda: None
    ) -> None:
        """on_over: called when a suspect came to rest, so that others may begin."""
        self._clock = clock
        self._max_dispatches = max_dispatches
        # Starts after which an operation is a suspect: so many are left to show who it is.
        self.starts = max(max_dispatches // 2, 1)
        self._on_over = on_over
        # By id and fence: starts before this one, and when it began to run (None: not yet).
        self._suspects: dict[tuple[int, int], tuple[int, float | None]] = {}
        self._lock = threading.Lock()

    def admission(self) -> Admission:
        """Return who may be claimed now."""
        now = self._clock.monotonic()
        with self._lock:
            known = list(self._suspects.values())
        lately = [starts for starts, began in known if began is None or now - began < PATIENCE]
        return Admission(self._max_dispatches, lately)

    def watch(self, claimed: dict[str, Any], run: Callable[[], None]) -> Callable[[], None]:
        """Return run, watched if the row that was claimed is a suspect's."""
        starts = int(claimed["dispatches"]) - 1
        if not self.starts <= starts < self._max_dispatches:
            return run
        key = claimed["id"], claimed["fence"]
        with self._lock:
            self._suspects[key] = starts, None

        def watched() -> None:
            with self._lock:
                self._suspects[key] = starts, self._clock.monotonic()
            try:
                run()
            finally:
                with self._lock:
                    self._suspects.pop(key, None)
                self._on_over()

        return watched
