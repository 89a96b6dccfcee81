# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from manila_lite.engine.executor import Executor


@pytest.fixture
def executor():
    made = Executor(4)
    made.start()
    yield made
    made.stop()


def test_jobs_run_and_the_pool_becomes_idle(executor: Executor):
    done: list[int] = []
    for number in range(20):
        executor.submit(lambda number=number: done.append(number))

    assert executor.wait_idle(10)
    assert sorted(done) == list(range(20))
    assert executor.pending == 0


def test_one_thread_runs_jobs_in_the_order_of_their_arrival():
    executor = Executor(1)
    done: list[int] = []
    for number in range(20):
        executor.submit(lambda number=number: done.append(number))
    executor.start()

    assert executor.wait_idle(10)
    executor.stop()
    assert done == list(range(20))


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_a_job_that_raises_costs_no_thread(error):
    executor = Executor(1)
    executor.start()

    def fail():
        raise error

    done = threading.Event()
    executor.submit(fail)
    executor.submit(done.set)

    assert done.wait(10)
    assert executor.wait_idle(10)
    executor.stop()


def test_room_is_three_times_the_threads_and_none_until_it_is_worth_a_claim():
    executor = Executor(8)
    assert executor.room() == 24
    for _ in range(21):
        executor.submit(lambda: None, claimed=True)

    assert executor.room() == 0
    for _ in range(20):
        executor.submit(lambda: None, claimed=True)
    assert executor.room() == 0


def test_more_room_is_told_by_halves_and_at_the_end_and_not_for_each_job():
    told: list[int] = []
    executor = Executor(8, on_room=lambda: told.append(executor.pending))
    for _ in range(24):
        executor.submit(lambda: None, claimed=True)
    executor._size = 1
    executor.start()

    assert executor.wait_idle(10)
    executor.stop()
    assert 0 < len(told) <= 6


def test_a_listener_in_trouble_costs_no_thread():
    def told():
        raise RuntimeError("nobody listens")

    executor = Executor(1, on_room=told)
    executor.start()
    done = threading.Event()
    executor.submit(lambda: None, claimed=True)
    executor.submit(done.set)

    assert done.wait(10)
    executor.stop()


def test_waiting_for_idle_ends_when_its_time_is_over(executor: Executor):
    go = threading.Event()
    executor.submit(lambda: go.wait(10) and None)

    assert not executor.wait_idle(0.01)
    go.set()
    assert executor.wait_idle(10)


def test_probes_that_are_due_take_no_room_from_claims():
    executor = Executor(4)
    for _ in range(100):
        executor.submit(lambda: None)

    assert executor.room() == 12
    assert executor.pending == 100


def test_nothing_is_claimed_ahead_where_somebody_says_so():
    executor = Executor(4)
    executor.ahead = False
    assert executor.room() == 4
    for _ in range(3):
        executor.submit(lambda: None, claimed=True)

    assert executor.room() == 0
    executor.ahead = True
    assert executor.room() == 9
