# SPDX-License-Identifier: Apache-2.0
"""Leases: who may hold operations, how long, and who may take them away."""

import contextlib
import os
import subprocess
import sys

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from manila_lite.db.models.lite import workers as worker_table
from manila_lite.engine import leases
from manila_lite.engine.leases import Worker
from tests.support.engine import HOST, Bench

LEASE = 15.0


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of these tests are on machines of their own, unless a test says otherwise."""
    monkeypatch.setattr(leases, "has_ended", lambda key, pid: False)


def _worker(bench: Bench, host: str = HOST) -> Worker:
    made = Worker(bench.database, host, LEASE, bench.clock)
    made.register()
    return made


def _holding(bench: Bench, count: int = 1):
    """A worker that holds some operations; return it and their uuids."""

    @bench.flow
    def make(op, key):
        op.step("only", op.env.do, key)

    worker = bench.worker()
    uuids = [worker.cast("make", key=str(number)) for number in range(count)]
    worker.claim()
    return worker, uuids


def _state_of(bench: Bench, worker: Worker) -> str:
    with bench.database.reader() as connection:
        query = sa.select(worker_table.c.state).where(worker_table.c.id == worker.id)
        return connection.execute(query).scalar_one()


def test_every_start_has_an_identity_of_its_own(bench: Bench):
    assert len({_worker(bench).id for _ in range(5)}) == 5


def test_a_lease_that_is_over_lets_another_worker_take_the_operations(bench: Bench):
    holder, uuids = _holding(bench, 3)
    other = _worker(bench)
    for _ in range(2):
        bench.clock.advance(LEASE / 2 + 0.1)
        other.renew()

    assert other.take_over() == 3
    assert bench.states(uuids) == ["queued"] * 3
    assert _state_of(bench, holder.worker) == "lost"


def test_a_lease_that_is_valid_protects_its_operations(bench: Bench):
    _, uuids = _holding(bench, 3)
    other = _worker(bench)
    bench.clock.advance(LEASE)

    assert other.take_over() == 0
    assert bench.states(uuids) == ["running"] * 3


def test_a_lease_that_is_renewed_in_time_never_ends(bench: Bench):
    holder, uuids = _holding(bench)
    other = _worker(bench)
    for _ in range(10):
        bench.clock.advance(LEASE / 3)
        assert holder.worker.renew()
        other.renew()
        assert other.take_over() == 0

    assert bench.states(uuids) == ["running"]


def test_a_lease_that_ran_out_unnoticed_can_still_be_renewed(bench: Bench):
    holder, _ = _holding(bench)
    other = _worker(bench)
    bench.clock.advance(10 * LEASE)
    assert holder.worker.renew()
    other.renew()

    assert other.take_over() == 0


def test_after_an_outage_that_stopped_all_renewals_nobody_is_taken_over_at_once(bench: Bench):
    holder, uuids = _holding(bench)
    quick = _worker(bench)
    bench.clock.advance(LEASE + 5)
    quick.renew()

    assert quick.take_over() == 0
    bench.clock.advance(LEASE / 2)
    assert holder.worker.renew()
    quick.renew()
    bench.clock.advance(LEASE / 2 + 0.1)
    quick.renew()
    assert quick.take_over() == 0
    assert bench.states(uuids) == ["running"]


def test_who_does_not_come_back_after_an_outage_is_taken_over_a_lease_later(bench: Bench):
    _, uuids = _holding(bench)
    quick = _worker(bench)
    bench.clock.advance(LEASE + 5)
    quick.renew()
    for _ in range(2):
        assert quick.take_over() == 0
        bench.clock.advance(LEASE / 2 + 0.1)
        quick.renew()

    assert quick.take_over() == 1
    assert bench.states(uuids) == ["queued"]


def test_a_renewal_between_the_look_and_the_take_over_wins(bench: Bench, monkeypatch):
    holder, uuids = _holding(bench)
    other = _worker(bench)
    bench.clock.advance(LEASE + 1)
    other.renew()
    intact = leases.workers.active

    def active(connection, host):
        """The holder renews just after the other one looked."""
        found = intact(connection, host)
        until = bench.clock.now() + holder.worker._lease
        leases.workers.renew(connection, holder.worker.id, until)
        return found

    monkeypatch.setattr(leases.workers, "active", active)

    assert other.take_over() == 0
    assert bench.states(uuids) == ["running"]


def test_a_worker_that_was_declared_lost_cannot_renew_and_claims_nothing(bench: Bench):
    holder, _ = _holding(bench)
    bench.expire(holder)
    holder.cast("make", key="more")

    assert not holder.worker.renew()
    assert holder.claim() == []


def test_a_lease_is_known_to_be_over_without_asking_the_database(bench: Bench):
    worker = _worker(bench)
    assert worker.holds_lease()
    bench.clock.advance(LEASE - 0.1)
    assert worker.holds_lease()
    bench.clock.advance(0.1)
    assert not worker.holds_lease()
    worker.renew()

    assert worker.holds_lease()


def test_a_renewal_that_took_long_counts_from_its_beginning(bench: Bench, monkeypatch):
    worker = _worker(bench)
    intact = leases.workers.renew

    def slow(connection, worker_id, until):
        found = intact(connection, worker_id, until)
        bench.clock.advance(LEASE - 1)
        return found

    monkeypatch.setattr(leases.workers, "renew", slow)
    worker.renew()
    assert worker.holds_lease()
    bench.clock.advance(1)

    assert not worker.holds_lease()


def test_a_worker_whose_process_ended_is_taken_over_at_once(bench: Bench, monkeypatch):
    holder, uuids = _holding(bench, 2)
    other = _worker(bench)
    monkeypatch.setattr(leases, "has_ended", lambda key, pid: True)

    assert other.take_over() == 2
    assert bench.states(uuids) == ["queued"] * 2
    assert _state_of(bench, other) == "active"


def test_a_worker_never_takes_itself_over(bench: Bench):
    holder, uuids = _holding(bench)
    bench.clock.advance(10 * LEASE)

    assert holder.worker.take_over() == 0
    assert bench.states(uuids) == ["running"]


def test_workers_of_another_host_are_left_alone(bench: Bench):
    _, uuids = _holding(bench)
    other = _worker(bench, "host@other")
    bench.clock.advance(10 * LEASE)

    assert other.take_over() == 0
    assert bench.states(uuids) == ["running"]


@pytest.mark.parametrize("state", ["lost", "stopped"])
def test_operations_of_an_owner_that_is_no_active_worker_are_taken_over(bench: Bench, state):
    holder, uuids = _holding(bench)
    with bench.database.writer() as connection:
        mine = worker_table.c.id == holder.worker.id
        connection.execute(worker_table.update().where(mine).values(state=state))

    assert _worker(bench).take_over() == 1
    assert bench.states(uuids) == ["queued"]


def test_a_stop_gives_everything_back_at_once_and_uncounted(bench: Bench):
    holder, uuids = _holding(bench, 2)

    assert holder.worker.stop([]) == 2
    assert [bench.row(uuid)["dispatches"] for uuid in uuids] == [0, 0]
    assert _state_of(bench, holder.worker) == "stopped"


def test_what_a_stop_keeps_is_nobody_elses_until_the_lease_is_over(bench: Bench):
    holder, uuids = _holding(bench, 2)
    kept = bench.row(uuids[0])["id"]

    assert holder.worker.stop([kept]) == 1
    assert bench.states(uuids) == ["running", "queued"]
    other = _worker(bench)
    assert other.take_over() == 0
    bench.clock.advance(LEASE * 0.6)
    other.renew()
    bench.clock.advance(LEASE * 0.6)
    other.renew()

    assert other.take_over() == 1
    assert bench.states(uuids) == ["queued", "queued"]
    assert bench.row(uuids[0])["dispatches"] == 1


def test_a_registration_whose_commit_lost_its_answer_is_one_worker(bench: Bench, monkeypatch):
    left = [None]
    intact = bench.database.writer

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
        if left:
            left.pop()
            raise db_exc.DBConnectionError()

    monkeypatch.setattr(bench.database, "writer", writer)
    worker = _worker(bench)

    assert _state_of(bench, worker) == "active"
    assert worker.holds_lease()


# -- processes -----------------------------------------------------------------------------------


@pytest.fixture
def real_has_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    return leases.has_ended


def test_this_process_has_a_name_that_stays_the_same():
    assert leases.process_key(os.getpid()) == leases.process_key(os.getpid()) != ""


def test_a_process_that_runs_has_not_ended(real_has_ended):
    assert not real_has_ended(leases.process_key(os.getpid()), os.getpid())


def test_a_process_that_ended_has_ended_also_before_its_parent_noticed(real_has_ended):
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    key = leases.process_key(child.pid)
    assert not real_has_ended(key, child.pid)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert real_has_ended(key, child.pid)
    child.wait()

    assert real_has_ended(key, child.pid)


def test_a_process_with_the_same_number_is_another_one(real_has_ended):
    key = leases.process_key(os.getpid())

    assert real_has_ended(key.rpartition("/")[0] + "/1", os.getpid())


@pytest.mark.parametrize("key", ["", "another-boot/pid:[1]/17/99"])
def test_nothing_is_known_of_a_process_on_another_machine(real_has_ended, key):
    assert not real_has_ended(key, 17)


def test_a_process_that_cannot_be_looked_at_counts_as_running(real_has_ended, monkeypatch):
    """/proc may hide the processes of others, and a process may run out of file handles."""
    key = leases.process_key(os.getpid())
    intact = leases._read
    monkeypatch.setattr(leases, "_read", lambda path: "" if "stat" in path else intact(path))

    assert not real_has_ended(key, os.getpid())
