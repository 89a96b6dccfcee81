# SPDX-License-Identifier: Apache-2.0
"""Group commits, take-overs and requests on each database, with several threads at once."""

import contextlib
import datetime
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from manila_lite import exception
from manila_lite.clock import SystemClock
from manila_lite.db import operation_requests
from manila_lite.db import operations as rows
from manila_lite.db.models.lite import operations
from manila_lite.engine import Pending
from manila_lite.engine.commits import GroupCommitter
from manila_lite.engine.journal import Journal, NewOperation
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
