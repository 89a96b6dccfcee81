# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from manila_lite.clock import SystemClock
from manila_lite.engine.timers import Entry, Timers
from manila_lite.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def timers(clock: ManualClock) -> Timers:
    return Timers(clock, lambda entry: None)


def _entry(number: int, fence: int = 1, **values) -> Entry:
    return Entry(number, "owner", fence, 0, None, **values)


def test_entries_come_out_in_the_order_of_their_times(timers: Timers, clock: ManualClock):
    for number, delay in ((1, 30), (2, 10), (3, 20)):
        timers.add(_entry(number), delay)
    clock.advance(25)
    assert [entry.operation_id for entry in timers.due()] == [2, 3]
    clock.advance(5)

    assert [entry.operation_id for entry in timers.due()] == [1]
    assert len(timers) == 0


def test_nothing_comes_out_before_its_time(timers: Timers, clock: ManualClock):
    timers.add(_entry(1), 10)
    clock.advance(9.999)

    assert list(timers.due()) == []
    assert len(timers) == 1


def test_an_entry_that_was_taken_does_not_come_out_again(timers: Timers, clock: ManualClock):
    entry = _entry(1)
    timers.add(entry, 10)

    assert timers.take(1) is entry
    assert timers.take(1) is None
    clock.advance(20)
    assert list(timers.due()) == []


def test_an_entry_that_was_taken_and_added_again_comes_out_once(timers, clock):
    entry = _entry(1)
    timers.add(entry, 10)
    timers.take(1)
    timers.add(entry, 20)
    clock.advance(30)

    assert list(timers.due()) == [entry]


def test_an_entry_that_is_added_again_later_does_not_come_out_at_its_first_time(timers, clock):
    entry = _entry(1)
    timers.add(entry, 10)
    timers.take(1)
    timers.add(entry, 20)
    clock.advance(15)

    assert list(timers.due()) == []


def test_what_is_cleaning_up_cannot_be_taken_by_a_cancel(timers: Timers, clock: ManualClock):
    timers.add(_entry(1, cleaning_up=True), 10)

    assert timers.take(1) is None
    clock.advance(10)
    assert len(list(timers.due())) == 1


def test_an_entry_of_an_older_claim_does_not_replace_a_newer_one(timers, clock):
    new, old = _entry(1, fence=3), _entry(1, fence=2)
    timers.add(new, 10)
    timers.add(old, 5)
    clock.advance(20)

    assert list(timers.due()) == [new]


def test_an_entry_of_a_newer_claim_replaces_an_older_one(timers: Timers, clock: ManualClock):
    new, old = _entry(1, fence=3), _entry(1, fence=2)
    timers.add(old, 5)
    timers.add(new, 10)
    clock.advance(20)

    assert list(timers.due()) == [new]


def test_clearing_forgets_everything(timers: Timers, clock: ManualClock):
    for number in range(3):
        timers.add(_entry(number), 1)
    timers.clear()
    clock.advance(2)

    assert list(timers.due()) == []
    assert len(timers) == 0


def test_the_timers_thread_hands_out_an_entry_and_wakes_for_an_earlier_one():
    out: list[int] = []
    seen = threading.Event()

    def on_due(entry: Entry) -> None:
        out.append(entry.operation_id)
        seen.set()

    timers = Timers(SystemClock(), on_due)
    timers.start()
    timers.add(_entry(1), 3600)
    timers.add(_entry(2), 0)

    assert seen.wait(10)
    timers.stop()
    assert out == [2]
    assert len(timers) == 1
