# SPDX-License-Identifier: Apache-2.0
"""Time, injected.

Nothing in the project reads the machine's clock or sleeps except through a Clock, so that tests
can move time by hand.
"""

from __future__ import annotations

import datetime
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the engine asks of time."""

    def now(self) -> datetime.datetime:
        """Return the present as naive UTC, the form in which rows keep it."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences mean anything."""

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        """Block until the event is set or timeout seconds are over; return whether it is set."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)

    def monotonic(self) -> float:
        # With the time that the machine was suspended: leases run out meanwhile.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        return event.wait(timeout)
