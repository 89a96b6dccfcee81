# SPDX-License-Identifier: Apache-2.0
"""The claim announces the first step of a flow: one transaction less, and no guard less."""

import json

import pytest

from manila_lite import exception
from manila_lite.engine import Done
from tests.support.engine import Bench, Crash, applying


def _announcing(bench: Bench, probe=None, retry=None):
    @bench.flow(first_step="first", on_failure=lambda op, error, key: [applying("error")])
    def make(op, key):
        op.step("first", op.env.do, ("first", key), probe=probe, retry=retry)
        op.step("second", op.env.do, ("second", key))


def _steps(bench: Bench, uuid: str) -> dict:
    return json.loads(bench.row(uuid)["steps"])


def test_the_intent_of_the_first_step_is_there_when_the_claim_is(bench: Bench):
    _announcing(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()

    assert _steps(bench, uuid)["first"]["state"] == "begun"
    worker.run_until_idle()
    assert bench.back_end.calls == [("first", "a"), ("second", "a")]
    assert bench.state(uuid) == "succeeded"


def test_a_crash_in_the_announced_step_leaves_it_in_doubt(bench: Bench):
    _announcing(bench, probe=lambda: Done())
    bench.back_end.fail_with(Crash())
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()
    with pytest.raises(Crash):
        worker.run_one()
    bench.crash(worker)
    bench.worker().run_until_idle()

    assert bench.back_end.calls == [("second", "a")]
    assert bench.state(uuid) == "succeeded"


def test_a_worker_whose_lease_ran_out_before_it_began_does_not_begin(bench: Bench):
    """It claimed in time, but a queue, a pause or a swapped-out page kept it from starting."""
    _announcing(bench)
    slow, quick = bench.worker(), bench.worker()
    uuid = slow.cast("make", key="a")
    slow.claim()
    for _ in range(10):
        bench.clock.advance(6)
        quick.worker.renew()
    assert quick.worker.take_over() == 1
    quick.claim()
    slow.run_one()
    assert bench.back_end.calls == []
    quick.run_until_idle()

    assert bench.back_end.calls == [("first", "a"), ("second", "a")]
    assert bench.state(uuid) == "succeeded"


def test_a_worker_that_goes_under_a_new_name_asks_before_it_begins(bench: Bench):
    _announcing(bench)
    worker, other = bench.worker(), bench.worker()
    worker.cast("make", key="a")
    worker.claim()
    bench.expire(worker)
    worker.worker = type(worker.worker)(bench.database, worker.host, 15, bench.clock)
    worker.worker.register()
    worker.run_one()
    assert bench.back_end.calls == []
    other.run_until_idle()

    assert len(bench.back_end.calls) == 2


def test_a_worker_whose_lease_ran_out_unnoticed_goes_on_once_the_database_says_yes(bench: Bench):
    _announcing(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()
    bench.clock.advance(60)
    worker.run_until_idle()

    assert bench.back_end.calls == [("first", "a"), ("second", "a")]
    assert bench.state(uuid) == "succeeded"


def test_a_flow_that_begins_otherwise_takes_the_announcement_back(bench: Bench):
    @bench.flow(first_step="first")
    def make(op, key):
        op.step("detour", op.env.do, "detour")
        op.step("first", op.env.do, "first")

    def die(name):
        if name == "first":
            raise Crash

    bench.back_end.before = die
    worker = bench.worker(interrupted_operation_policy="error")
    uuid = worker.cast("make", key="a")
    worker.claim()
    with pytest.raises(Crash):
        worker.run_one()

    assert list(_steps(bench, uuid)) == ["detour", "first"]
    assert _steps(bench, uuid)["first"]["state"] == "begun"


def test_a_flow_that_fails_before_its_first_step_leaves_none_in_doubt(bench: Bench):
    @bench.flow(first_step="first")
    def make(op, key):
        raise exception.ManilaException("not even begun")

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert _steps(bench, uuid) == {}


def test_an_announced_step_that_fails_for_the_moment_is_tried_again(bench: Bench):
    _announcing(bench, retry="driver")
    bench.back_end.fail_with(exception.BackendBusy(reason="later"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    assert _steps(bench, uuid)["first"]["state"] == "again"
    bench.clock.advance(60)
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.back_end.calls == [("first", "a"), ("second", "a")]


def test_an_announced_operation_that_is_cancelled_does_nothing(bench: Bench):
    _announcing(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()
    bench.cancel(uuid)
    worker.look_for_requests()
    bench.crash(worker)
    bench.worker().run_until_idle()

    assert bench.state(uuid) == "cancelled"
    assert bench.back_end.calls == []


def test_an_announced_operation_that_a_drain_kept_from_beginning_is_not_in_doubt(bench: Bench):
    _announcing(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()
    worker.runner.drain()
    worker.run_one()
    row = bench.row(uuid)

    assert (row["state"], row["steps"], row["dispatches"]) == ("queued", "{}", 0)
    bench.worker(interrupted_operation_policy="error").run_until_idle()
    assert bench.state(uuid) == "succeeded"


def test_under_the_policy_error_nothing_is_announced_that_may_never_begin(bench: Bench):
    """A crash would else fail every operation that was claimed, begun or not."""
    _announcing(bench)
    worker = bench.worker(interrupted_operation_policy="error")
    uuid = worker.cast("make", key="a")
    worker.claim()
    bench.crash(worker)
    bench.worker(interrupted_operation_policy="error").run_until_idle()

    assert bench.state(uuid) == "succeeded"


def test_only_an_operation_that_never_ran_is_announced(bench: Bench):
    asked = []

    def probe():
        asked.append(1)
        return Done()

    _announcing(bench, probe=probe)
    bench.back_end.fail_with(Crash(), Crash())
    uuid = bench.worker().cast("make", key="a")
    for _ in range(2):
        worker = bench.worker()
        worker.claim()
        with pytest.raises(Crash):
            worker.run_one()
        bench.crash(worker)
    bench.worker().run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert asked


def test_a_step_does_not_run_twice_at_once_when_its_worker_gets_a_new_name(bench: Bench):
    """The driver call of the old name is still under way when the new name claims again."""
    begun: list[int] = []

    @bench.flow
    def make(op, key):
        op.step("only", effect, op)

    def effect(op):
        begun.append(op.fence)
        if len(begun) == 1:
            bench.expire(worker)
            worker.worker = type(worker.worker)(bench.database, worker.host, 15, bench.clock)
            worker.worker.register()
            worker.claim()
            worker.run_one()
            assert begun == [1]

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()
    worker.run_one()
    bench.clock.advance(60)
    worker.run_until_idle()

    assert len(begun) == 2
    assert bench.state(uuid) == "succeeded"


def test_a_result_that_no_database_takes_ends_the_operation_and_not_the_engine(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("big", lambda: "x" * (5 * 1024 * 1024))

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert "'big' returned" in bench.row(uuid)["error"]
