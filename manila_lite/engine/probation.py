# SPDX-License-Identifier: Apache-2.0
"""Operations under suspicion begin one at a time.

When a process dies, nobody can tell which of its operations was the reason: all of them count a
start. Let them begin together again and again, and the innocent are parked as dead along with
the one that kills. So whoever has been started a few times without finishing a step begins
alone: the next death is then its own doing, and the others come to their end in the meantime.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from manila_lite.clock import Clock

# Seconds after which one that runs has shown that it does no harm at once: the next may begin.
PATIENCE = 10.0


class Probation:
    """What one worker knows of its suspects."""

    def __init__(
        self, clock: Clock, max_dispatches: int, on_over: Callable[[], None] = lambda: None
    ) -> None:
        """on_over: called when a suspect came to rest, so that the next one may begin."""
        self._clock = clock
        # Starts after which an operation is a suspect: so many are left to show who it is.
        self.starts = max(max_dispatches // 2, 1)
        self._on_over = on_over
        # By id and fence: when it began to run, None while it waits for a thread.
        self._suspects: dict[tuple[int, int], float | None] = {}
        self._lock = threading.Lock()

    def admits(self) -> bool:
        """Whether a suspect may be claimed now."""
        now = self._clock.monotonic()
        with self._lock:
            began = list(self._suspects.values())
        return all(moment is not None and now - moment >= PATIENCE for moment in began)

    def is_suspect(self, claimed: dict[str, Any]) -> bool:
        """Whether a row, as claim() returned it, is that of a suspect."""
        return int(claimed["dispatches"]) > self.starts

    def watch(self, claimed: dict[str, Any], run: Callable[[], None]) -> Callable[[], None]:
        """Return run, watched if the row that was claimed is a suspect's."""
        if not self.is_suspect(claimed):
            return run
        key = claimed["id"], claimed["fence"]
        with self._lock:
            self._suspects[key] = None

        def watched() -> None:
            with self._lock:
                self._suspects[key] = self._clock.monotonic()
            try:
                run()
            finally:
                with self._lock:
                    self._suspects.pop(key, None)
                self._on_over()

        return watched
