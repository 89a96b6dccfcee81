# SPDX-License-Identifier: Apache-2.0
"""What the engine's statements do on each database, with several threads at once."""

import contextlib
import datetime
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from manila_lite import exception
from manila_lite.clock import SystemClock
from manila_lite.db import dead_letters, operation_requests, workers
from manila_lite.db import operations as rows
from manila_lite.db.models.lite import operations
from manila_lite.engine import Pending, claims
from manila_lite.engine.commits import GroupCommitter
from manila_lite.engine.journal import Journal, NewDeadLetter, NewOperation
from tests.support.engine import HOST, applied_names, applying, claiming_name

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


# -- commits -------------------------------------------------------------------------------------


def _run_all_in_groups(site: Site, claimant, claimed: list[dict]) -> None:
    """Run the claimed operations in threads, so that their writes meet in group commits."""
    committer = GroupCommitter(site.database, HOST)
    claimant.runner._committer = committer
    jobs = [claimant.jobs.popleft() for _ in claimed]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    # Whoever comes early waits for the others: the first group is a large one.
    end = threading.Event()
    for _ in range(500):
        if len(committer._waiting) == len(jobs):
            break
        end.wait(0.01)
    committer.start()
    for thread in threads:
        thread.join(PATIENCE)
    committer.stop(PATIENCE)


def test_a_group_writes_for_each_operation_what_it_would_have_written_alone(site: Site):
    """Steps, progress, times, errors and results: some NULL, some long, some odd."""
    texts = [None, "", "käse ☃ 🐘", "50%", "back\\slash and 'quotes' \"\"", "%s %(x)s", "x" * 255]

    @site.flow(on_failure=lambda op, error, **_: [applying(f"bad {op.uuid}")])
    def various(op, lane, kind, text):
        op.step("only", lambda: text)
        if text is not None:
            op.progress(text)
        if kind == "waits":
            op.wait("long", lambda: Pending())
        if kind == "fails":
            raise exception.ManilaException(f"no: {text}")
        op.finish(applying(f"good {op.uuid}"), result={"text": text} if text else None)

    cases = [(kind, text) for kind in ("waits", "fails", "ends") for text in texts]
    recorded = _journal(site).record(
        [
            NewOperation("various", {"lane": str(number), "kind": kind, "text": text})
            for number, (kind, text) in enumerate(cases)
        ]
    )
    claimant = site.worker()
    claimed = claimant.claim()
    assert len(claimed) == len(cases)
    _run_all_in_groups(site, claimant, claimed)

    for (kind, text), item in zip(cases, recorded, strict=True):
        row = site.row(item.uuid)
        assert row["progress"] == text, (kind, text)
        assert row["state"] == {"waits": "waiting", "fails": "failed", "ends": "succeeded"}[kind]
        assert (row["next_run_at"] is not None) == (kind == "waits")
        assert (row["error"] is not None) == (kind == "fails")
        assert (row["active_key"] is not None) == (kind == "waits")
        assert (row["finished_at"] is not None) == (row["finished"] == 1) == (kind != "waits")
        assert row["revision"] == 2
    left = Counter(name.split()[0] for name in applied_names(site.database))
    assert left == {"good": len(texts), "bad": len(texts)}


def test_a_bundle_that_is_refused_fails_alone_in_its_group(site: Site):
    @site.flow(on_failure=lambda op, error, **_: [applying("bad")])
    def make(op, lane):
        wanted = "taken" if int(lane) % 5 == 0 else f"name {lane}"
        op.finish(applying("good"), claiming_name(wanted))

    _journal(site).record(_casts(20, 20))
    claimant = site.worker()
    _run_all_in_groups(site, claimant, claimant.claim())

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 17, "failed": 3}
    assert Counter(applied_names(site.database)) == {"good": 17, "bad": 3}


def test_what_was_taken_over_is_left_out_of_a_group_and_the_rest_is_written(site: Site, make):
    _journal(site).record(_casts(20, 20))
    claimant = site.worker()
    claimed = claimant.claim()
    lost = [row["id"] for row in claimed[::2]]
    taken = operations.update().where(operations.c.id.in_(lost))
    site.database.run(
        lambda connection: connection.execute(taken.values(owner=None, state="queued"))
    )
    _run_all_in_groups(site, claimant, claimed)

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 10, "queued": 10}
    assert len(applied_names(site.database)) == 10
    other = site.worker()
    other.run_until_idle()
    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 20}
    assert len(applied_names(site.database)) == 20


def test_a_take_over_and_the_commit_of_the_end_exclude_each_other(site: Site, make):
    """Either the first worker ends an operation or the second does; its write is there once."""
    for _ in range(15):
        slow, quick = site.worker(), site.worker()
        _journal(site).record(_casts(4, 4))
        claimed = slow.claim()

        def finish(slow=slow, claimed=claimed):
            for _ in claimed:
                slow.run_one()

        def take(slow=slow, quick=quick):
            site.database.run(lambda connection: rows.release_all(connection, slow.worker.id))
            quick.run_until_idle()

        _together(finish, take)
        quick.run_until_idle()
        slow.worker.stop([])
        quick.worker.stop([])

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 60}
    assert Counter(applied_names(site.database)) == {row["uuid"]: 1 for row in _all_rows(site)}


def test_an_end_whose_answer_was_lost_is_written_once(site: Site, make, monkeypatch):
    worker = site.worker()
    (recorded,) = _journal(site).record(_casts(1, 1))
    worker.claim()
    intact, left = site.database.writer, [None] * 2

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
        if left:
            left.pop()
            raise db_exc.DBConnectionError()

    monkeypatch.setattr(site.database, "writer", writer)
    worker.run_until_idle()

    assert site.row(recorded.uuid)["state"] == "succeeded"
    assert applied_names(site.database) == [recorded.uuid]


# -- requests ------------------------------------------------------------------------------------


def _fail_one(site: Site, worker) -> str:
    failing = [True]

    @site.flow
    def shaky(op, lane):
        op.step("first", lambda: None)
        if failing:
            failing.pop()
            raise exception.ManilaException("once")
        op.finish(applying(op.uuid))

    (recorded,) = _journal(site).record([NewOperation("shaky", {"lane": "0"})])
    worker.run_until_idle()
    assert site.row(recorded.uuid)["state"] == "failed"
    return recorded.uuid


def _retry(site: Site, uuid: str) -> bool:
    now = SystemClock().now()
    return site.database.run(
        lambda connection: operation_requests.request_retry(connection, uuid, now)
    )


def test_a_retried_operation_lets_the_younger_one_that_holds_the_lane_finish(site: Site, make):
    worker = site.worker()
    failed = _fail_one(site, worker)
    (younger,) = _journal(site).record(_casts(1, 1))
    worker.claim()
    assert _retry(site, failed)
    assert site.worker().claim() == []
    worker.run_until_idle()

    assert applied_names(site.database) == [younger.uuid, failed]


def test_a_retry_asked_for_four_times_at_once_is_granted_once(site: Site):
    worker = site.worker()
    failed = _fail_one(site, worker)
    granted = _together(*[lambda: _retry(site, failed)] * THREADS)
    worker.run_until_idle()

    assert sorted(granted) == [False] * (THREADS - 1) + [True]
    assert applied_names(site.database) == [failed]


def test_a_retry_and_the_claims_of_its_lane_at_once_leave_one_holder(site: Site, make):
    """The claim may find the younger one at the head before the older one is back."""
    worker = site.worker()
    failed = _fail_one(site, worker)
    for _ in range(10):
        _journal(site).record(_casts(2, 1))
        with contextlib.suppress(db_exc.DBDuplicateEntry):
            _together(worker.claim, site.worker().claim, lambda: _retry(site, failed))
        held = [row for row in _all_rows(site) if row["active_key"] is not None]
        assert len(held) <= 1
        for row in _all_rows(site):
            if row["owner"] is not None and not row["finished"]:
                site.database.run(
                    lambda connection, row=row: rows.release_all(connection, row["owner"])
                )
        worker.jobs.clear()
        worker.run_until_idle()

    assert Counter(row["state"] for row in _all_rows(site)) == {"succeeded": 21}


def test_a_purge_takes_what_ended_well_and_is_old_and_nothing_else(site: Site, make):
    worker = site.worker()
    failed = _fail_one(site, worker)
    _journal(site).record(_casts(3, 3))
    worker.run_until_idle()
    (waiting,) = _journal(site).record(_casts(1, 1))
    later = SystemClock().now() + datetime.timedelta(days=1)
    site.database.run(lambda connection: rows.purge(connection, later, 100))

    assert {row["uuid"] for row in _all_rows(site)} == {failed, waiting.uuid}


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
