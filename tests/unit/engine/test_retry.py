# SPDX-License-Identifier: Apache-2.0
"""Retry is data: tenacity's objects answer when, the row keeps it, nobody sleeps."""

import json

import pytest
import tenacity

from manila_lite import exception
from manila_lite.engine import RetryPolicy, retry
from tests.support.engine import Bench, applying

BUSY = exception.BackendBusy(reason="later")


def _fixed(attempts: int = 3, seconds: float = 7) -> RetryPolicy:
    return RetryPolicy("fixed", tenacity.wait_fixed(seconds), tenacity.stop_after_attempt(attempts))


def test_a_policy_answers_without_sleeping():
    policy = _fixed()

    assert [policy.delay(tries, 0.0, BUSY) for tries in (1, 2, 3)] == [7, 7, None]


def test_a_policy_repeats_no_final_error():
    assert _fixed().delay(1, 0.0, exception.ManilaException("no")) is None


def test_a_policy_repeats_errors_in_doubt_and_transient_ones():
    assert _fixed().delay(1, 0.0, TimeoutError()) == 7
    assert _fixed().delay(1, 0.0, ConnectionRefusedError()) == 7


def test_a_policy_may_name_the_errors_that_it_repeats():
    policy = RetryPolicy(
        "named",
        tenacity.wait_fixed(1),
        tenacity.stop_after_attempt(9),
        tenacity.retry_if_exception_type(KeyError),
    )

    assert policy.delay(1, 0.0, KeyError("x")) == 1
    assert policy.delay(1, 0.0, BUSY) is None


def test_a_policy_may_stop_by_the_time_since_the_first_try():
    policy = RetryPolicy("timed", tenacity.wait_fixed(10), tenacity.stop_after_delay(60))

    assert policy.delay(3, 59.0, BUSY) == 10
    assert policy.delay(3, 60.0, BUSY) is None


def test_a_policy_may_stop_before_the_wait_would_go_past_the_end():
    policy = RetryPolicy("before", tenacity.wait_fixed(10), tenacity.stop_before_delay(60))

    assert policy.delay(3, 49.0, BUSY) == 10
    assert policy.delay(3, 51.0, BUSY) is None


def test_a_policy_from_numbers_grows_by_its_coefficient_up_to_its_maximum():
    policy = retry.build(
        "mine",
        initial_interval=2,
        backoff_coefficient=3,
        maximum_interval=30,
        maximum_attempts=6,
    )

    assert [policy.delay(tries, 0.0, BUSY) for tries in range(1, 7)] == [2, 6, 18, 30, 30, None]


@pytest.mark.parametrize("field", ["initial_interval", "maximum_interval", "maximum_attempts"])
def test_a_policy_from_negative_numbers_is_refused_by_the_name_of_the_number(field):
    numbers = {
        "initial_interval": 1,
        "backoff_coefficient": 2,
        "maximum_interval": 10,
        "maximum_attempts": 3,
    }

    with pytest.raises(ValueError, match=field):
        retry.build("mine", **{**numbers, field: -1})


def test_the_built_in_driver_policy_ends_within_its_attempts():
    delays = [retry.DRIVER.delay(tries, 0.0, BUSY) for tries in range(1, 5)]

    assert all(delay is not None and 0 < delay <= 31 for delay in delays[:3])
    assert delays[3] is None


# -- in the engine --------------------------------------------------------------------------------


def _one_step(bench: Bench, policy):
    @bench.flow(on_failure=lambda op, error, key: [applying(f"error {key}")])
    def make(op, key):
        op.step("only", op.env.do, "only", retry=policy)


def test_the_time_of_the_next_try_stands_in_the_row(bench: Bench):
    _one_step(bench, _fixed())
    bench.back_end.fail_with(BUSY)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    row = bench.row(uuid)

    assert row["state"] == "waiting"
    assert (row["next_run_at"] - bench.clock.now()).total_seconds() == 7
    assert "later" in json.loads(row["steps"])["only"]["error"]


def test_a_step_is_tried_again_when_its_time_has_come_and_not_before(bench: Bench):
    _one_step(bench, _fixed())
    bench.back_end.fail_with(BUSY)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    bench.clock.advance(6.9)
    worker.run_until_idle()
    assert bench.back_end.calls == []
    bench.clock.advance(0.2)
    worker.run_until_idle()

    assert bench.back_end.calls == ["only"]
    assert bench.state(uuid) == "succeeded"


def test_an_operation_fails_with_the_last_error_when_the_policy_gives_up(bench: Bench):
    _one_step(bench, _fixed(attempts=3))
    bench.back_end.fail_with(BUSY, BUSY, exception.BackendBusy(reason="the third"), BUSY)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    for _ in range(5):
        worker.run_until_idle()
        bench.clock.advance(7)

    assert bench.state(uuid) == "failed"
    assert "the third" in bench.row(uuid)["error"]
    assert bench.applied() == ["error a"]


def test_tries_are_counted_over_crashes(bench: Bench):
    _one_step(bench, _fixed(attempts=3))
    bench.back_end.fail_with(*[BUSY] * 10)
    uuid = bench.worker().cast("make", key="a")
    for _ in range(5):
        worker = bench.worker()
        worker.run_until_idle()
        bench.crash(worker)
        bench.clock.advance(7)

    assert bench.state(uuid) == "failed"


def test_a_crash_does_not_bring_the_next_try_forward(bench: Bench):
    _one_step(bench, _fixed(seconds=100))
    bench.back_end.fail_with(BUSY)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    bench.crash(worker)
    bench.clock.advance(90)
    other = bench.worker()
    other.run_until_idle()
    assert bench.back_end.calls == []
    bench.clock.advance(11)
    other.run_until_idle()

    assert bench.state(uuid) == "succeeded"


def test_without_a_policy_an_error_ends_the_flow(bench: Bench):
    _one_step(bench, None)
    bench.back_end.fail_with(BUSY)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"


def test_a_policy_can_be_named_and_a_back_end_can_replace_it(bench: Bench):
    _one_step(bench, "driver")
    bench.back_end.fail_with(BUSY)
    worker = bench.worker(retry_policies={"driver": _fixed(seconds=1234)})
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    row = bench.row(uuid)

    assert (row["next_run_at"] - bench.clock.now()).total_seconds() == 1234


def test_a_policy_that_nobody_knows_fails_before_the_effect(bench: Bench):
    _one_step(bench, "no such policy")
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert bench.back_end.calls == []


def test_a_flow_may_catch_an_error_and_go_another_way(bench: Bench):
    @bench.flow
    def make(op, key):
        try:
            op.step("direct", op.env.do, "direct")
        except exception.ManilaException:
            op.step("detour", op.env.do, "detour")

    bench.back_end.fail_with(exception.ManilaException("not supported"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.back_end.calls == ["detour"]
    assert bench.state(uuid) == "succeeded"
