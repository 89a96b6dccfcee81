# SPDX-License-Identifier: Apache-2.0
"""The listener's own rules, with a connection that does what a test says."""

import threading

import pytest

from manila_lite.clock import SystemClock
from manila_lite.rpc.listener import BatchListener
from tests.unit.rpc.fakes import Broker

LONG = b"long"


class Impatient(SystemClock):
    """Pauses between tries take no time."""

    def wait(self, event, timeout):
        return event.wait(min(timeout or 0.0, 0.001))


class Journal:
    def __init__(self):
        self.batches = []
        self.gates = {}
        self.errors = []
        self.changed = threading.Condition()
        self.entered = []

    def gate(self, body):
        self.gates[body] = threading.Event()
        return self.gates[body]

    def __call__(self, batch):
        with self.changed:
            self.entered += batch
            self.changed.notify_all()
        for body in batch:
            if body in self.gates:
                self.gates[body].wait(10)
        with self.changed:
            if self.errors:
                error = self.errors.pop(0)
                self.changed.notify_all()
                raise error
            self.batches.append(list(batch))
            self.changed.notify_all()

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, 10)

    @property
    def all(self):
        return [body for batch in self.batches for body in batch]


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def listen(broker, journal):
    made = []

    def start(**options):
        options.setdefault("receive", lambda raw: raw.body)
        listener = BatchListener(
            broker.connect, journal, clock=Impatient(),
            takes_long=lambda body: body.startswith(LONG), **options,
        )  # fmt: skip
        made.append(listener)
        listener.start()
        return listener

    yield start
    for gate in journal.gates.values():
        gate.set()
    for listener in made:
        listener.stop(5)


def until(condition):
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return True
        pause.wait(0.005)
    return False


def test_a_batch_is_acknowledged_with_one_word_after_it_is_journaled(broker, journal, listen):
    gate = journal.gate(b"1")
    listen(batch_size=3)
    link = broker.link(0)
    link.put(b"1", b"2", b"3")
    journal.wait_for(lambda: b"1" in journal.entered)
    assert link.acknowledged == []
    gate.set()
    assert until(lambda: link.settled() == {1, 2, 3})
    assert all(all_before for _, all_before in link.acknowledged)


def test_a_batch_is_no_larger_than_it_may_be(broker, journal, listen):
    gate = journal.gate(b"0")
    listen(batch_size=4)
    link = broker.link(0)
    link.put(b"0")
    journal.wait_for(lambda: journal.entered)
    link.put(*[b"%d" % number for number in range(1, 11)])
    assert until(lambda: not link.inbox)
    gate.set()
    assert until(lambda: len(link.settled()) == 11)
    assert journal.all == [b"%d" % number for number in range(11)]
    assert max(len(batch) for batch in journal.batches) <= 4


def test_what_takes_long_holds_nobody_up_and_is_acknowledged_in_its_own_time(
    broker, journal, listen
):
    gate = journal.gate(LONG)
    listen()
    link = broker.link(0)
    link.put(LONG, b"2", b"3")
    assert until(lambda: {2, 3} <= link.settled())
    assert 1 not in link.settled()
    gate.set()
    assert until(lambda: link.settled() == {1, 2, 3})


def test_a_lost_link_does_not_let_its_numbers_speak_for_the_next_one(broker, journal, listen):
    """The new link's message 1 takes long: acknowledging up to 2 would lose it."""
    old = journal.gate(LONG + b" old")
    new = journal.gate(LONG + b" new")
    listen()
    first = broker.link(0)
    first.put(*[b"%d" % number for number in range(9)], LONG + b" old")
    assert until(lambda: len(first.settled()) == 9)
    first.break_down()
    second = broker.link(1)
    second.put(LONG + b" new", b"x")
    assert until(lambda: 2 in second.settled())
    assert 1 not in second.settled()
    old.set()
    journal.wait_for(lambda: LONG + b" new" in journal.entered)
    assert second.settled() == {2}
    new.set()
    assert until(lambda: second.settled() == {1, 2})


def test_what_was_journaled_for_a_lost_link_is_not_acknowledged_on_the_next(
    broker, journal, listen
):
    gate = journal.gate(b"a")
    listen()
    first = broker.link(0)
    first.put(b"a")
    journal.wait_for(lambda: journal.entered)
    first.break_down()
    second = broker.link(1)
    gate.set()
    journal.wait_for(lambda: journal.batches)
    second.put(b"a", b"b")
    assert until(lambda: second.settled() == {1, 2})
    assert journal.all == [b"a", b"a", b"b"]
    assert first.acknowledged == []
    assert first.closed


def test_what_a_lost_link_delivered_and_nobody_journals_yet_is_forgotten(broker, journal, listen):
    gate = journal.gate(b"a")
    listen(batch_size=1)
    first = broker.link(0)
    first.put(b"a", b"b", b"c")
    journal.wait_for(lambda: journal.entered)
    assert until(lambda: not first.inbox)
    first.break_down()
    broker.link(1).put(b"a", b"b", b"c")
    gate.set()
    assert until(lambda: broker.links[1].settled() == {1, 2, 3})
    assert journal.all == [b"a", b"a", b"b", b"c"]


def test_a_batch_that_fails_is_offered_again_as_it_was(broker, journal, listen):
    journal.errors = [RuntimeError("away"), RuntimeError("away")]
    listen()
    link = broker.link(0)
    link.put(b"1")
    assert until(lambda: link.settled() == {1})
    assert journal.entered == [b"1"] * 3
    assert journal.batches == [[b"1"]]


def test_a_message_that_somebody_else_took_over_is_acknowledged_and_not_journaled(
    broker, journal, listen
):
    gate = journal.gate(b"cast")
    listen(receive=lambda raw: None if raw.body == b"call" else raw.body)
    link = broker.link(0)
    link.put(b"cast")
    journal.wait_for(lambda: journal.entered)
    link.put(b"call")
    assert until(lambda: link.acknowledged == [(2, False)])
    gate.set()
    assert until(lambda: link.settled() == {1, 2})
    assert journal.all == [b"cast"]


def test_connecting_is_tried_until_it_succeeds(broker, journal, listen):
    broker.failures = [OSError("refused"), OSError("refused")]
    listener = listen()
    assert listener.tried.wait(10)
    broker.link(0)
    assert until(lambda: listener.connected)
    assert listener.error is None


def test_the_first_error_can_be_seen(broker, journal, listen):
    broker.failures = [OSError("refused")] * 10_000
    listener = listen()
    assert listener.tried.wait(10)
    assert str(listener.error) == "refused"
    assert not listener.connected


def test_stopping_journals_no_more_than_the_batch_in_hand(broker, journal, listen):
    gate = journal.gate(b"1")
    listener = listen(batch_size=1)
    link = broker.link(0)
    link.put(b"1", b"2", b"3")
    journal.wait_for(lambda: journal.entered)
    stopped = []
    stopping = threading.Thread(target=lambda: stopped.append(listener.stop(10)))
    stopping.start()
    assert until(listener._stop.is_set)
    gate.set()
    stopping.join(10)
    assert stopped == [True]
    assert journal.all == [b"1"]
    assert link.settled() == {1}
    assert link.closed


def test_stopping_ends_the_tries_of_a_journal_that_fails(broker, journal, listen):
    journal.errors = [RuntimeError("away")] * 1_000_000
    listener = listen()
    link = broker.link(0)
    link.put(b"1")
    journal.wait_for(lambda: journal.entered)
    assert listener.stop(10)
    assert link.acknowledged == []


def test_idle_waits_for_the_broker_to_have_nothing_left(broker, journal, listen):
    def connect(deliver):
        link = Broker.connect(broker, deliver)
        link.ready = 1
        return link

    broker.connect = connect
    listener = listen()
    link = broker.link(0)
    assert not listener.idle.wait(0.3)
    link.ready = 0
    assert listener.idle.wait(10)


def test_no_more_is_read_than_fits_in_memory(broker, journal, listen, monkeypatch):
    monkeypatch.setattr("manila_lite.rpc.listener._MAX_BYTES_IN_HAND", 10)
    gate = journal.gate(b"123456")
    listen(batch_size=1)
    link = broker.link(0)
    link.put(b"123456", b"abcdef", b"ABCDEF", b"x")
    journal.wait_for(lambda: journal.entered)
    assert until(lambda: len(link.inbox) < 4)
    assert not until_soon(lambda: len(link.inbox) < 2)
    gate.set()
    assert until(lambda: link.settled() == {1, 2, 3, 4})
    assert journal.all == [b"123456", b"abcdef", b"ABCDEF", b"x"]


def until_soon(condition):
    pause = threading.Event()
    for _ in range(20):
        if condition():
            return True
        pause.wait(0.005)
    return False
