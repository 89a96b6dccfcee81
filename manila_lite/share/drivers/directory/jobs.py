# SPDX-License-Identifier: Apache-2.0
"""Copies that go on while nobody waits: each in a thread of its own, asked after by name.

A thread dies with its process. Whoever asks after its copy next begins it anew, so the copies must
stand being killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from manila_lite.share.drivers.directory.progress import CopyProgress

# How many copy at the same time; more would only take the disk from each other.
_AT_ONCE: Final = 4


class Stopped(Exception):
    """Somebody asked for the copy to be given up."""


class StoppableProgress(CopyProgress):
    """What copies report to; ends those that are to stop."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping: set[str] = set()

    def stop(self, name: str) -> None:
        """End the copy of that name at its next report."""
        with self._lock:
            self._stopping.add(name)

    def allow(self, name: str) -> None:
        """Let a copy of that name run again."""
        with self._lock:
            self._stopping.discard(name)

    def check(self, name: str) -> None:
        """Raise Stopped where the copy of that name is to stop."""
        with self._lock:
            if name in self._stopping:
                raise Stopped(name)

    def _add(self, name: str, count: int) -> None:
        self.check(name)
        super()._add(name, count)


class _Job:
    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: Exception | None = None


class Jobs:
    """The copies of this process, by name."""

    def __init__(self, progress: StoppableProgress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def attend(self, name: str, work: Callable[[], None], seconds: float) -> bool:
        """Begin the work unless it goes on already; return whether it is over.

        Waits so many seconds for it. Raises what the work raised, once: it then begins anew.
        """
        job = self._begun(name, work)
        if not job.over.wait(seconds):
            return False
        self._forget(name, job)
        if job.error is not None:
            raise job.error
        return True

    def stop(self, name: str, seconds: float) -> bool:
        """End the work of that name; return whether it is over within so many seconds."""
        with self._lock:
            job = self._jobs.get(name)
        if job is None:
            return True
        self._progress.stop(name)
        if not job.over.wait(seconds):
            return False
        self._forget(name, job)
        return True

    def _begun(self, name: str, work: Callable[[], None]) -> _Job:
        with self._lock:
            job = self._jobs.get(name)
            if job is None:
                job = self._jobs[name] = _Job()
                self._progress.allow(name)
                # Not waited for when the service stops: the copy stands being killed.
                threading.Thread(
                    target=self._run, args=(name, job, work), name=f"copy of {name}", daemon=True
                ).start()
            return job

    def _run(self, name: str, job: _Job, work: Callable[[], None]) -> None:
        try:
            with self._turns:
                self._progress.check(name)
                work()
        except Exception as error:
            job.error = error
        finally:
            job.over.set()

    def _forget(self, name: str, job: _Job) -> None:
        with self._lock:
            if self._jobs.get(name) is job:
                del self._jobs[name]
