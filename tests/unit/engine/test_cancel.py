# SPDX-License-Identifier: Apache-2.0
"""A cancel is a request in the row; the flow sees it at its next step or probe."""

import pytest
import tenacity

from manila_lite import exception
from manila_lite.engine import Pending, RetryPolicy
from tests.support.engine import Bench, Crash, applying

EVERY_MINUTE = RetryPolicy("minute", tenacity.wait_fixed(60), tenacity.stop_after_attempt(5))


def _two_steps(bench: Bench, **options):
    options.setdefault("on_cancel", lambda op, error, key: [applying(f"cancelled {key}")])

    @bench.flow(**options)
    def make(op, key):
        op.step("first", op.env.do, "first")
        op.step("second", op.env.do, "second")


def test_a_queued_operation_is_cancelled_before_its_first_step(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    assert bench.cancel(uuid)
    worker.run_until_idle()

    assert bench.back_end.calls == []
    assert bench.state(uuid) == "cancelled"
    assert bench.applied() == ["cancelled a"]


def test_a_running_operation_ends_at_its_next_step_and_not_in_the_middle_of_one(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")

    def cancel(name):
        bench.cancel(uuid)
        worker.look_for_requests()

    bench.back_end.before = cancel
    worker.run_until_idle()

    assert bench.back_end.calls == ["first"]
    assert bench.state(uuid) == "cancelled"
    assert bench.applied() == ["cancelled a"]


def test_a_cancel_that_comes_during_the_last_step_is_too_late(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("only", op.env.do, "only")
        op.finish(applying("made"))

    worker = bench.worker()
    uuid = worker.cast("make", key="a")

    def cancel(name):
        bench.cancel(uuid)
        worker.look_for_requests()

    bench.back_end.before = cancel
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.row(uuid)["request"] is None
    assert bench.applied() == ["made"]


def test_without_a_cancel_hook_the_failure_hook_says_what_the_resource_shall_show(bench: Bench):
    _two_steps(bench, on_cancel=None, on_failure=lambda op, error, key: [applying("error")])
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    bench.cancel(uuid)
    worker.run_until_idle()

    assert bench.state(uuid) == "cancelled"
    assert bench.applied() == ["error"]


def _waiting(bench: Bench, clean_up=None):
    @bench.flow(on_cancel=clean_up)
    def wait(op, key):
        op.wait("long", lambda: op.env.do("probe", Pending()))

    worker = bench.worker()
    uuid = worker.cast("wait", key="a")
    worker.run_until_idle()
    return worker, uuid


def test_a_waiting_operation_is_cancelled_without_waiting_for_its_next_probe(bench: Bench):
    worker, uuid = _waiting(bench)
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle()

    assert bench.state(uuid) == "cancelled"
    assert bench.back_end.calls == ["probe"]


def test_a_waiting_operation_whose_worker_died_is_cancelled_by_the_next_one_at_once(bench: Bench):
    worker, uuid = _waiting(bench)
    bench.cancel(uuid)
    bench.crash(worker)
    bench.worker().run_until_idle()

    assert bench.state(uuid) == "cancelled"


def test_an_operation_that_waits_for_its_next_try_is_cancelled_at_once(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("only", op.env.do, "only", retry=EVERY_MINUTE)

    bench.back_end.fail_with(exception.BackendBusy(reason="later"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle()

    assert bench.state(uuid) == "cancelled"
    assert bench.back_end.calls == []


def test_the_clean_up_runs_steps_of_its_own(bench: Bench):
    def clean_up(op, error, key):
        op.step("clean", op.env.do, "clean")
        return [applying("clean")]

    worker, uuid = _waiting(bench, clean_up)
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle()

    assert bench.back_end.calls == ["probe", "clean"]
    assert bench.state(uuid) == "cancelled"
    assert bench.applied() == ["clean"]


def test_a_crash_in_the_clean_up_lets_the_next_worker_finish_it(bench: Bench):
    def clean_up(op, error, key):
        op.step("clean 1", op.env.do, "clean 1")
        op.step("clean 2", op.env.do, "clean 2")

    worker, uuid = _waiting(bench, clean_up)
    bench.cancel(uuid)
    worker.look_for_requests()

    def die(name):
        if name == "clean 2":
            raise Crash

    bench.back_end.before = die
    with pytest.raises(Crash):
        worker.run_until_idle()
    bench.crash(worker)
    bench.back_end.before = lambda name: None
    bench.worker().run_until_idle()

    assert bench.back_end.calls == ["probe", "clean 1", "clean 2"]
    assert bench.state(uuid) == "cancelled"


def test_a_clean_up_waits_on_its_schedule_whatever_sweeps_go_by(bench: Bench):
    answers = [Pending(), Pending(), "over"]

    def clean_up(op, error, key):
        op.wait("undone", lambda: op.env.do("undo?", answers.pop(0)))

    worker, uuid = _waiting(bench, clean_up)
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle(most=20)
    assert bench.back_end.calls == ["probe", "undo?"]
    for _ in range(3):
        worker.look_for_requests()
        worker.run_until_idle(most=20)
    assert bench.back_end.calls == ["probe", "undo?"]
    for _ in range(3):
        bench.clock.advance(1)
        worker.look_for_requests()
        worker.run_until_idle(most=20)

    assert bench.back_end.calls == ["probe", "undo?", "undo?", "undo?"]
    assert bench.state(uuid) == "cancelled"


def test_a_clean_up_step_is_tried_again_when_its_policy_says_and_not_before(bench: Bench):
    def clean_up(op, error, key):
        op.step("clean", op.env.do, "clean", retry=EVERY_MINUTE)

    worker, uuid = _waiting(bench, clean_up)
    bench.cancel(uuid)
    bench.back_end.fail_with(*[exception.BackendBusy(reason="later")] * 2)
    for _ in range(3):
        worker.look_for_requests()
        worker.run_until_idle(most=20)
    assert bench.state(uuid) == "waiting"
    for _ in range(2):
        bench.clock.advance(60)
        worker.run_until_idle(most=20)

    assert bench.state(uuid) == "cancelled"
    assert bench.back_end.calls == ["probe", "clean"]


def test_a_clean_up_that_fails_still_ends_the_operation(bench: Bench):
    def clean_up(op, error, key):
        raise ValueError("cannot be undone")

    worker, uuid = _waiting(bench, clean_up)
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle()

    assert bench.state(uuid) == "cancelled"
    assert bench.applied() == []


def test_a_cancelled_operation_gives_its_lane_free(bench: Bench):
    worker, uuid = _waiting(bench)
    behind = worker.cast("wait", key="a")
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle()

    assert bench.states([uuid, behind]) == ["cancelled", "waiting"]


def test_what_is_finished_cannot_be_cancelled(bench: Bench):
    worker, uuid = _waiting(bench)
    bench.cancel(uuid)
    worker.look_for_requests()
    worker.run_until_idle()

    assert bench.cancel(uuid) is False


def test_a_cancelled_operation_can_be_retried_and_is_not_cancelled_again(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    bench.cancel(uuid)
    worker.run_until_idle()
    assert bench.retry(uuid)
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.back_end.calls == ["first", "second"]


def test_a_cancel_while_the_failure_is_being_recorded_changes_nothing(bench: Bench):
    worker = bench.worker()

    def on_failure(op, error, key):
        bench.cancel(op.uuid)
        worker.look_for_requests()
        op.step("note", op.env.do, "note")
        return [applying("error")]

    @bench.flow(on_failure=on_failure)
    def make(op, key):
        raise ValueError("no")

    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert bench.applied() == ["error"]
