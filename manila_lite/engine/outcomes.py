# SPDX-License-Identifier: Apache-2.0
"""What probes answer, and how a flow that cannot go on now says so."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

from manila_lite import exception

# What drivers may raise at us: a third party's sys.exit() fails one operation, not the worker.
# The engine's own signals below are not among them.
ERRORS = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """A step in doubt did take effect; result is what it would have returned."""

    result: Any = None


class _Again:
    def __repr__(self) -> str:
        return "AGAIN"


# A step in doubt did not take effect, or may be repeated without harm.
AGAIN = _Again()


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """A wait is not over. progress is shown to people, such as "40%"."""

    progress: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """How often a wait is probed: (seconds waited so far, interval) pairs, ascending."""

    intervals: tuple[tuple[float, float], ...]

    def delay(self, elapsed: float) -> float:
        """Return the seconds to the next probe after `elapsed` seconds of waiting."""
        chosen = self.intervals[0][1]
        for since, interval in self.intervals:
            if elapsed >= since:
                chosen = interval
        return chosen


DEFAULT_SCHEDULE = Schedule(((0, 1), (10, 2), (20, 5), (60, 10)))


@dataclasses.dataclass(slots=True)
class Waiter:
    """A wait as it is kept in memory between probes."""

    name: str
    probe: Callable[[], Any]
    schedule: Schedule
    deadline: float | None
    began: float


class Suspended(BaseException):
    """The flow goes on in `delay` seconds: because of a wait, or to try a step again."""

    def __init__(self, delay: float, waiter: Waiter | None = None) -> None:
        super().__init__(delay)
        self.delay = delay
        self.waiter = waiter


class Drained(BaseException):
    """The service is stopping; the flow goes on at its next start."""


class Cancelled(BaseException):
    """Somebody asked for the operation to be cancelled."""


class WaitTimedOut(exception.ManilaException):
    message = "Waiting for '%(step)s' took longer than %(seconds)s seconds."


class StepInterrupted(exception.ManilaException):
    message = "The service stopped during '%(step)s', and it cannot be told whether it took effect."


class DispatchedTooOften(exception.ManilaException):
    message = "The operation was started %(dispatches)s times without getting any further."


class ResultTooLarge(exception.ManilaException):
    message = "'%(step)s' returned %(size)s characters; no more than %(most)s can be recorded."


class UnknownFlow(exception.ManilaException):
    message = "This service has no flow for method '%(method)s'."


def ask(probe: Callable[[], Any]) -> Any:
    """Ask a wait's probe; an error that may pass counts as not yet."""
    try:
        return probe()
    except ERRORS as error:
        if exception.classify(error) is exception.ErrorKind.FINAL:
            raise
        return Pending()
