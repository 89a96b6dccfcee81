# SPDX-License-Identifier: Apache-2.0
"""Steps: recorded once, intent before effect, and any result or error can be recorded."""

import asyncio
import datetime
import json
import uuid

import pytest

from manila_lite import exception
from manila_lite.engine import Pending
from manila_lite.engine.settings import EngineSettings
from tests.support.engine import Bench, Crash, applying, claiming_name


def test_a_flow_runs_its_steps_in_order_and_succeeds(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("first", op.env.do, "first")
        op.step("second", op.env.do, "second")
        op.finish(applying(key))

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.back_end.calls == ["first", "second"]
    assert bench.state(uuid) == "succeeded"
    assert bench.applied() == ["a"]


def test_a_flow_that_returns_without_finishing_has_succeeded(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("only", op.env.do, "only")

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"


def test_a_step_returns_plain_json_the_first_time_as_well(bench: Bench):
    moment = datetime.datetime(2026, 2, 3)
    ident = uuid.UUID(int=7)
    seen = []

    @bench.flow
    def make(op, key):
        seen.append(op.step("rich", lambda: {"when": moment, "who": ident, "pair": (1, 2), 3: "x"}))
        op.step("next", op.env.do, "next")

    bench.back_end.fail_with(Crash())
    worker = bench.worker()
    worker.cast("make", key="a")
    worker.claim()
    with pytest.raises(Crash):
        worker.run_one()
    bench.crash(worker)
    bench.worker().run_until_idle()

    assert seen[0] == seen[1]
    assert seen[0]["pair"] == [1, 2]
    assert json.loads(json.dumps(seen[0])) == seen[0]


def test_a_recorded_step_is_not_run_again_after_a_crash(bench: Bench):
    @bench.flow
    def make(op, key):
        first = op.step("first", op.env.do, "first", 41)
        op.step("second", op.env.do, ("second", first))

    def die(name):
        if name != "first":
            raise Crash

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.claim()
    bench.back_end.before = die
    with pytest.raises(Crash):
        worker.run_one()
    bench.crash(worker)
    bench.back_end.before = lambda name: None
    bench.worker().run_until_idle()

    assert bench.back_end.calls == ["first", ("second", 41)]
    assert bench.state(uuid) == "succeeded"


def test_the_intent_is_in_the_database_before_the_effect(bench: Bench):
    seen = []

    @bench.flow
    def make(op, key):
        op.step("effect", lambda: seen.append(json.loads(bench.row(op.uuid)["steps"])))

    worker = bench.worker()
    worker.cast("make", key="a")
    worker.run_until_idle()

    assert seen[0]["effect"]["state"] == "begun"


def test_a_step_without_result_is_recorded_as_well(bench: Bench):
    @bench.flow
    def make(op, key):
        assert op.step("nothing", op.env.do, "nothing") is None
        op.step("again", op.env.do, "again", retry="driver")

    bench.back_end.before = _fail_once("again", exception.BackendBusy(reason="later"))
    worker = bench.worker()
    worker.cast("make", key="a")
    worker.run_until_idle()
    bench.clock.advance(60)
    worker.run_until_idle()

    assert bench.back_end.calls == ["nothing", "again"]


def test_database_writes_of_a_record_step_are_applied_exactly_once(bench: Bench):
    @bench.flow
    def make(op, key):
        op.record("mark", [applying("mark")])
        op.step("effect", op.env.do, "effect")

    bench.back_end.fail_with(Crash())
    worker = bench.worker()
    worker.cast("make", key="a")
    worker.claim()
    with pytest.raises(Crash):
        worker.run_one()
    bench.crash(worker)
    bench.worker().run_until_idle()

    assert bench.applied() == ["mark"]


def test_a_refused_record_step_fails_the_operation_and_is_not_taken_for_done(bench: Bench):
    @bench.flow
    def make(op, key):
        op.record("mark", [claiming_name("taken")])

    worker = bench.worker()
    first = worker.cast("make", key="a")
    second = worker.cast("make", key="b")
    worker.run_until_idle()
    steps = json.loads(bench.row(second)["steps"])

    assert bench.states([first, second]) == ["succeeded", "failed"]
    assert steps.get("mark", {}).get("state") != "done"


def _fail_once(which, error):
    left = [error]

    def before(name):
        if name == which and left:
            raise left.pop()

    return before


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
def test_a_driver_that_tries_to_end_the_process_fails_its_operation_only(bench: Bench, error):
    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, key)

    bench.back_end.before = _fail_once("a", error)
    worker = bench.worker()
    uuids = [worker.cast("make", key="a"), worker.cast("make", key="b")]
    worker.run_until_idle()

    assert bench.states(uuids) == ["failed", "succeeded"]


@pytest.mark.parametrize(
    "text", ["\x00 in the middle \x00", "lone \udc80 surrogate", "x" * 100_000, "naïve ☃"]
)
def test_any_error_text_can_be_recorded(bench: Bench, text):
    @bench.flow
    def make(op, key):
        op.progress(text)
        op.step("effect", op.env.do, "effect")

    bench.back_end.fail_with(exception.ManilaException(text))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    row = bench.row(uuid)

    assert row["state"] == "failed"
    assert "\x00" not in row["error"] + row["progress"]
    assert len(row["progress"]) <= 255


def test_passwords_in_an_error_are_not_recorded(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, "effect")

    bench.back_end.fail_with(exception.ManilaException("login failed: password='hunter2'"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert "hunter2" not in json.dumps(bench.row(uuid), default=str)


def test_a_result_that_is_no_json_fails_the_operation_and_leaves_the_step_in_doubt(bench: Bench):
    ring: list = []
    ring.append(ring)

    @bench.flow
    def make(op, key):
        op.step("effect", lambda: ring)

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.state(uuid) == "failed"
    assert json.loads(bench.row(uuid)["steps"])["effect"]["state"] != "done"


def test_nothing_is_written_after_the_end(bench: Bench):
    @bench.flow
    def make(op, key):
        op.finish(applying("end"))
        op.record("late", [applying("late")])

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.applied() == ["end"]
    assert bench.state(uuid) == "succeeded"


def test_finishing_twice_is_an_error_and_writes_once(bench: Bench):
    @bench.flow
    def make(op, key):
        op.finish(applying("end"))
        with pytest.raises(RuntimeError):
            op.finish(applying("end"))

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert bench.applied() == ["end"]
    assert bench.state(uuid) == "succeeded"


def test_the_result_of_finish_is_kept_as_json(bench: Bench):
    @bench.flow
    def make(op, key):
        op.finish([applying("a"), applying("b")], applying("c"), result={"size": 3})

    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()

    assert json.loads(bench.row(uuid)["result"]) == {"size": 3}
    assert bench.applied() == ["a", "b", "c"]


def test_the_settings_refuse_numbers_that_make_no_sense():
    for wrong in ({"threads": 0}, {"lease": -1.0}, {"interrupted_operation_policy": "maybe"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            EngineSettings(**wrong)


def test_a_flow_can_tell_how_far_it_came_before(bench):
    seen = []

    @bench.flow
    def twice(op, key: str):
        seen.append((op.is_done("first"), op.is_done("second")))
        op.step("first", lambda: None)
        op.wait("second", lambda: Pending() if len(seen) < 2 else "over")
        seen.append((op.is_done("first"), op.is_done("second")))

    worker = bench.worker()
    worker.cast("twice", key="a")
    worker.run_until_idle()
    bench.clock.advance(1)
    seen.append("later")
    worker.run_until_idle()

    assert seen == [(False, False), "later", (True, False), (True, True)]


def test_a_long_step_tells_at_once_how_far_it_is(bench):
    seen = []

    def work(op):
        op.tell("40%")
        seen.append(bench.row(op.uuid)["progress"])

    @bench.flow
    def long(op, key: str):
        op.step("work", work, op)

    worker = bench.worker()
    uuid = worker.cast("long", key="a")
    worker.run_until_idle()

    assert seen == ["40%"]
    assert bench.state(uuid) == "succeeded"
