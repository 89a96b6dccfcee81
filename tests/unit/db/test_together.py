# SPDX-License-Identifier: Apache-2.0
"""Questions that come at the same time share a query; each gets its own answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from manila_lite.db.together import Together

PATIENCE = 10


class Table:
    """Answers {key: key in capitals}; a test can hold a query up, or let it fail."""

    def __init__(self):
        self.queries = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.refused = None

    def ask(self, keys):
        self.queries.append(sorted(keys))
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        if self.refused in keys:
            raise LookupError(f"no {self.refused}")
        return {key: [key.upper()] for key in keys if key != "unknown"}


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(32) as pool:
        yield pool


def _ask_behind(table, together, pool, keys):
    """Let all keys be asked for while a query for 'first' is under way; return the futures."""
    table.gate.clear()
    first = pool.submit(together.get, "first")
    assert table.entered.acquire(timeout=PATIENCE)
    futures = [pool.submit(together.get, key) for key in keys]
    pause = threading.Event()
    while together.waiting < len(keys):
        pause.wait(0.001)
    table.gate.set()
    return first, futures


def test_a_lone_question_is_asked_at_once(table):
    together = Together(table.ask)

    assert together.get("a") == ["A"]
    assert together.get("unknown") is None
    assert table.queries == [["a"], ["unknown"]]


def test_what_is_asked_during_a_query_is_asked_together_after_it(table, pool):
    together = Together(table.ask)
    first, futures = _ask_behind(table, together, pool, ["a", "b", "unknown"])

    assert first.result(PATIENCE) == ["FIRST"]
    assert [future.result(PATIENCE) for future in futures] == [["A"], ["B"], None]
    assert table.queries == [["first"], ["a", "b", "unknown"]]


def test_no_query_is_for_more_keys_than_it_may(table, pool):
    together = Together(table.ask, most=2)
    _, futures = _ask_behind(table, together, pool, list("abcde"))

    assert [future.result(PATIENCE) for future in futures] == [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert sorted(map(len, table.queries)) == [1, 1, 2, 2]


def test_two_who_ask_for_the_same_get_an_object_each(table, pool):
    """They change what they get: a status here, an export location there."""
    together = Together(table.ask)
    _, futures = _ask_behind(table, together, pool, ["a", "a"])
    one, other = (future.result(PATIENCE) for future in futures)

    assert one == other == ["A"]
    assert one is not other


def test_an_error_is_raised_in_every_thread_that_asked_and_in_no_other(table, pool):
    together = Together(table.ask)
    table.refused = "b"
    first, futures = _ask_behind(table, together, pool, ["a", "b"])

    assert first.result(PATIENCE) == ["FIRST"]
    for future in futures:
        with pytest.raises(LookupError, match="no b"):
            future.result(PATIENCE)
    assert together.get("a") == ["A"]


def test_many_threads_that_ask_again_and_again_all_get_their_own(table, pool):
    together = Together(table.ask, most=5)

    def ask(number):
        return [together.get(f"{number}-{turn}") for turn in range(50)]

    answers = list(pool.map(ask, range(32)))

    assert answers == [[[f"{number}-{turn}"] for turn in range(50)] for number in range(32)]
    assert sum(map(len, table.queries)) == 32 * 50
