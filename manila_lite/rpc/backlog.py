# SPDX-License-Identifier: Apache-2.0
"""What lies between a listener's link thread and one of its journal threads."""

from __future__ import annotations

import collections
import dataclasses
import math
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A message in hand. ``tag``: its delivery tag, which grows along a link; ``size`` in bytes."""

    tag: int
    size: int
    item: T


class Backlog(Generic[T]):
    """What one journal thread has before it. Not locked: its user holds a lock."""

    def __init__(self, name: str, batch_size: int) -> None:
        self.name = name
        self.batch_size = batch_size
        self.waiting: collections.deque[Entry[T]] = collections.deque()
        self.journaling: list[Entry[T]] = []
        # Tags that may be acknowledged, of the present link.
        self.journaled: list[int] = []
        # Whether what is being journaled came over the present link: only then do its tags
        # mean anything.
        self._current = False

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.journaling)

    def oldest_tag(self) -> float:
        """The first tag of the present link that is not journaled yet, or infinity."""
        if self.journaling and self._current:
            return self.journaling[0].tag
        return self.waiting[0].tag if self.waiting else math.inf

    def take(self) -> list[Entry[T]]:
        """Begin to journal a batch."""
        count = min(self.batch_size, len(self.waiting))
        self.journaling = [self.waiting.popleft() for _ in range(count)]
        self._current = True
        return self.journaling

    def settle(self, done: bool) -> int:
        """End the batch, journaled or not; return its bytes."""
        entries, self.journaling = self.journaling, []
        if done and self._current:
            self.journaled += [entry.tag for entry in entries]
        return sum(entry.size for entry in entries)

    def forget(self) -> int:
        """Drop what a lost link delivered and nobody journals yet; return its bytes."""
        size = sum(entry.size for entry in self.waiting)
        self.waiting.clear()
        self.journaled.clear()
        self._current = False
        return size
