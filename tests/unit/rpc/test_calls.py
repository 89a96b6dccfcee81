# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from manila_lite import exception
from manila_lite.rpc.calls import CallPool
from manila_lite.rpc.dead_letters import DeadLetter, Reason
from manila_lite.rpc.endpoints import Accepted
from manila_lite.testing.clock import ManualClock


class Replies:
    def __init__(self):
        self.sent = []
        self.signs = 0
        self.changed = threading.Condition()

    def _add(self, *what):
        with self.changed:
            self.sent.append(what)
            self.changed.notify_all()

    def result(self, msg_id, reply_q, result):
        if result is NotImplemented:
            raise TypeError("not JSON")
        self._add(msg_id, reply_q, result)

    def failure(self, msg_id, reply_q, error):
        self._add(msg_id, reply_q, error)

    def alive(self, msg_id, reply_q):
        self.signs += 1

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.sent) >= count, 10)
        return dict((msg_id, what) for msg_id, _, what in self.sent)  # noqa: C402


@pytest.fixture
def replies():
    return Replies()


@pytest.fixture
def pool(replies):
    made = []

    def make(run, threads=1, backlog=8, clock=None):
        made.append(CallPool(run, replies, threads=threads, backlog=backlog, clock=clock))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop(5)


def call(number, **changes):
    values = {"msg_id": f"m{number}", "reply_q": "q", "timeout": None, **changes}
    return Accepted("get", "1.0", {"n": number}, {}, f"u{number}", **values)


def test_results_go_to_their_callers(pool, replies):
    calls = pool(lambda accepted: accepted.arguments["n"] * 10, threads=3)
    for number in range(5):
        calls.submit(call(number))
    assert replies.wait(5) == {f"m{number}": number * 10 for number in range(5)}
    assert {reply_q for _, reply_q, _ in replies.sent} == {"q"}


def test_an_exception_is_the_reply(pool, replies):
    error = exception.InvalidShare(reason="gone")

    def run(accepted):
        raise error

    pool(run).submit(call(1))
    assert replies.wait(1) == {"m1": error}


def test_a_driver_that_exits_ends_its_call_and_not_the_thread(pool, replies):
    def run(accepted):
        if accepted.arguments["n"] == 1:
            raise SystemExit(3)
        return "done"

    calls = pool(run, threads=1)
    calls.submit(call(1))
    calls.submit(call(2))
    answers = replies.wait(2)
    assert isinstance(answers["m1"], SystemExit)
    assert answers["m2"] == "done"


def test_a_result_that_cannot_be_sent_is_a_failure_to_the_caller(pool, replies):
    pool(lambda accepted: NotImplemented).submit(call(1))
    assert isinstance(replies.wait(1)["m1"], TypeError)


def test_calls_beyond_threads_and_backlog_are_refused_at_once(pool, replies):
    gate = threading.Event()
    calls = pool(lambda accepted: gate.wait(10), threads=1, backlog=1)
    for number in range(3):
        calls.submit(call(number))
    refused = replies.wait(1)
    assert list(refused) == ["m2"]
    assert "busy" in str(refused["m2"])
    gate.set()
    assert replies.wait(3) == {**refused, "m0": True, "m1": True}


def test_a_call_whose_caller_gave_up_is_not_begun(pool, replies):
    clock = ManualClock()
    gate = threading.Event()
    begun = []

    def run(accepted):
        begun.append(accepted.msg_id)
        gate.wait(10)

    calls = pool(run, clock=clock)
    calls.submit(call(0))
    calls.submit(call(1), lifetime=60.0)
    calls.submit(call(2), lifetime=90.0)
    clock.advance(61)
    gate.set()
    assert set(replies.wait(2)) == {"m0", "m2"}
    assert begun == ["m0", "m2"]


def test_a_call_that_comes_again_is_not_run_again(pool, replies):
    runs = []
    calls = pool(runs.append)
    calls.submit(call(1))
    calls.submit(call(1))
    calls.submit(call(2))
    replies.wait(2)
    assert [accepted.unique_id for accepted in runs] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        (Reason.UNKNOWN_METHOD, "NoSuchMethod"),
        (Reason.UNSUPPORTED_VERSION, "UnsupportedVersion"),
        (Reason.WRONG_TYPE, "InvalidParameterValue"),
        (Reason.BAD_MESSAGE, "InvalidParameterValue"),
    ],
)
def test_a_refused_call_gets_the_exception_that_oslo_would_send(pool, replies, reason, name):
    letter = DeadLetter(reason, "why", method="m", version="9.0", msg_id="m1", reply_q="q")
    pool(lambda accepted: None).reject(letter)
    error = replies.wait(1)["m1"]
    assert type(error).__name__ == name


def test_stopping_lets_the_running_call_finish_and_tells_the_waiting_ones(pool, replies):
    gate = threading.Event()
    running = threading.Event()

    def run(accepted):
        running.set()
        gate.wait(10)
        return "done"

    calls = pool(run)
    calls.submit(call(0))
    assert running.wait(10)
    calls.submit(call(1))
    stopped = []
    stopping = threading.Thread(target=lambda: stopped.append(calls.stop(10)))
    stopping.start()
    assert calls._stopping.wait(10)
    gate.set()
    stopping.join(10)
    assert stopped == [True]
    answers = replies.wait(2)
    assert answers["m0"] == "done"
    assert "Try again" in str(answers["m1"])


def test_signs_of_life_come_while_a_caller_who_asked_for_them_waits(pool, replies):
    clock = ManualClock()  # waits take no time, so signs come at full speed

    def run(accepted):
        pause = threading.Event()
        while replies.signs < 3:
            pause.wait(0.001)
        return "done"

    calls = pool(run, clock=clock)
    calls.submit(call(1, timeout=10.0))
    assert replies.wait(1) == {"m1": "done"}
    assert replies.signs >= 3
