# SPDX-License-Identifier: Apache-2.0
"""A state machine of the engine: several workers, crashes, lost leases, redeliveries, requests.

Hypothesis chooses what happens next, also in the middle of a claim, a step or a commit: the crash
points are where this model crashes a worker, lets it stall until another one took over, breaks a
transaction or loses its answer. Whatever it chooses:

* no two workers that hold valid leases are inside effects of one lane at the same time;
* a worker that was declared lost begins no effect, unless it stalled between its last look at the
  database and the effect, which nothing can prevent;
* operations of a lane begin in the order of their arrival; a retried one may come late;
* a step that is recorded never runs again, and one with a probe takes effect once;
* every operation ends, once, and the writes of its end are applied exactly once;
* a worker that lives forgets no operation that it holds.

Run with --hypothesis-profile=soak for a longer search.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import initialize, invariant, rule

from manila_lite.db.models.lite import operations
from manila_lite.engine import claims
from manila_lite.engine.journal import NewOperation
from tests.model.engine_world import (
    EVENTS,
    LANES,
    LEASE,
    RESULTS,
    WORKERS,
    EngineWorld,
    Slot,
)
from tests.support.engine import HOST

# Rounds of five seconds without any change after which something is stuck for good.
PATIENCE = 40

scripts = st.lists(st.sampled_from(EVENTS), min_size=2, max_size=8)
results = st.lists(st.sampled_from(RESULTS), max_size=4)
slots = st.integers(min_value=0, max_value=WORKERS - 1)
picks = st.integers(min_value=0, max_value=20)


def _turn(name: str, weight: int, **arguments: Any) -> list[Any]:
    return [st.tuples(st.just(name), st.fixed_dictionaries(arguments))] * weight


turns = st.one_of(
    *_turn(
        "messages_arrive",
        2,
        pick=slots,
        lanes=st.lists(st.sampled_from(LANES), min_size=1, max_size=2),
        method=st.sampled_from(["plain", "probed", "probed", "waiting"]),
        again=st.integers(min_value=0, max_value=2),
        script=scripts,
    ),
    *_turn("worker_claims", 4, pick=slots, most=st.integers(1, 5), script=scripts),
    *_turn(
        "worker_runs_jobs",
        10,
        pick=slots,
        jobs=st.integers(1, 4),
        script=scripts,
        outcomes=results,
    ),
    *_turn("worker_sweeps", 2, pick=slots),
    *_turn("time_passes", 2, seconds=st.sampled_from([0.5, 1.0, 5.0, 31.0]), asleep=slots),
    *_turn("worker_oversleeps", 2, pick=slots),
    *_turn("worker_takes_over", 2, pick=slots),
    *_turn("worker_starts", 1),
    *_turn("worker_crashes", 1, pick=slots),
    *_turn("worker_stops_in_order", 1, pick=slots),
    *_turn("somebody_cancels", 1, pick=picks),
    *_turn("somebody_asks_for_a_retry", 2, pick=picks),
)


class EngineMachine(EngineWorld):
    """See the module."""

    # -- turns -----------------------------------------------------------------------------------

    @initialize(count=st.integers(min_value=1, max_value=WORKERS))
    def workers_start(self, count: int) -> None:
        for _ in range(count):
            self._start()

    @rule(turn=turns)
    def next(self, turn: tuple[str, dict[str, Any]]) -> None:
        """One rule for all: hypothesis leaves rules out at random, and these need each other."""
        name, arguments = turn
        getattr(self, name)(**arguments)

    def worker_starts(self) -> None:
        if len(self.slots) >= WORKERS:
            return
        slot = self._start()
        slot.engine.worker.take_over()

    def messages_arrive(
        self, pick: int, lanes: list[str], method: str, again: int, script: list[str]
    ) -> None:
        """Casts, and with them some that were delivered before."""
        new = [NewOperation(method, {"lane": lane}) for lane in lanes]
        old = [*self.unacknowledged.values(), *self.sent.values()][:again]
        self._deliver(self._pick(pick), [*old, *new], script)

    def _deliver(self, slot: Slot, batch: list[NewOperation], script: list[str]) -> None:
        for message in batch:
            self.unacknowledged.setdefault(message.message_id, message)
            self.sent.pop(message.message_id, None)
        self.script = script
        with self._acting(slot):
            recorded = slot.engine.journal.record(batch)
            assert len(recorded) == len(batch)
            for message in batch:
                self.sent[message.message_id] = message
                self.unacknowledged.pop(message.message_id, None)

    def worker_claims(self, pick: int, most: int, script: list[str]) -> None:
        slot = self._pick(pick)
        self.script = script
        with self._acting(slot):
            slot.engine.claim(most)

    def worker_runs_jobs(
        self, pick: int, jobs: int, script: list[str], outcomes: list[str]
    ) -> None:
        busy = [slot for slot in self.slots if slot.engine.jobs]
        slot = busy[pick % len(busy)] if busy else self._pick(pick)
        self.script = []
        if not busy:
            slot.engine.fire_timers()
            slot.engine.claim(jobs)
        self.script, self.results = script, outcomes
        for _ in range(jobs):
            with self._acting(slot):
                slot.engine.run_one()
            if slot.dead:
                break
        self.results = []

    def worker_oversleeps(self, pick: int) -> None:
        """Its lease ends between two jobs, and another worker does not wait for it."""
        self._stall(self._pick(pick))

    def worker_sweeps(self, pick: int) -> None:
        """What the engine's threads do all the time: timers, requests, lanes."""
        slot = self._pick(pick)
        self.script = []
        with self._acting(slot):
            slot.engine.fire_timers()
            slot.engine.look_for_requests()
        claims.mend_lanes(self.bench.database, HOST, slot.engine.committer)

    def time_passes(self, seconds: float, asleep: int) -> None:
        """All workers but one renew their leases in time."""
        for _ in range(int(seconds // LEASE) + 1):
            for number, slot in enumerate(self.slots):
                if number != asleep % (len(self.slots) + 1):
                    self._renew(slot)
            self.bench.clock.advance(min(seconds, LEASE / 2))

    def _renew(self, slot: Slot) -> None:
        if not slot.engine.worker.renew():
            self._rename(slot)

    def worker_takes_over(self, pick: int) -> None:
        slot = self._pick(pick)
        self._renew(slot)
        slot.engine.worker.take_over()

    def worker_crashes(self, pick: int) -> None:
        slot = self._pick(pick)
        self.slots.remove(slot)

    def worker_stops_in_order(self, pick: int) -> None:
        slot = self._pick(pick)
        self.script = []
        with self._acting(slot):
            slot.engine.runner.drain()
            while slot.engine.run_one():
                pass
            slot.engine.runner.timers.clear()
            slot.engine.worker.stop(slot.engine.runner.running())
        self.slots.remove(slot)

    def somebody_cancels(self, pick: int) -> None:
        rows = self._rows()
        if rows:
            self.bench.cancel(rows[pick % len(rows)]["uuid"])

    def somebody_asks_for_a_retry(self, pick: int) -> None:
        rows = self._rows(operations.c.finished == 1)
        if not rows:
            return
        # Mostly one that can be granted.
        rows = [row for row in rows if row["state"] != "succeeded"] if pick else rows
        if not rows:
            return
        row = rows[pick % len(rows)]
        granted = self.bench.retry(row["uuid"])
        assert granted == (row["state"] != "succeeded")
        if granted:
            self.retries[row["uuid"]] = self.retries.get(row["uuid"], 0) + 1
            self.ended.pop(row["uuid"], None)

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def nothing_is_broken(self) -> None:
        assert self.broken == []

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        for row in self._rows(operations.c.finished == 1):
            end = (row["state"], row["revision"])
            assert self.ended.setdefault(row["uuid"], end) == end
            assert row["active_key"] is None

    @invariant()
    def every_row_is_in_one_of_the_known_conditions(self) -> None:
        for row in self._rows(operations.c.finished == 0):
            assert row["state"] in ("queued", "running", "waiting")
            assert (row["owner"] is None) == (row["state"] == "queued")
            if row["owner"] is not None:
                assert row["active_key"] == row["lane"]

    @invariant()
    def no_worker_forgets_what_it_holds(self) -> None:
        for slot in self.slots:
            held = len(self._rows(operations.c.owner == slot.identity, operations.c.finished == 0))
            known = len(slot.engine.jobs) + len(slot.engine.runner.timers)
            assert held <= known, f"a worker holds {held} operations and knows of {known}"

    # -- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._converge()
            self._check_the_end()
        finally:
            self._patches.close()

    def _converge(self) -> None:
        """All workers vanish; a fresh one gets what is undelivered, and time."""
        self.slots.clear()
        slot = self._start()
        self._deliver(slot, list(self.unacknowledged.values()), [])
        idle, before = 0, None
        while idle < PATIENCE:
            with self._acting(slot):
                slot.engine.worker.renew()
                slot.engine.worker.take_over()
                slot.engine.look_for_requests()
                slot.engine.run_until_idle()
            left = [(row["id"], row["revision"]) for row in self._rows(operations.c.finished == 0)]
            if not left:
                return
            idle = idle + 1 if left == before else 0
            before = left
            self.bench.clock.advance(5)

    def _check_the_end(self) -> None:
        self.nothing_is_broken()
        self.what_ended_stays_as_it_ended()
        rows = self._rows()
        assert {row["message_id"] for row in rows} == set(self.sent)
        assert len(rows) == len(self.sent)
        stuck = [(row["method"], row["state"]) for row in rows if not row["finished"]]
        assert not stuck, f"never ended: {stuck}"
        left = self.bench.applied()
        for row in rows:
            good = row["state"] == "succeeded"
            assert left.count(f"good {row['uuid']}") == good
            bad = self.retries.get(row["uuid"], 0) + (not good)
            assert left.count(f"bad {row['uuid']}") == bad


EngineMachine.TestCase.settings = settings(
    settings.default,
    max_examples=settings.default.max_examples + 50,
    stateful_step_count=60,
)


@pytest.mark.timeout(3600)
class TestEngineModel(EngineMachine.TestCase):
    """The number of steps bounds the time; a busy machine is no failure."""
