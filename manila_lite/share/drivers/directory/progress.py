# SPDX-License-Identifier: Apache-2.0
"""How far running copies have come, for whoever asks meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from manila_lite.share.drivers.directory.filedata import Progress


class CopyProgress:
    """Bytes done and to do, by name. Knows the copies of this process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: dict[str, tuple[int, int]] = {}

    @contextlib.contextmanager
    def following(self, name: str, total: int) -> Iterator[Progress]:
        """Yield what the copy calls with each count of bytes, of ``total`` in all."""
        with self._lock:
            self._copies[name] = (0, total)
        try:
            yield lambda count: self._add(name, count)
        finally:
            with self._lock:
                self._copies.pop(name, None)

    def percent(self, name: str) -> int | None:
        """0 to 99 while a copy of that name runs, None when none does."""
        with self._lock:
            copy = self._copies.get(name)
        if copy is None:
            return None
        done, total = copy
        return min(99, done * 100 // total) if total else 99

    def _add(self, name: str, count: int) -> None:
        with self._lock:
            done, total = self._copies[name]
            self._copies[name] = (done + count, total)
