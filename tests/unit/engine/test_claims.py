# SPDX-License-Identifier: Apache-2.0
"""Claims: lane heads only, in order, and never lost with a connection."""

import contextlib

import pytest
from oslo_db import exception as db_exc

from tests.support.engine import Bench, Crash


def break_after_commit(bench: Bench, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """Let the next transactions commit and then lose their connection."""
    left = [None] * times
    intact = bench.database.writer

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
        if left:
            left.pop()
            raise db_exc.DBConnectionError()

    monkeypatch.setattr(bench.database, "writer", writer)


def _noting(bench: Bench) -> None:
    @bench.flow
    def note(op, key, number=0):
        op.step("note", op.env.do, (key, number))


def test_operations_of_one_lane_run_in_the_order_of_their_arrival(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    for number in range(5):
        worker.cast("note", key="a", number=number)
    worker.run_until_idle()

    assert bench.back_end.calls == [("a", number) for number in range(5)]


def test_only_the_head_of_each_lane_is_claimed(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    for number in range(3):
        for key in "ab":
            worker.cast("note", key=key, number=number)

    assert [row["lane"] for row in worker.claim()] == ["lane:a", "lane:b"]
    assert bench.worker().claim() == []


def test_a_claim_takes_no_more_than_it_was_asked_to_and_the_oldest_first(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    uuids = [worker.cast("note", key=key) for key in "abcde"]

    assert [row["uuid"] for row in worker.claim(2)] == uuids[:2]
    assert [row["uuid"] for row in worker.claim(9)] == uuids[2:]


def test_each_claim_takes_a_new_fence(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    uuid = worker.cast("note", key="a")
    fences = []
    for _ in range(3):
        worker = bench.worker()
        fences.append(worker.claim()[0]["fence"])
        bench.crash(worker)

    assert fences == sorted(set(fences))
    assert bench.row(uuid)["dispatches"] == 3


def test_a_claim_whose_connection_broke_after_its_commit_is_not_lost(bench, monkeypatch):
    _noting(bench)
    worker = bench.worker()
    uuids = [worker.cast("note", key=key) for key in "abc"]
    break_after_commit(bench, monkeypatch)
    claimed = worker.claim(2)
    worker.run_until_idle()

    assert [row["uuid"] for row in claimed] == uuids[:2]
    assert bench.states(uuids) == ["succeeded"] * 3
    assert len(bench.back_end.calls) == 3


def test_a_claim_that_was_rolled_back_is_tried_again(bench, monkeypatch):
    _noting(bench)
    worker = bench.worker()
    uuid = worker.cast("note", key="a")
    intact = bench.database.writer
    left = [None]

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
            if left:
                left.pop()
                raise db_exc.DBDeadlock()

    monkeypatch.setattr(bench.database, "writer", writer)
    worker.run_until_idle()

    assert bench.state(uuid) == "succeeded"
    assert bench.row(uuid)["fence"] == 1


def test_a_claim_taken_over_before_its_answer_came_is_not_run_twice(bench, monkeypatch):
    _noting(bench)
    slow, quick = bench.worker(), bench.worker()
    uuid = slow.cast("note", key="a")
    intact = bench.database.writer
    left = [None]

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
        if left:
            left.pop()
            bench.expire(slow)
            quick.claim()
            raise db_exc.DBConnectionError()

    monkeypatch.setattr(bench.database, "writer", writer)

    assert slow.claim() == []
    quick.run_until_idle()
    assert bench.back_end.calls == [("a", 0)]
    assert bench.state(uuid) == "succeeded"


def test_an_operation_waits_for_the_whole_lane_before_it_over_crashes(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    for number in range(3):
        worker.cast("note", key="a", number=number)
    for _ in range(3):
        worker = bench.worker()
        worker.claim()
        bench.back_end.before = _raise_crash
        with pytest.raises(Crash):
            worker.run_one()
        bench.back_end.before = lambda name: None
        bench.crash(worker)
    bench.worker().run_until_idle()

    assert bench.back_end.calls == [("a", 0), ("a", 1), ("a", 2)]


def _raise_crash(name):
    raise Crash


def test_a_lane_in_which_an_operation_waits_gives_no_other_one_out(bench: Bench):
    @bench.flow(lane="lane:{key}")
    def wait(op, key):
        from manila_lite.engine import Pending

        op.wait("long", lambda: Pending())

    _noting(bench)
    worker = bench.worker()
    worker.cast("wait", key="a")
    behind = worker.cast("note", key="a")
    worker.run_until_idle()

    assert bench.state(behind) == "queued"
    assert bench.worker().claim() == []


# -- blocked hints ------------------------------------------------------------------------------


def _set(bench: Bench, uuid: str, **values) -> None:
    from tests.support.engine import operations

    with bench.database.writer() as connection:
        connection.execute(operations.update().where(operations.c.uuid == uuid).values(**values))


def test_a_hint_that_lets_too_much_through_does_no_harm(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    uuids = [worker.cast("note", key="a", number=number) for number in range(4)]
    for uuid in uuids:
        _set(bench, uuid, blocked=0)

    assert [row["uuid"] for row in worker.claim()] == uuids[:1]
    worker.run_until_idle()
    assert bench.back_end.calls == [("a", number) for number in range(4)]


def test_a_lane_whose_head_is_blocked_by_mistake_is_mended(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    uuid = worker.cast("note", key="a")
    behind = worker.cast("note", key="a", number=1)
    _set(bench, uuid, blocked=1)
    assert worker.claim() == []

    assert bench.mend_lanes() == 1
    worker.run_until_idle()
    assert bench.states([uuid, behind]) == ["succeeded"] * 2


def test_mending_leaves_lanes_alone_that_are_right(bench: Bench):
    _noting(bench)
    worker = bench.worker()
    for _ in range(2):
        worker.cast("note", key="a")
    worker.claim()

    assert bench.mend_lanes() == 0


# -- a retry on request -------------------------------------------------------------------------


def _failing_first(bench: Bench):
    """A failed operation, the oldest of its lane, that will succeed when it runs again."""
    _noting(bench)
    bench.back_end.fail_with(ValueError("no"))
    worker = bench.worker()
    failed = worker.cast("note", key="a", number=0)
    worker.run_until_idle()
    assert bench.state(failed) == "failed"
    return worker, failed


def test_a_retried_operation_waits_for_the_younger_one_that_holds_its_lane(bench: Bench):
    worker, failed = _failing_first(bench)
    running = worker.cast("note", key="a", number=1)
    worker.claim()
    assert bench.retry(failed)

    assert bench.worker().claim() == []
    worker.run_until_idle()
    assert bench.back_end.calls == [("a", 1), ("a", 0)]
    assert bench.states([failed, running]) == ["succeeded"] * 2


def test_a_retried_operation_goes_before_younger_ones_that_have_not_begun(bench: Bench):
    worker, failed = _failing_first(bench)
    worker.cast("note", key="a", number=1)
    bench.retry(failed)
    worker.run_until_idle()
    bench.mend_lanes()
    worker.run_until_idle()

    assert bench.back_end.calls == [("a", 0), ("a", 1)]


def test_a_lane_goes_on_when_its_holder_crashes_beside_an_older_retried_one(bench: Bench):
    worker, failed = _failing_first(bench)
    running = worker.cast("note", key="a", number=1)
    worker.claim()
    bench.retry(failed)
    bench.crash(worker)
    other = bench.worker()
    other.run_until_idle()
    bench.mend_lanes()
    other.run_until_idle()

    assert bench.states([failed, running]) == ["succeeded"] * 2
    assert bench.back_end.calls == [("a", 1), ("a", 0)]


def test_a_lane_goes_on_when_its_waiting_holder_is_beside_an_older_retried_one(bench: Bench):
    from manila_lite.engine import Pending

    answers = [Pending(), "over"]

    @bench.flow(lane="lane:{key}")
    def wait(op, key):
        op.wait("long", lambda: answers.pop(0))

    worker, failed = _failing_first(bench)
    waiting = worker.cast("wait", key="a")
    worker.run_until_idle()
    bench.retry(failed)
    bench.clock.advance(5)
    worker.run_until_idle()
    bench.mend_lanes()
    worker.run_until_idle()

    assert bench.states([failed, waiting]) == ["succeeded"] * 2


@pytest.mark.parametrize("state", ["queued", "succeeded"])
def test_what_did_not_end_badly_cannot_be_retried(bench: Bench, state):
    _noting(bench)
    worker = bench.worker()
    uuid = worker.cast("note", key="a")
    if state == "succeeded":
        worker.run_until_idle()

    assert bench.retry(uuid) is False
    assert bench.state(uuid) == state


def test_a_retry_starts_the_count_of_dispatches_and_tries_afresh(bench: Bench):
    worker, failed = _failing_first(bench)
    _set(bench, failed, dispatches=9)
    bench.retry(failed)
    row = bench.row(failed)

    assert (row["dispatches"], row["error"], row["finished_at"]) == (0, None, None)
    worker.run_until_idle()
    assert bench.state(failed) == "succeeded"
