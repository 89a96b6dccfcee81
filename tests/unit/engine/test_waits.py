# SPDX-License-Identifier: Apache-2.0
"""Waits: a row and a heap entry, no thread, a deadline that outlives restarts."""

import json

import pytest

from manila_lite import exception
from manila_lite.engine import Pending, Schedule
from tests.support.engine import Bench, applying


class Probe:
    """Asked by a wait; says what the test put there, and notes when it was asked."""

    def __init__(self, bench: Bench) -> None:
        self._clock = bench.clock
        self.answer = Pending()
        self.asked = []

    def __call__(self):
        self.asked.append(self._clock.monotonic())
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def probe(bench: Bench) -> Probe:
    return Probe(bench)


def _waiting(bench: Bench, probe, **options):
    @bench.flow(on_failure=lambda op, error, key: [applying(f"error {key}")])
    def wait(op, key):
        op.step("begin", op.env.do, "begin")
        result = op.wait("long", probe, **options)
        op.step("end", op.env.do, ("end", result))

    worker = bench.worker()
    return worker, worker.cast("wait", key="a")


def _pass(bench: Bench, worker, seconds: float, step: float = 1.0) -> None:
    """Let time go by in small steps, as the timers' thread would see it."""
    for _ in range(int(seconds / step)):
        worker.run_until_idle()
        bench.clock.advance(step)
    worker.run_until_idle()


def test_a_wait_that_is_over_at_once_goes_straight_on(bench: Bench, probe: Probe):
    probe.answer = {"size": 3}
    worker, uuid = _waiting(bench, probe)
    worker.run_until_idle()

    assert bench.back_end.calls == ["begin", ("end", {"size": 3})]
    assert bench.state(uuid) == "succeeded"


def test_a_pending_wait_is_a_row_and_a_timer_and_holds_nothing_else(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe)
    worker.run_until_idle()

    assert bench.state(uuid) == "waiting"
    assert bench.row(uuid)["next_run_at"] > bench.clock.now()
    assert len(worker.runner.timers) == 1
    assert worker.runner.running() == []
    assert not worker.jobs


def test_the_flow_goes_on_with_the_answer_and_repeats_no_step(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe)
    _pass(bench, worker, 5)
    probe.answer = "ready"
    _pass(bench, worker, 5)

    assert bench.back_end.calls == ["begin", ("end", "ready")]
    assert bench.state(uuid) == "succeeded"


def test_the_answer_of_the_last_probe_is_not_asked_for_twice(bench: Bench, probe: Probe):
    worker, _ = _waiting(bench, probe)
    worker.run_until_idle()
    probe.answer = "ready"
    bench.clock.advance(1)
    worker.run_until_idle()

    assert probe.asked == [0, 1]


def test_probes_come_after_1_2_5_and_10_seconds_as_the_wait_grows_old(bench: Bench, probe: Probe):
    worker, _ = _waiting(bench, probe)
    _pass(bench, worker, 100)
    gaps = [later - earlier for earlier, later in zip(probe.asked, probe.asked[1:], strict=False)]

    assert gaps[:10] == [1] * 10
    assert gaps[10:15] == [2] * 5
    assert gaps[15:23] == [5] * 8
    assert set(gaps[23:]) == {10}


def test_a_flow_may_have_a_schedule_of_its_own(bench: Bench, probe: Probe):
    worker, _ = _waiting(bench, probe, schedule=Schedule(((0, 3), (6, 30))))
    _pass(bench, worker, 70)

    assert probe.asked == [0, 3, 6, 36, 66]


def test_a_probe_that_changes_nothing_writes_nothing(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe)
    worker.run_until_idle()
    revision = bench.row(uuid)["revision"]
    _pass(bench, worker, 30)

    assert len(probe.asked) > 10
    assert bench.row(uuid)["revision"] == revision


def test_progress_is_written_when_it_changes_and_not_at_each_probe(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe)
    worker.run_until_idle()
    revisions = set()
    for progress in ("10%", "10%", "10%", "50%", "50%"):
        probe.answer = Pending(progress)
        _pass(bench, worker, 1)
        revisions.add(bench.row(uuid)["revision"])
        assert bench.row(uuid)["progress"] == progress

    assert len(revisions) == 2


def test_a_very_long_progress_is_cut_and_still_not_written_at_each_probe(bench, probe):
    probe.answer = Pending("x" * 300)
    worker, uuid = _waiting(bench, probe)
    worker.run_until_idle()
    revision = bench.row(uuid)["revision"]
    _pass(bench, worker, 10)

    assert bench.row(uuid)["progress"] == "x" * 255
    assert bench.row(uuid)["revision"] == revision


def test_a_wait_fails_the_operation_when_its_deadline_is_over(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe, deadline=30)
    _pass(bench, worker, 29)
    assert bench.state(uuid) == "waiting"
    _pass(bench, worker, 10)

    assert bench.state(uuid) == "failed"
    assert "30 seconds" in bench.row(uuid)["error"]
    assert bench.applied() == ["error a"]


def test_an_answer_that_comes_with_the_deadline_counts(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe, deadline=30)
    worker.run_until_idle()
    bench.clock.advance(100)
    probe.answer = "ready after all"
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"


def test_the_deadline_counts_from_the_first_probe_over_restarts(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe, deadline=30)
    _pass(bench, worker, 20)
    for _ in range(2):
        bench.crash(worker)
        worker = bench.worker()
        _pass(bench, worker, 4)
        assert bench.state(uuid) == "waiting"
    _pass(bench, worker, 10)

    assert bench.state(uuid) == "failed"


def test_the_schedule_goes_on_after_a_restart_where_it_was(bench: Bench, probe: Probe):
    worker, _ = _waiting(bench, probe)
    _pass(bench, worker, 70)
    bench.crash(worker)
    probe.asked.clear()
    _pass(bench, bench.worker(), 31)

    assert 3 <= len(probe.asked) <= 5


def test_a_wait_is_taken_up_again_after_a_crash(bench: Bench, probe: Probe):
    worker, uuid = _waiting(bench, probe)
    _pass(bench, worker, 3)
    bench.crash(worker)
    probe.answer = "ready"
    other = bench.worker()
    _pass(bench, other, 3)

    assert bench.back_end.calls == ["begin", ("end", "ready")]
    assert bench.state(uuid) == "succeeded"


def test_a_wait_that_was_taken_over_is_not_finished_by_the_first_worker(bench, probe):
    worker, uuid = _waiting(bench, probe)
    _pass(bench, worker, 3)
    bench.expire(worker)
    other = bench.worker()
    bench.clock.advance(5)
    other.run_until_idle()
    probe.answer = "ready"
    _pass(bench, worker, 5)
    assert bench.state(uuid) == "waiting"
    _pass(bench, other, 5)

    assert bench.back_end.calls == ["begin", ("end", "ready")]
    assert bench.state(uuid) == "succeeded"


@pytest.mark.parametrize("error", [TimeoutError("?"), exception.BackendBusy(reason="reboot")])
def test_a_probe_that_cannot_tell_leaves_the_wait_going(bench: Bench, probe: Probe, error):
    probe.answer = error
    worker, uuid = _waiting(bench, probe)
    _pass(bench, worker, 10)
    assert bench.state(uuid) == "waiting"
    probe.answer = "ready"
    _pass(bench, worker, 10)

    assert bench.state(uuid) == "succeeded"


@pytest.mark.parametrize("when", ["first", "later"])
def test_a_probes_final_error_ends_the_wait(bench: Bench, probe: Probe, when):
    error = exception.ManilaException("the migration broke off")
    worker, uuid = _waiting(bench, probe)
    if when == "first":
        probe.answer = error
        worker.run_until_idle()
    else:
        worker.run_until_idle()
        probe.answer = error
        _pass(bench, worker, 3)

    assert bench.state(uuid) == "failed"
    assert bench.row(uuid)["error"] == "the migration broke off"
    assert bench.applied() == ["error a"]


def test_a_probe_that_tries_to_end_the_process_leaves_no_wait_behind(bench, probe):
    worker, uuid = _waiting(bench, probe, deadline=60)
    worker.run_until_idle()
    probe.answer = SystemExit(1)
    _pass(bench, worker, 100)

    assert bench.state(uuid) == "failed"


def test_two_waits_of_one_flow_are_told_apart(bench: Bench):
    first, second = Probe(bench), Probe(bench)

    @bench.flow
    def wait(op, key):
        op.env.do(("seen", op.wait("one", first), op.wait("two", second)))

    worker = bench.worker()
    uuid = worker.cast("wait", key="a")
    worker.run_until_idle()
    first.answer = 1
    _pass(bench, worker, 3)
    assert bench.state(uuid) == "waiting"
    second.answer = 2
    _pass(bench, worker, 3)

    assert bench.back_end.calls == [("seen", 1, 2)]
    assert json.loads(bench.row(uuid)["steps"])["one"]["state"] == "done"


def test_many_waits_need_no_job_until_one_is_due(bench: Bench, probe: Probe):
    @bench.flow
    def wait(op, key):
        op.wait("long", probe, schedule=Schedule(((0, 60),)))

    worker = bench.worker()
    for number in range(50):
        worker.cast("wait", key=number)
    worker.run_until_idle()
    bench.clock.advance(59)
    worker.fire_timers()
    assert not worker.jobs
    bench.clock.advance(1)
    worker.fire_timers()

    assert len(worker.jobs) == 50


def test_a_probe_that_holds_its_operation_holds_no_arguments_meanwhile(bench: Bench):
    """Or 100,000 waiting operations would keep as many messages in memory."""
    seen = []

    @bench.flow
    def wait(op, key):
        def ask():
            seen.append((dict(op.arguments), op.context is op.context, op.uuid))
            return Pending() if len(seen) < 2 else key

        op.wait("long", ask)

    worker = bench.worker()
    uuid = worker.cast("wait", key="a")
    _pass(bench, worker, 3)

    assert seen == [({"key": "a"}, True, uuid), ({}, False, uuid)]
    assert bench.state(uuid) == "succeeded"
