# SPDX-License-Identifier: Apache-2.0
"""Whose fault a crash was: operations that rest come clean, and suspects run alone."""

import contextlib

from manila_lite.engine import Pending
from manila_lite.engine.probation import PATIENCE
from tests.support.engine import Bench, Crash


def test_a_wait_outlives_any_number_of_crashes(bench: Bench):
    over = []

    @bench.flow
    def copy(op, key):
        op.wait("copied", lambda: "done" if over else Pending())

    uuid = bench.worker().cast("copy", key="a")
    for _ in range(5):
        worker = bench.worker(max_dispatches=3)
        worker.run_until_idle()
        bench.crash(worker)
        bench.clock.advance(10)
    over.append(True)
    bench.worker(max_dispatches=3).run_until_idle()
    assert bench.state(uuid) == "succeeded"


def test_a_probe_that_kills_the_worker_at_once_is_counted(bench: Bench):
    @bench.flow
    def copy(op, key):
        def probe():
            raise Crash

        op.wait("copied", probe)

    uuid = bench.worker().cast("copy", key="a")
    for _ in range(4):
        worker = bench.worker(max_dispatches=3)
        with contextlib.suppress(Crash):
            worker.run_until_idle()
        bench.crash(worker)
        bench.clock.advance(10)
    assert bench.state(uuid) == "dead"


def _poisonous(bench: Bench):
    """A flow of which the one with key "poison" ends the worker, whoever else is under way."""

    @bench.flow
    def make(op, key):
        op.step("make", op.env.do, key)

    def die(name):
        if name == "poison":
            raise Crash

    bench.back_end.before = die


def _live_and_die(bench: Bench, most=100):
    """All that is claimed is lost when the poison runs, as it would be with threads."""
    worker = bench.worker(max_dispatches=5)
    while claimed := worker.claim(most):
        if any("poison" in row["arguments"] for row in claimed):
            bench.crash(worker)
            return True
        while worker.run_one():
            pass
    return False


def test_an_operation_that_ends_the_worker_is_found_out_and_takes_no_other_with_it(bench: Bench):
    _poisonous(bench)
    caster = bench.worker()
    keys = [*"abcd", "poison", *"efgh"]
    uuids = {key: caster.cast("make", key=key) for key in keys}
    bench.crash(caster)
    deaths = 0
    while _live_and_die(bench) and deaths < 10:
        deaths += 1
        if deaths == 5:
            bench.back_end.before = lambda name: None
            bench.worker(max_dispatches=5).run_until_idle()
    assert deaths == 5
    poison = uuids.pop("poison")
    assert bench.state(poison) == "dead"
    assert set(bench.states(uuids.values())) == {"succeeded"}


def test_suspects_begin_one_after_the_other_and_others_beside_them(bench: Bench):
    _poisonous(bench)
    caster = bench.worker(max_dispatches=2)
    uuids = [caster.cast("make", key=key) for key in "abc"]
    caster.claim()
    bench.crash(caster)
    worker = bench.worker(max_dispatches=2)
    fresh = worker.cast("make", key="fresh")

    first = worker.claim()
    assert [row["uuid"] for row in first] == [uuids[0], fresh]
    assert worker.claim() == []
    worker.run_one()
    assert [row["uuid"] for row in worker.claim()] == [uuids[1]]
    worker.run_until_idle()
    assert set(bench.states([*uuids, fresh])) == {"succeeded"}


def test_a_suspect_that_runs_for_long_does_not_hold_up_the_next_one(bench: Bench):
    claimed = []

    @bench.flow
    def make(op, key):
        def work():
            claimed.append([row["uuid"] for row in worker.claim()])
            bench.clock.advance(PATIENCE)
            claimed.append([row["uuid"] for row in worker.claim()])

        op.step("work", work if key == "a" else op.env.do)

    caster = bench.worker(max_dispatches=2)
    uuids = [caster.cast("make", key=key) for key in "ab"]
    caster.claim()
    bench.crash(caster)
    worker = bench.worker(max_dispatches=2)
    worker.claim()
    worker.run_one()
    assert claimed == [[], [uuids[1]]]
