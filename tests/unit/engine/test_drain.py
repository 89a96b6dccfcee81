# SPDX-License-Identifier: Apache-2.0
"""Drains: running steps finish, the rest stays queued, and nothing is lost."""

import json

import pytest

from manila_lite import exception
from manila_lite.engine import Pending
from tests.support.engine import Bench, Crash, applying


def _two_steps(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("first", op.env.do, (key, 1))
        op.step("second", op.env.do, (key, 2))


def test_a_drain_lets_the_running_step_finish_and_leaves_the_rest_queued(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    bench.back_end.before = lambda name: worker.runner.drain()
    worker.claim()
    worker.run_one()
    row = bench.row(uuid)

    assert bench.back_end.calls == [("a", 1)]
    assert (row["state"], row["owner"], row["dispatches"]) == ("queued", None, 0)
    assert json.loads(row["steps"])["first"]["state"] == "done"


def test_the_next_worker_goes_on_where_a_drain_stopped(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    bench.back_end.before = lambda name: worker.runner.drain()
    worker.claim()
    worker.run_one()
    worker.worker.stop([])
    bench.back_end.before = lambda name: None
    bench.worker().run_until_idle()

    assert bench.back_end.calls == [("a", 1), ("a", 2)]
    assert bench.state(uuid) == "succeeded"


def test_what_was_claimed_but_not_begun_when_a_drain_came_is_given_back_uncounted(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuids = [worker.cast("make", key=key) for key in "abc"]
    worker.claim()
    worker.runner.drain()
    while worker.run_one():
        pass
    assert worker.worker.stop([]) == 3
    rows = [bench.row(uuid) for uuid in uuids]

    assert bench.back_end.calls == []
    assert {row["state"] for row in rows} == {"queued"}
    assert {row["dispatches"] for row in rows} == {0}


def test_a_waiting_operation_is_given_back_by_a_drain_and_keeps_its_time(bench: Bench):
    @bench.flow
    def wait(op, key):
        op.wait("long", lambda: Pending())

    worker = bench.worker()
    uuid = worker.cast("wait", key="a")
    worker.run_until_idle()
    due = bench.row(uuid)["next_run_at"]
    worker.runner.drain()
    worker.worker.stop([])
    row = bench.row(uuid)

    assert (row["state"], row["dispatches"], row["next_run_at"]) == ("queued", 0, due)


def test_an_operation_kept_running_over_the_end_of_a_drain_is_in_doubt_and_not_lost(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    other = bench.worker()

    def stop(name):
        worker.worker.stop(worker.runner.running())
        raise Crash

    bench.back_end.before = stop
    worker.claim()
    with pytest.raises(Crash):
        worker.run_one()
    assert bench.state(uuid) == "running"
    bench.back_end.before = lambda name: None
    bench.expire(worker)
    other.run_until_idle()

    assert bench.state(uuid) == "succeeded"


def test_a_drain_during_the_clean_up_lets_the_next_worker_finish_it(bench: Bench):
    worker = bench.worker()

    def clean_up(op, error, key):
        op.step("clean", op.env.do, "clean")
        op.step("more", op.env.do, "more")
        return [applying("cancelled")]

    @bench.flow(on_cancel=clean_up)
    def make(op, key):
        op.step("first", op.env.do, "first")

    uuid = worker.cast("make", key="a")
    bench.cancel(uuid)
    bench.back_end.before = lambda name: worker.runner.drain()
    worker.claim()
    worker.run_one()
    assert bench.state(uuid) == "queued"
    worker.worker.stop([])
    bench.back_end.before = lambda name: None
    bench.worker().run_until_idle()

    assert bench.back_end.calls == ["clean", "more"]
    assert bench.state(uuid) == "cancelled"
    assert bench.applied() == ["cancelled"]


def test_a_drain_during_a_failure_hook_leaves_the_operation_queued(bench: Bench):
    worker = bench.worker()

    def on_failure(op, error, key):
        worker.runner.drain()
        op.step("note", op.env.do, "note")

    @bench.flow(on_failure=on_failure)
    def make(op, key):
        raise exception.ManilaException("no")

    uuid = worker.cast("make", key="a")
    worker.claim()
    worker.run_one()

    assert bench.state(uuid) == "queued"
