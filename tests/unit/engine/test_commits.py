# SPDX-License-Identifier: Apache-2.0
"""Group commit: all bundles of a group or one by one, guarded, and never applied twice."""

import contextlib
import threading

import pytest
from oslo_db import exception as db_exc

from manila_lite.db.owned_updates import ADVANCE, FINISH
from manila_lite.engine.commits import Bundle, CommitterStopped, FenceLost, GroupCommitter
from tests.support.engine import HOST, Bench, applying, claiming_name


@pytest.fixture
def committer(bench: Bench):
    made = GroupCommitter(bench.database, HOST)
    yield made
    made.stop(5)


def _claimed(bench: Bench, count: int) -> list[dict]:
    """Operations that a worker holds, each in a lane of its own."""

    @bench.flow
    def make(op, key):
        return None

    worker = bench.worker()
    for number in range(count):
        worker.cast("make", key=str(number))
    rows = worker.claim()
    worker.jobs.clear()
    return rows


def _bundle(bench: Bench, row: dict, *writes, kind: str = "finish", **values) -> Bundle:
    """The bundle that ends an operation, with these writes."""
    found = {
        "state": "succeeded",
        "steps": "{}",
        "progress": None,
        "now": bench.clock.now(),
        "next_run_at": None,
        "dispatches": 1,
        "error": None,
        "result": None,
    }
    update = FINISH if kind == "finish" else ADVANCE
    guard = {key: row[key] for key in ("owner", "fence", "revision")} | values
    lane = row["lane"] if kind == "finish" else None
    return Bundle(
        kind, row["id"], update=update, parameters=found, writes=writes, lane=lane, **guard
    )


def _commit_together(
    committer: GroupCommitter, bundles: list[Bundle]
) -> list[BaseException | None]:
    """Hand all bundles in before the committing thread starts; return what each one got."""
    outcomes: list[BaseException | None] = [None] * len(bundles)

    def hand_in(number: int) -> None:
        try:
            committer.commit(bundles[number])
        except BaseException as error:
            outcomes[number] = error

    threads = [threading.Thread(target=hand_in, args=(n,)) for n in range(len(bundles))]
    for thread in threads:
        thread.start()
    while len(committer._waiting) < len(bundles):
        threading.Event().wait(0.001)
    committer.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return outcomes


def _count_transactions(bench: Bench, monkeypatch) -> list[None]:
    begun: list[None] = []
    intact = bench.database.writer

    @contextlib.contextmanager
    def writer():
        begun.append(None)
        with intact() as connection:
            yield connection

    monkeypatch.setattr(bench.database, "writer", writer)
    return begun


def test_bundles_that_wait_together_are_one_transaction(bench, committer, monkeypatch):
    rows = _claimed(bench, 20)
    begun = _count_transactions(bench, monkeypatch)
    outcomes = _commit_together(committer, [_bundle(bench, row, applying("x")) for row in rows])

    assert outcomes == [None] * 20
    assert len(begun) == 1
    assert bench.applied() == ["x"] * 20
    assert {bench.state(row["uuid"]) for row in rows} == {"succeeded"}


def test_a_bundle_that_is_refused_fails_alone(bench: Bench, committer: GroupCommitter):
    rows = _claimed(bench, 5)
    bundles = [_bundle(bench, row, applying(str(n))) for n, row in enumerate(rows)]
    bundles[2] = _bundle(bench, rows[2], applying("2"), claiming_name("x"), claiming_name("x"))
    outcomes = _commit_together(committer, bundles)

    assert [outcome is None for outcome in outcomes] == [True, True, False, True, True]
    assert isinstance(outcomes[2], db_exc.DBDuplicateEntry)
    assert sorted(bench.applied()) == ["0", "1", "3", "4"]
    assert bench.state(rows[2]["uuid"]) == "running"


@pytest.mark.parametrize("lost", [{"owner": "another"}, {"fence": 99}, {"revision": 7}])
def test_a_bundle_whose_guard_does_not_hold_writes_nothing_and_the_others_go_on(
    bench: Bench, committer: GroupCommitter, lost
):
    rows = _claimed(bench, 3)
    bundles = [_bundle(bench, row, applying(str(n))) for n, row in enumerate(rows)]
    bundles[1] = _bundle(bench, rows[1], applying("1"), **lost)
    outcomes = _commit_together(committer, bundles)

    assert [type(outcome) for outcome in outcomes] == [type(None), FenceLost, type(None)]
    assert sorted(bench.applied()) == ["0", "2"]
    assert bench.state(rows[1]["uuid"]) == "running"


def test_a_bundle_of_an_operation_that_was_purged_is_lost(bench, committer):
    (row,) = _claimed(bench, 1)
    bundle = _bundle(bench, row, applying("x"))
    bundle.operation_id += 1000

    assert isinstance(_commit_together(committer, [bundle])[0], FenceLost)
    assert bench.applied() == []


def test_a_group_whose_commit_lost_its_answer_is_not_applied_twice(bench, committer, monkeypatch):
    rows = _claimed(bench, 4)
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
    outcomes = _commit_together(committer, [_bundle(bench, row, applying("x")) for row in rows])

    assert outcomes == [None] * 4
    assert bench.applied() == ["x"] * 4
    assert [bench.row(row["uuid"])["revision"] for row in rows] == [1] * 4


def test_a_group_that_was_rolled_back_is_applied_once(bench, committer, monkeypatch):
    rows = _claimed(bench, 4)
    left = [None, None]
    intact = bench.database.writer

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
            if left:
                left.pop()
                raise db_exc.DBDeadlock()

    monkeypatch.setattr(bench.database, "writer", writer)
    outcomes = _commit_together(committer, [_bundle(bench, row, applying("x")) for row in rows])

    assert outcomes == [None] * 4
    assert bench.applied() == ["x"] * 4


def test_an_operation_that_goes_on_keeps_its_lane_and_one_that_ends_frees_it(bench, committer):
    rows = _claimed(bench, 2)
    _commit_together(committer, [_bundle(bench, rows[0]), _bundle(bench, rows[1], kind="intent")])
    first, second = (bench.row(row["uuid"]) for row in rows)

    assert (first["active_key"], first["finished"]) == (None, 1)
    assert (second["active_key"], second["finished"]) == (rows[1]["lane"], 0)


def test_the_end_of_an_operation_lets_the_next_of_its_lane_go_and_says_so(bench: Bench):
    @bench.flow
    def make(op, key):
        return None

    worker = bench.worker()
    for _ in range(3):
        worker.cast("make", key="a")
    row = worker.claim()[0]
    told = threading.Event()
    committer = GroupCommitter(bench.database, HOST, on_unblocked=told.set)
    committer.note_blocked([row["lane"]])
    _commit_together(committer, [_bundle(bench, row)])
    committer.stop(5)

    assert told.is_set()
    assert len(worker.claim()) == 1


def test_a_listener_in_trouble_does_not_spoil_the_commit(bench: Bench):
    def told():
        raise RuntimeError("nobody listens")

    @bench.flow
    def make(op, key):
        return None

    worker = bench.worker()
    for _ in range(2):
        worker.cast("make", key="a")
    row = worker.claim()[0]
    committer = GroupCommitter(bench.database, HOST, on_unblocked=told)
    committer.note_blocked([row["lane"]])
    outcomes = _commit_together(committer, [_bundle(bench, row, applying("x"))])
    committer.stop(5)

    assert outcomes == [None]
    assert bench.applied() == ["x"]


def test_a_stop_commits_what_waits_and_refuses_what_comes_later(bench: Bench):
    rows = _claimed(bench, 2)
    committer = GroupCommitter(bench.database, HOST)
    outcomes = _commit_together(committer, [_bundle(bench, rows[0])])
    committer.stop(5)

    assert outcomes == [None]
    with pytest.raises(CommitterStopped):
        committer.commit(_bundle(bench, rows[1]))
    assert bench.state(rows[1]["uuid"]) == "running"
