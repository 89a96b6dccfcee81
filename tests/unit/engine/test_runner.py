# SPDX-License-Identifier: Apache-2.0
"""Dispatches: failures, operations started too often, and nobody left behind."""

import contextlib

import pytest

from manila_lite import exception
from manila_lite.engine import Pending
from tests.support.engine import Bench, Crash, applying, claiming_name


def _raise_crash(name):
    raise Crash


def _start_and_crash(bench: Bench, **settings) -> None:
    worker = bench.worker(**settings)
    worker.claim()
    with contextlib.suppress(Crash):
        while worker.run_one():
            pass
    bench.crash(worker)


# -- failures ------------------------------------------------------------------------------------


def test_a_failure_and_the_resources_new_status_are_one_transaction(bench: Bench):
    seen = []

    def on_failure(op, error, key):
        seen.append(bench.state(op.uuid))
        return [applying(f"{key}: {error}")]

    @bench.flow(on_failure=on_failure)
    def make(op, key):
        raise exception.ManilaException("no space")

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert seen == ["running"]
    assert bench.state(uuid) == "failed"
    assert bench.row(uuid)["error"] == "no space"
    assert bench.applied() == ["a: no space"]


def test_a_refused_end_undoes_all_its_writes_and_fails_the_operation(bench: Bench):
    @bench.flow(on_failure=lambda op, error, key: [applying("error")])
    def make(op, key):
        op.finish(applying("made"), claiming_name("x"), claiming_name("x"))

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert bench.applied() == ["error"]


@pytest.mark.parametrize("trouble", ["raises", "refused", "waits", "takes other arguments"])
def test_a_failure_hook_in_trouble_leaves_no_operation_behind(bench: Bench, trouble):
    def on_failure(op, error, **arguments):
        if trouble == "raises":
            raise SystemExit(9)
        if trouble == "waits":
            op.wait("hook", lambda: Pending())
        return [claiming_name("x"), claiming_name("x")]

    hook = on_failure if trouble != "takes other arguments" else lambda op, error: []

    @bench.flow(on_failure=hook)
    def make(op, key):
        raise exception.ManilaException("the first error")

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    row = bench.row(uuid)

    if trouble == "waits":
        assert row["state"] == "waiting"
        assert len(worker.runner.timers) == 1
    else:
        assert (row["state"], row["error"]) == ("failed", "the first error")


def test_arguments_that_the_flow_does_not_take_fail_the_operation(bench: Bench):
    @bench.flow
    def make(op, key):
        op.env.do("never")

    worker = bench.worker()
    uuid = worker.cast("make", key="a", surprise=1)
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert "surprise" in bench.row(uuid)["error"]


def test_an_operation_whose_flow_is_not_known_any_more_fails(bench: Bench):
    worker = bench.worker()
    uuid = worker.cast("of_another_release", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert "of_another_release" in bench.row(uuid)["error"]


def test_an_error_after_the_end_changes_nothing(bench: Bench):
    @bench.flow(on_failure=lambda op, error, key: [applying("error")])
    def make(op, key):
        op.finish(applying("made"))
        raise ValueError("too late")

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.applied() == ["made"]


# -- dead ----------------------------------------------------------------------------------------


def _deadly(bench: Bench):
    @bench.flow(on_failure=lambda op, error, key: [applying(f"error {key}")])
    def make(op, key):
        op.step("effect", op.env.do, key)

    def die(name):
        if name == "a":
            raise Crash

    bench.back_end.before = die


def test_an_operation_that_ends_every_worker_is_parked_and_its_lane_moves_on(bench: Bench):
    _deadly(bench)
    uuid = bench.worker().cast("make", key="a")
    for _ in range(3):
        _start_and_crash(bench, max_dispatches=3)
    assert bench.state(uuid) == "queued"
    behind = bench.worker().cast("make", key="a")
    bench.back_end.before = lambda name: None
    bench.worker(max_dispatches=3).run_until_idle()

    assert bench.states([uuid, behind]) == ["dead", "succeeded"]
    assert "3 times" in bench.row(uuid)["error"]
    assert bench.applied() == ["error a"]


def test_a_step_that_is_completed_starts_the_count_afresh(bench: Bench):
    @bench.flow
    def make(op, key):
        for number in range(4):
            op.step(str(number), op.env.do, number)

    uuid = bench.worker().cast("make", key="a")
    for stop_at in range(4):
        left = [0, 1]

        def die(name, stop_at=stop_at, left=left):
            if name == stop_at and left:
                left.pop()
                raise Crash

        bench.back_end.before = die
        for _ in range(2):
            _start_and_crash(bench, max_dispatches=3)
    bench.worker(max_dispatches=3).run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.back_end.calls == [0, 1, 2, 3]


def test_a_dead_operation_can_be_retried_and_keeps_what_it_had_done(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("first", op.env.do, "first")
        op.step("second", op.env.do, "second")

    def die(name):
        if name == "second":
            raise Crash

    bench.back_end.before = die
    uuid = bench.worker().cast("make", key="a")
    for _ in range(3):
        _start_and_crash(bench, max_dispatches=2)
    bench.worker(max_dispatches=2).run_until_idle()
    assert bench.state(uuid) == "dead"
    bench.back_end.before = lambda name: None
    bench.retry(uuid)
    bench.worker(max_dispatches=2).run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.back_end.calls == ["first", "second"]


# -- nobody is left behind -------------------------------------------------------------------------


def _two_steps(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("first", op.env.do, (key, 1))
        op.step("second", op.env.do, (key, 2))


def test_an_operation_that_nothing_could_be_written_of_is_entered_again_later(bench, monkeypatch):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    intact = worker.committer._transact

    def broken(batch):
        raise RuntimeError("disk I/O error")

    worker.claim()
    monkeypatch.setattr(worker.committer, "_transact", broken)
    with pytest.raises(RuntimeError):
        worker.run_one()
    monkeypatch.setattr(worker.committer, "_transact", intact)
    assert bench.state(uuid) == "running"
    bench.clock.advance(60)
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"


def test_a_wait_that_could_not_be_read_back_is_tried_again_later(bench, monkeypatch):
    answers = [Pending(), "over", "over"]

    @bench.flow
    def wait(op, key):
        op.wait("long", lambda: answers.pop(0))

    worker = bench.worker()
    uuid = worker.cast("wait", key="a")
    worker.run_until_idle()
    bench.clock.advance(1)

    def broken(*args, **kwargs):
        raise RuntimeError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr("manila_lite.db.operations.load_owned", broken)
        worker.fire_timers()
        with pytest.raises(RuntimeError):
            worker.run_one()
    bench.clock.advance(60)
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"
