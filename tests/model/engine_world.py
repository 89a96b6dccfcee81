# SPDX-License-Identifier: Apache-2.0
"""The world of the engine's state machine: workers, a back end, and mishaps at crash points."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
import tenacity
from hypothesis.stateful import RuleBasedStateMachine
from oslo_db import exception as db_exc

from manila_lite import exception
from manila_lite.db.models.lite import operations
from manila_lite.db.models.lite import workers as worker_table
from manila_lite.engine import AGAIN, Done, Pending, RetryPolicy, crashpoints, leases
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.leases import Worker
from manila_lite.testing.engine import SteppedEngine
from tests.support.engine import HOST, Bench, Crash, applying

LANES = "abc"
WORKERS = 3
MAX_DISPATCHES = 4
LEASE = 15.0
TRIES = RetryPolicy("tries", tenacity.wait_fixed(1), tenacity.stop_after_attempt(3))

# What may happen at a crash point; the first stands for nothing.
CALM = "calm"
CRASH = "crash"
STALL = "stall"
DEADLOCK = "deadlock"
LOST_ANSWER = "lost answer"
CANCEL = "cancel"
EVENTS = (CALM, CALM, CALM, CRASH, STALL, DEADLOCK, LOST_ANSWER, CANCEL)

# What an effect may do.
OK = "ok"
BUSY = "busy"
REFUSED = "refused"
CUT_OFF = "cut off after it was done"
SILENT = "cut off before it was done"
RESULTS = (OK, OK, OK, BUSY, REFUSED, CUT_OFF, SILENT)


@dataclasses.dataclass(eq=False)
class Slot:
    """A process that carries operations out."""

    engine: SteppedEngine
    dead: bool = False
    # Whether it stalled since its last look at the database.
    stalled: bool = False

    @property
    def identity(self) -> str:
        return self.engine.worker.id


@dataclasses.dataclass(eq=False)
class Effect:
    """An effect in progress."""

    lane: str
    operation: str
    owner: str


class EngineWorld(RuleBasedStateMachine):
    """Workers, their back end, and what a script lets happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(max_dispatches=MAX_DISPATCHES, lease=LEASE)
        self.slots: list[Slot] = []
        self.current: list[Slot] = []
        self.script: list[str] = []
        self.results: list[str] = []
        self.inside: list[Effect] = []
        self.owners: dict[str, Slot] = {}
        # Messages by id: recorded and acknowledged, or to be delivered again.
        self.sent: dict[str, NewOperation] = {}
        self.unacknowledged: dict[str, NewOperation] = {}
        self.retries: dict[str, int] = {}
        self.done: set[tuple[str, str]] = set()
        # Steps that a worker without a lease ran: nobody can promise anything about them.
        self.spoilt: set[tuple[str, str]] = set()
        self.asked: dict[str, int] = {}
        self.probed: set[tuple[str, str]] = set()
        # Steps behind which a flow has gone on.
        self.passed: set[tuple[str, str]] = set()
        self.ended: dict[str, tuple[str, int]] = {}
        self.break_after_commit = False
        self.broken: list[str] = []
        self._patches = contextlib.ExitStack()
        self._install()
        self._register_flows()

    # -- set-up ----------------------------------------------------------------------------------

    def _install(self) -> None:
        """Meet the engine at its crash points and at its transactions."""
        database = self.bench.database
        writer = database.writer

        @contextlib.contextmanager
        def breakable() -> Iterator[Any]:
            with writer() as connection:
                yield connection
            if self.break_after_commit:
                self.break_after_commit = False
                raise db_exc.DBConnectionError()

        self._replace(crashpoints, "reach", self._reach)
        self._replace(database, "writer", breakable)
        # All workers are in this process, so a crashed one must be found by its lease.
        self._replace(leases, "has_ended", lambda key, pid: False)

    def _replace(self, holder: Any, name: str, value: Any) -> None:
        before = getattr(holder, name)
        self._patches.callback(setattr, holder, name, before)
        setattr(holder, name, value)

    def _register_flows(self) -> None:
        def failed(op: Any, error: BaseException, **arguments: Any) -> list:
            return [applying(f"bad {op.uuid}")]

        def cleaned_up(op: Any, error: BaseException, **arguments: Any) -> list:
            # Where it cannot be cleaned up, the end is recorded nevertheless.
            with contextlib.suppress(Exception):
                op.step("clean up", self._effect, op, "clean up", retry=TRIES)
            return [applying(f"bad {op.uuid}")]

        options: dict[str, Any] = {"lane": "lane:{lane}", "on_failure": failed}

        @self.bench.flow(**options)
        def plain(op: Any, lane: str) -> None:
            for name in ("one", "two"):
                op.step(name, self._effect, op, name, retry=TRIES)
            op.finish(applying(f"good {op.uuid}"))

        @self.bench.flow(**options, first_step="one", on_cancel=cleaned_up)
        def probed(op: Any, lane: str) -> None:
            for name in ("one", "two"):
                op.step(name, self._effect, op, name, retry=TRIES, probe=self._probe(op, name))
            op.finish(applying(f"good {op.uuid}"))

        @self.bench.flow(**options, on_cancel=cleaned_up)
        def waiting(op: Any, lane: str) -> None:
            op.step("one", self._effect, op, "one", retry=TRIES, probe=self._probe(op, "one"))
            op.wait("long", lambda: self._answer(op.uuid), deadline=120)
            op.step("two", self._effect, op, "two", retry=TRIES, probe=self._probe(op, "two"))
            op.finish(applying(f"good {op.uuid}"))

    # -- the back end ----------------------------------------------------------------------------

    def _effect(self, op: Any, name: str) -> str:
        slot = self.owners[op.owner]
        valid = self._is_valid(op.owner)
        step = (op.uuid, name)
        if valid:
            self._check_alone(op)
            self._check_turn(op)
            self._check_first(op, name)
        else:
            self._hold(slot.stalled, f"{op.method} began {name} after its worker was declared lost")
            self.spoilt.add(step)
        effect = Effect(op.lane, op.uuid, op.owner)
        self.inside.append(effect)
        try:
            return self._carry_out(step, self.results.pop(0) if self.results else OK)
        finally:
            self.inside.remove(effect)

    def _carry_out(self, step: tuple[str, str], result: str) -> str:
        if result == BUSY:
            raise exception.BackendBusy(reason="model")
        if result == REFUSED:
            raise exception.ManilaException("the back end said no")
        if result == SILENT:
            raise TimeoutError("nothing happened")
        self._happen(in_transaction=False)
        self.done.add(step)
        if result == CUT_OFF:
            raise TimeoutError("it happened")
        return "result"

    def _probe(self, op: Any, name: str) -> Callable[[], Any]:
        def probe() -> Any:
            step = (op.uuid, name)
            if step not in self.probed:
                self.probed.add(step)
                raise exception.BackendBusy(reason="the first probe cannot tell")
            return Done("result") if (op.uuid, name) in self.done else AGAIN

        return probe

    def _answer(self, uuid: str) -> Any:
        self.asked[uuid] = self.asked.get(uuid, 0) + 1
        return "over" if self.asked[uuid] > 2 else Pending("under way")

    def _is_valid(self, owner: str) -> bool:
        """Whether the worker is active; its lease may be over as long as nobody noticed."""
        with self.bench.database.reader() as connection:
            query = sa.select(worker_table.c.state).where(worker_table.c.id == owner)
            return connection.execute(query).scalar() == "active"

    def _check_alone(self, op: Any) -> None:
        for effect in self.inside:
            alone = effect.lane != op.lane or not self._is_valid(effect.owner)
            self._hold(alone, f"two workers with valid leases are in {op.lane}")

    def _check_turn(self, op: Any) -> None:
        for row in self._rows(operations.c.lane == op.lane, operations.c.finished == 0):
            if row["uuid"] == op.uuid:
                continue
            self._hold(row["active_key"] is None, f"{row['uuid']} holds the lane of {op.uuid}")
            in_turn = row["id"] > op.id or row["uuid"] in self.retries
            self._hold(in_turn, f"{op.uuid} does not wait for {row['uuid']}")

    def _check_first(self, op: Any, name: str) -> None:
        step = (op.uuid, name)
        (row,) = self._rows(operations.c.uuid == op.uuid)
        recorded = json.loads(row["steps"])[name]["state"]
        self._hold(recorded == "begun", f"{name} runs; the database says that it is {recorded}")
        self._hold(step not in self.passed, f"{name} runs although the flow had gone on")
        if name == "two":
            self.passed.add((op.uuid, "one"))
        if op.method != "plain" and name != "clean up" and step not in self.spoilt:
            self._hold(step not in self.done, f"{name} of {op.method} takes effect twice")

    def _hold(self, condition: bool, otherwise: str) -> None:
        """Note what is broken: an error in a step would only fail its operation."""
        if not condition:
            self.broken.append(otherwise)

    # -- what happens at crash points -----------------------------------------------------------

    def _reach(self, name: str) -> None:
        self._happen(in_transaction=name.endswith("before_commit"))

    def _happen(self, in_transaction: bool) -> None:
        if not self.current:
            return
        slot = self.current[-1]
        if in_transaction:
            slot.stalled = False
        event = self.script.pop(0) if self.script else CALM
        if event == CRASH:
            slot.dead = True
            raise Crash
        if in_transaction:
            # What is meant for another moment waits for it.
            if event in (STALL, CANCEL):
                self.script.insert(0, event)
            self._break_transaction(event)
        elif event == STALL:
            self._stall(slot)
        elif event == CANCEL:
            self._cancel_something()

    def _break_transaction(self, event: str) -> None:
        if event == DEADLOCK:
            raise db_exc.DBDeadlock()
        if event == LOST_ANSWER:
            self.break_after_commit = True

    def _stall(self, slot: Slot) -> None:
        """This worker sleeps past its lease; another one takes over and works meanwhile."""
        script, self.script = self.script, []
        slot.stalled = True
        other = self._another(slot)
        with self._acting(other):
            # One that is late itself does not judge others.
            for _ in range(4):
                self._renew(other)
                self.bench.clock.advance(LEASE / 3)
            self._renew(other)
            other.engine.worker.take_over()
            other.engine.claim(2)
            for _ in range(3):
                other.engine.run_one()
        self.script = script

    def _cancel_something(self) -> None:
        live = self._rows(operations.c.finished == 0)
        if live:
            self.bench.cancel(live[0]["uuid"])

    # -- workers ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _acting(self, slot: Slot) -> Iterator[None]:
        """Everything inside is done by that worker, and ends with it if it crashes."""
        self.current.append(slot)
        slot.stalled = False
        try:
            yield
        except Crash:
            assert slot.dead
        finally:
            self.current.pop()
            self.break_after_commit = False
            if slot.dead and slot in self.slots:
                self.slots.remove(slot)

    def _start(self) -> Slot:
        # A new worker takes over only what leases allow, as it would on another machine.
        slot = Slot(self.bench.worker())
        self.owners[slot.identity] = slot
        self.slots.append(slot)
        return slot

    def _another(self, slot: Slot) -> Slot:
        for other in self.slots:
            if other is not slot and other not in self.current:
                return other
        return self._start()

    def _rename(self, slot: Slot) -> None:
        """What the engine does when it finds itself declared lost."""
        slot.engine.runner.timers.clear()
        worker = Worker(self.bench.database, HOST, LEASE, self.bench.clock)
        worker.register()
        slot.engine.worker = worker
        self.owners[worker.id] = slot

    def _pick(self, pick: int) -> Slot:
        if not self.slots:
            return self._start()
        return self.slots[pick % len(self.slots)]

    def _rows(self, *conditions: Any) -> list[dict[str, Any]]:
        query = sa.select(operations).where(*conditions).order_by(operations.c.id)
        with self.bench.database.reader() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
