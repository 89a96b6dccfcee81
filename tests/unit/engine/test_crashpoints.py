# SPDX-License-Identifier: Apache-2.0
"""Crash points: each name is passed somewhere, and the armed one kills at the pass asked for."""

import os
import re
import signal
from pathlib import Path

import pytest

import manila_lite
from manila_lite.db import operation_requests
from manila_lite.engine import Pending, crashpoints
from tests.support.engine import Bench

ENGINES = [name for name in crashpoints.NAMES if not name.startswith("acknowledge")]


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch):
    def kill(pid, number):
        assert (pid, number) == (os.getpid(), signal.SIGKILL)
        raise Killed

    monkeypatch.setattr(os, "kill", kill)

    def arm(text: str | None) -> None:
        monkeypatch.setattr(crashpoints, "_armed", crashpoints._parse(text))

    return arm


def _walk_through(bench: Bench) -> None:
    """One operation that meets all crash points of the engine."""
    answers = [Pending(), "over"]

    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, "effect")
        op.wait("long", lambda: answers.pop(0))

    worker = bench.worker()
    worker.cast("make", key="a")
    worker.run_until_idle()
    bench.clock.advance(1)
    worker.run_until_idle()


@pytest.mark.parametrize("name", ENGINES)
def test_each_crash_point_of_the_engine_is_met_by_an_ordinary_operation(bench, arm, name):
    arm(name)

    with pytest.raises(Killed):
        _walk_through(bench)


@pytest.mark.parametrize("name", ENGINES)
def test_after_a_crash_at_any_point_the_operation_comes_to_its_end(bench: Bench, arm, name):
    answers = [Pending()]

    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, "effect")
        op.wait("long", lambda: answers.pop() if answers else "over")

    worker = bench.worker()
    arm(name)
    with pytest.raises(Killed):
        worker.cast("make", key="a")
        worker.run_until_idle()
        bench.clock.advance(1)
        worker.run_until_idle()
    arm(None)
    bench.crash(worker)
    other = bench.worker()
    for _ in range(3):
        other.run_until_idle()
        bench.clock.advance(1)
    with bench.database.reader() as connection:
        counts = operation_requests.count_by_state(connection)

    recorded = 0 if name == "journal.before_commit" else 1
    assert counts == ({"succeeded": 1} if recorded else {})
    # A result is committed with the operation's next write; until then the step is in doubt,
    # and this one has no probe.
    repeated = name in ("effect.after", "wait.before_commit")
    assert bench.back_end.calls == ["effect"] * recorded * (2 if repeated else 1)


def test_every_name_that_is_passed_is_declared_and_every_declared_one_is_passed():
    passed = set()
    for path in Path(manila_lite.__file__).parent.rglob("*.py"):
        passed |= set(re.findall(r'reach\(\s*"(\w+\.\w+)"', path.read_text()))
    grouped = {
        f"{kind}.{moment}_commit"
        for kind in ("intent", "wait", "finish")
        for moment in ("before", "after")
    }

    assert passed | grouped == set(crashpoints.NAMES)


def test_nothing_happens_when_nothing_is_armed(bench: Bench, arm):
    arm(None)
    _walk_through(bench)

    assert bench.back_end.calls == ["effect"]


def test_a_crash_point_may_be_armed_for_a_later_pass(arm):
    arm("effect.before:3")
    crashpoints.reach("effect.before")
    crashpoints.reach("effect.after")
    crashpoints.reach("effect.before")

    with pytest.raises(Killed):
        crashpoints.reach("effect.before")


def test_a_name_that_is_no_crash_point_cannot_be_armed():
    with pytest.raises(ValueError, match=r"no\.such"):
        crashpoints._parse("no.such")
