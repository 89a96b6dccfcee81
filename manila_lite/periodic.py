# SPDX-License-Identifier: Apache-2.0
"""What a service does again and again: each task on a thread of its own, so that none is late
because another one is slow."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

from oslo_log import log

from manila_lite import no_eventlet

no_eventlet.choose_threads()

from oslo_service import loopingcall  # noqa: E402  (settles on a back end when imported)

LOG = log.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Task:
    """A task, every `interval` seconds, first after `initial_delay` seconds."""

    name: str
    run: Callable[[], Any]
    interval: float
    initial_delay: float = 0.0


class PeriodicTasks:
    """Starts and stops the tasks of one service. An error ends one run, never a task."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = [task for task in tasks if task.interval > 0]
        self._calls: list[Any] = []

    def start(self) -> None:
        for task in self._tasks:
            call = loopingcall.FixedIntervalLoopingCall(_unbroken(task))
            call.start(task.interval, initial_delay=task.initial_delay, stop_on_exception=False)
            self._calls.append(call)

    def stop(self) -> None:
        """Begin no further run; one that is under way is not waited for."""
        for call in self._calls:
            call.stop()


def fuzzy(limit: float) -> float:
    """Return a random delay of up to `limit` seconds, to spread the load of many services."""
    return random.uniform(0, limit)


def _unbroken(task: Task) -> Callable[[], None]:
    def run() -> None:
        try:
            task.run()
        except Exception:
            LOG.exception(
                "Periodic task %s failed; it runs again in %s s", task.name, task.interval
            )

    return run
