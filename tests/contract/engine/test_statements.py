# SPDX-License-Identifier: Apache-2.0
"""What the engine's statements do on each database, with several threads at once."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from manila_lite import exception
from manila_lite.clock import SystemClock
from manila_lite.db import dead_letters, workers
from manila_lite.db.models.lite import operations
from manila_lite.engine import claims
from manila_lite.engine.journal import Journal, NewDeadLetter, NewOperation
from tests.support.engine import HOST, applied_names, applying

from .conftest import PATIENCE, Site

THREADS = 4


def _together(*calls) -> list:
    """Run the calls at the same time in threads of their own; return what they returned."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait(PATIENCE)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(run, call) for call in calls]]


def _journal(site: Site) -> Journal:
    return Journal(site.database, HOST, site.registry, SystemClock())


def _casts(count: int, lanes: int, method: str = "make") -> list[NewOperation]:
    return [NewOperation(method, {"lane": str(number % lanes)}) for number in range(count)]


@pytest.fixture
def make(site: Site) -> None:
    """A flow that writes who it was into the table of applied writes."""

    @site.flow
    def make(op, lane):
        op.step("only", lambda: None)
        op.finish(applying(op.uuid))


def _all_rows(site: Site) -> list[dict]:
    with site.database.reader() as connection:
        found = connection.execute(sa.select(operations).order_by(operations.c.id))
        return [dict(row) for row in found.mappings()]


# -- journal -------------------------------------------------------------------------------------


def test_the_same_messages_recorded_by_four_threads_make_one_row_each(site: Site, make):
    messages = _casts(200, 20)

    def record(seed: int):
        mine = list(messages)
        random.Random(seed).shuffle(mine)
        journal = _journal(site)
        found = {}
        for start in range(0, len(mine), 25):
            batch = mine[start : start + 25]
            for message, recorded in zip(batch, journal.record(batch), strict=True):
                found[message.message_id] = recorded
        return found

    answers = _together(*[lambda seed=seed: record(seed) for seed in range(THREADS)])

    assert len(_all_rows(site)) == 200
    for message in messages:
        recorded = [answer[message.message_id] for answer in answers]
        assert len({item.uuid for item in recorded}) == 1
        assert sorted(item.duplicate for item in recorded) == [False] + [True] * (THREADS - 1)


def test_a_batch_gets_its_numbers_in_the_order_in_which_it_came(site: Site, make):
    batches = [_casts(100, 10) for _ in range(THREADS)]
    _together(*[lambda batch=batch: _journal(site).record(batch) for batch in batches])
    order = [row["message_id"] for row in _all_rows(site)]

    for batch in batches:
        mine = [message.message_id for message in batch]
        assert [ident for ident in order if ident in set(mine)] == mine


@pytest.mark.parametrize("value", ["nul \x00", "lone \udc80", "käse ☃ 🐘", "x" * 5000, "it's %s"])
def test_any_text_can_be_recorded_run_and_fail(site: Site, value: str):
    @site.flow(resource=("share", "lane"))
    def fail(op, lane):
        op.progress(lane)
        raise exception.ManilaException(lane)

    new = NewOperation("fail", {"lane": value}, context={"request_id": value, "project_id": value})
    letter = NewDeadLetter("odd", value, value.encode("utf-8", "replace"), method=value)
    (recorded,) = _journal(site).record([new], [letter])
    site.worker().run_until_idle()
    row = site.row(recorded.uuid)

    assert row["state"] == "failed"
    assert row["arguments"] and row["error"] and row["progress"]


def test_a_dead_letter_of_five_mebibytes_comes_back_as_it_was(site: Site):
    body = random.Random(1).randbytes(5 * 1024 * 1024 + 1)
    _journal(site).record([], [NewDeadLetter("too_large", "five", body, properties={"a": 1})])
    with site.database.reader() as connection:
        (letter,) = dead_letters.listed(connection)
        kept = b"".join(dead_letters.body(connection, letter["uuid"]))

    assert kept == body
    assert letter["size"] == len(body)


# -- claims --------------------------------------------------------------------------------------


def test_four_workers_that_claim_at_once_share_the_heads_and_nothing_else(site: Site, make):
    _journal(site).record(_casts(120, 30))
    claimants = [site.worker() for _ in range(THREADS)]
    claimed = [row for found in _together(*[c.claim for c in claimants]) for row in found]
    for claimant in claimants:
        # Rows that another one was claiming were passed over; nothing is left after a second look.
        claimed += claimant.claim()

    assert len({row["id"] for row in claimed}) == len(claimed) == 30
    assert {row["lane"] for row in claimed} == {f"lane:{number}" for number in range(30)}
    assert [row["id"] for row in sorted(claimed, key=lambda row: row["id"])] == [
        row["id"] for row in _all_rows(site)[:30]
    ]


def test_a_lane_has_one_holder_whatever_the_claim_believes(site: Site, make):
    """The unique key holds where everything else failed."""
    _journal(site).record(_casts(2, 1))
    site.worker().claim()
    second = _all_rows(site)[1]
    take = operations.update().where(operations.c.id == second["id"])

    with pytest.raises(db_exc.DBDuplicateEntry):
        site.database.run(lambda connection: connection.execute(take.values(active_key="lane:0")))


def test_a_worker_that_was_declared_lost_while_it_claims_gets_nothing_or_is_orphaned(
    site: Site, make
):
    """Whichever comes first, no operation stays with a worker that is gone."""
    for _ in range(10):
        _journal(site).record(_casts(5, 5))
        gone, other = site.worker(), site.worker()

        def lose(gone=gone):
            with site.database.reader() as connection:
                (lease,) = [
                    row["lease_until"]
                    for row in workers.active(connection, HOST)
                    if row["id"] == gone.worker.id
                ]
            return site.database.run(
                lambda connection: workers.declare_lost(connection, gone.worker.id, lease)
            )

        _together(gone.claim, lose)
        other.worker.take_over()
        assert all(row["owner"] != gone.worker.id for row in _all_rows(site))
        other.run_until_idle()
        other.worker.stop([])

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 50}


def test_hints_that_races_left_wrong_are_put_right(site: Site, make):
    _journal(site).record(_casts(40, 10))
    values = {"blocked": sa.case((operations.c.id % 2 == 0, 1), else_=0)}
    site.database.run(lambda connection: connection.execute(operations.update().values(**values)))
    worker = site.worker()
    worker.run_until_idle()

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 40}


def test_a_lane_is_freed_by_whoever_sees_that_its_head_is_blocked(site: Site, make):
    """The journal and the end of the operation before passed each other by."""
    _journal(site).record(_casts(2, 2))
    site.database.run(lambda c: c.execute(operations.update().values(blocked=1)))
    worker = site.worker()
    assert worker.claim() == []

    assert claims.mend_lanes(site.database, HOST, worker.committer) == 2
    assert len(worker.claim()) == 2


def test_journal_and_ends_of_operations_at_once_leave_no_lane_blocked(site: Site, make):
    """Three threads record into two lanes which two workers are emptying."""
    journals = [_journal(site) for _ in range(3)]
    claimants = [site.worker() for _ in range(2)]
    recording = threading.Event()

    def record(journal):
        for _ in range(15):
            journal.record(_casts(4, 2))

    def empty(claimant):
        while not recording.is_set():
            claimant.run_until_idle()

    def record_all():
        _together(*[lambda journal=journal: record(journal) for journal in journals])
        recording.set()

    _together(record_all, *[lambda claimant=claimant: empty(claimant) for claimant in claimants])
    for claimant in claimants * 2:
        claimant.run_until_idle()

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 180}
    assert Counter(applied_names(site.database)) == {row["uuid"]: 1 for row in _all_rows(site)}


# -- isolation -----------------------------------------------------------------------------------


def test_transactions_see_what_was_committed_meanwhile_and_not_what_was_not(site: Site, make):
    """Read committed is what guards, claims and hints are written for."""
    if site.database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    count = sa.select(sa.func.count()).select_from(operations)
    with site.database.writer() as connection:
        assert connection.execute(count).scalar() == 0
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_journal(site).record, _casts(1, 1)).result(PATIENCE)
        assert connection.execute(count).scalar() == 1
        _journal(site).insert_on(connection, _casts(1, 1))
        with site.database.reader() as other:
            assert other.execute(count).scalar() == 1
