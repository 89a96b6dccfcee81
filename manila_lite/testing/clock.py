# SPDX-License-Identifier: Apache-2.0
"""A clock that tests move by hand."""

from __future__ import annotations

import datetime
import threading

START = datetime.datetime(2026, 1, 1)


class ManualClock:
    """Time stands still until advance() is called; waits return at once and move it.

    A wait with a time-out moves the clock by that time-out when the event is not set, so that
    loops which wait between tries run at full speed in tests.
    """

    def __init__(self, start: datetime.datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime.datetime:
        with self._lock:
            return self._start + datetime.timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move time forward by seconds."""
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} seconds")
        with self._lock:
            self._elapsed += seconds

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        if not event.is_set() and timeout is not None:
            self.advance(timeout)
        return event.is_set()
