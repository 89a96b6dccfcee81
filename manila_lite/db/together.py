# SPDX-License-Identifier: Apache-2.0
"""One query for all threads that ask the same kind of question at the same time."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(slots=True, eq=False)
class _Question:
    key: str
    answered: bool = False
    answer: Any = None
    error: BaseException | None = None
    # Released when there is an answer, or when its thread shall ask for all that wait.
    turn: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class Together(Generic[T]):
    """Looks up rows by key, for many threads with one query.

    A thread that finds nobody asking asks at once. Those that come meanwhile wait, and one of
    them then asks for all: without load nothing is delayed, with load a query is shared by as
    many as came during the last one. What is read is never older than the question.
    """

    def __init__(self, ask: Callable[[Sequence[str]], Mapping[str, T]], most: int = 100) -> None:
        """ask: returns what it finds by key, an object of its own for each. most: keys at once."""
        self._ask = ask
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Question] = []
        self._asking = False

    @property
    def waiting(self) -> int:
        """How many questions wait for the query that is under way."""
        return len(self._waiting)

    def get(self, key: str) -> T | None:
        """Return what there is under the key, None when nothing is.

        Raises what the query raised, also where another thread made it.
        """
        question = _Question(key)
        question.turn.acquire()
        with self._lock:
            self._waiting.append(question)
            mine = not self._asking
            self._asking = True
        if not mine:
            question.turn.acquire()
        if not question.answered:
            self._ask_for_all()
        if question.error is not None:
            raise question.error
        answer: T | None = question.answer
        return answer

    def _ask_for_all(self) -> None:
        batch = self._take()
        try:
            found = self._ask(list(batch))
            for key, question in batch.items():
                question.answer = found.get(key)
        except BaseException as error:
            for question in batch.values():
                question.error = error
        finally:
            self._hand_over(batch)

    def _take(self) -> dict[str, _Question]:
        """Take those that wait; of equal keys one, for answers are changed by who gets them."""
        batch: dict[str, _Question] = {}
        left = []
        with self._lock:
            for question in self._waiting:
                if len(batch) < self._most and question.key not in batch:
                    batch[question.key] = question
                else:
                    left.append(question)
            self._waiting = left
        return batch

    def _hand_over(self, batch: Mapping[str, _Question]) -> None:
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._asking = following is not None
        # First of all, so that the database works on while the others wake up.
        if following is not None:
            following.turn.release()
        for question in batch.values():
            question.answered = True
            question.turn.release()
