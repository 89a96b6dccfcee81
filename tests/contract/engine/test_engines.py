# SPDX-License-Identifier: Apache-2.0
"""Two engines of one host on one database, with all their threads."""

import datetime
import random
import threading
from collections import Counter, defaultdict

import pytest
from sqlalchemy.engine import make_url

from manila_lite import exception
from manila_lite.db import operation_requests
from manila_lite.db.models.lite import workers
from manila_lite.engine import Pending, Schedule
from manila_lite.engine.journal import NewOperation
from tests.fixtures.databases import admin, end_sessions
from tests.support.engine import applied_names, applying

from .conftest import PATIENCE, Site


class Lanes:
    """Notes what runs in which lane, and whether two were ever in one together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()
        self.overlaps: list[str] = []
        self.order: dict[str, list[int]] = defaultdict(list)
        self.count = 0

    def effect(self, lane: str, number: int) -> int:
        with self._lock:
            self._inside[lane] += 1
            if self._inside[lane] > 1:
                self.overlaps.append(lane)
            self.order[lane].append(number)
            self.count += 1
        with self._lock:
            self._inside[lane] -= 1
        return number


@pytest.fixture
def lanes(site: Site) -> Lanes:
    site.env = Lanes()

    @site.flow(first_step="only")
    def announced(op, lane, number):
        op.step("only", op.env.effect, lane, number)
        op.finish(applying(op.uuid))

    @site.flow
    def plain(op, lane, number):
        op.step("one", op.env.effect, lane, number)
        op.step("two", lambda: None)
        op.finish(applying(op.uuid))

    return site.env


def _cast(site: Site, count: int, lanes: int, engines) -> list[str]:
    """Record operations in batches, by each engine's journal in turn."""
    casts = [
        NewOperation(
            ("announced", "plain")[number % 2],
            {"lane": str(number % lanes), "number": number},
        )
        for number in range(count)
    ]
    uuids = []
    for turn, start in enumerate(range(0, count, 7)):
        journal = engines[turn % len(engines)].journal
        uuids += [item.uuid for item in journal.record(casts[start : start + 7])]
    return uuids


def test_two_engines_share_the_lanes_and_keep_their_order(site: Site, lanes: Lanes):
    engines = [site.engine(), site.engine()]
    for engine in engines:
        engine.start()
    uuids = _cast(site, 300, 40, engines)

    assert site.wait_for(lambda: site.all_are(300, "succeeded")), site.counts()
    assert lanes.overlaps == []
    assert lanes.count == 300
    assert all(order == sorted(order) for order in lanes.order.values())
    assert Counter(applied_names(site.database)) == Counter(uuids)


def test_an_engine_works_off_what_was_recorded_before_it_started(site: Site, lanes: Lanes):
    engine = site.engine()
    _cast(site, 60, 3, [engine])
    engine.start()

    assert site.wait_for(lambda: site.all_are(60, "succeeded")), site.counts()
    assert all(order == sorted(order) for order in lanes.order.values())


def test_an_engine_picks_up_what_another_process_recorded(site: Site, lanes: Lanes):
    engine, elsewhere = site.engine(), site.engine()
    engine.start()
    _cast(site, 20, 2, [elsewhere])

    assert site.wait_for(lambda: site.all_are(20, "succeeded")), site.counts()
    assert all(order == sorted(order) for order in lanes.order.values())


def test_engines_that_come_and_go_lose_nothing_and_repeat_nothing(site: Site, lanes: Lanes):
    first = site.engine()
    first.start()
    uuids = _cast(site, 200, 25, [first])
    second = site.engine()
    second.start()
    assert first.stop()
    third = site.engine()
    third.start()
    assert second.stop()

    assert site.wait_for(lambda: site.all_are(200, "succeeded")), site.counts()
    assert lanes.overlaps == []
    assert lanes.count == 200
    assert Counter(applied_names(site.database)) == Counter(uuids)


def test_waits_retries_and_failures_end_beside_each_other(site: Site):
    tries: Counter[str] = Counter()

    @site.flow(on_failure=lambda op, error, **_: [applying(f"bad {op.uuid}")])
    def mixed(op, lane, kind):
        if kind == "fails":
            raise exception.ManilaException("as it was told")
        if kind == "waits":
            op.wait("long", lambda: _after(tries, op.uuid, 3), schedule=Schedule(((0, 0.05),)))
        op.finish(applying(f"good {op.uuid}"))

    engines = [site.engine(), site.engine()]
    kinds = ["fails", "waits", "succeeds"]
    new = [
        NewOperation("mixed", {"lane": str(number % 20), "kind": kinds[number % 3]})
        for number in range(120)
    ]
    engines[0].journal.record(new)
    for engine in engines:
        engine.start()

    assert site.wait_for(lambda: site.all_are(120, "succeeded", "failed")), site.counts()
    assert site.counts() == {"succeeded": 80, "failed": 40}
    left = Counter(name.split()[0] for name in applied_names(site.database))
    assert left == {"good": 80, "bad": 40}
    assert len(set(applied_names(site.database))) == 120


def _after(tries, key, count):
    tries[key] += 1
    return Pending(f"{tries[key]}/{count}") if tries[key] < count else "over"


def test_requests_under_load_end_no_operation_twice(site: Site, lanes: Lanes):
    """Cancels and retries hit rows that two engines are claiming, committing and unblocking."""
    engines = [site.engine(), site.engine()]
    for engine in engines:
        engine.start()
    uuids: list[str] = []
    chance = random.Random(7)
    for _ in range(20):
        uuids += _cast(site, 14, 4, engines)
        for uuid in chance.sample(uuids, 10):
            _ask(site, operation_requests.request_cancel, uuid)
        for uuid in chance.sample(uuids, 10):
            _ask(site, operation_requests.request_retry, uuid, engines[0].clock.now())

    assert site.wait_for(lambda: site.all_are(280, "succeeded", "cancelled")), site.counts()
    assert lanes.overlaps == []
    done = Counter(applied_names(site.database))
    assert set(done.values()) == {1}
    assert sum(done.values()) == site.counts()["succeeded"]


def _ask(site: Site, request, *arguments) -> bool:
    return site.database.run(lambda connection: request(connection, *arguments))


def test_connections_that_are_cut_under_load_cost_nothing_and_repeat_no_write(
    site: Site, lanes: Lanes, database_kind: str
):
    if database_kind == "sqlite":
        pytest.skip("SQLite has no connections to cut")
    engines = [site.engine(), site.engine()]
    for engine in engines:
        engine.start()
    name = make_url(site.url).database
    uuids, cut = [], 0
    for _ in range(8):
        uuids += _cast(site, 50, 30, engines)
        with admin(database_kind) as connection:
            cut += end_sessions(connection, name)

    assert site.wait_for(lambda: site.all_are(400, "succeeded")), site.counts()
    assert cut > 0
    assert lanes.overlaps == []
    assert Counter(applied_names(site.database)) == Counter(uuids)
    assert all(_first_times(order) for order in lanes.order.values())


def _first_times(order: list[int]) -> bool:
    """A step in doubt without a probe may run again, but none runs before its turn."""
    seen = list(dict.fromkeys(order))
    return seen == sorted(seen)


def test_a_drain_that_takes_longer_than_the_lease_keeps_its_operations(site: Site):
    go, begun = threading.Event(), threading.Event()

    @site.flow
    def slow(op, lane):
        op.step("only", lambda: (begun.set(), go.wait(PATIENCE)))

    engine = site.engine(lease=0.6, drain_timeout=PATIENCE)
    engine.start()
    (recorded,) = engine.journal.record([NewOperation("slow", {"lane": "a"})])
    assert begun.wait(PATIENCE)
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    other = site.worker()
    taken = [other.worker.take_over() for _ in range(60) if not threading.Event().wait(0.03)]
    row = site.row(recorded.uuid)
    go.set()
    stopping.join(PATIENCE)

    assert taken == [0] * 60
    assert row["state"] == "running"
    assert site.row(recorded.uuid)["state"] == "succeeded"


def test_a_drain_whose_time_is_over_leaves_the_running_step_to_the_next_worker(site: Site):
    go, begun = threading.Event(), threading.Event()
    runs: list[int] = []

    def effect():
        runs.append(1)
        begun.set()
        if len(runs) == 1:
            go.wait(PATIENCE)

    @site.flow
    def slow(op, lane):
        op.step("only", effect)
        op.finish(applying("end"))

    engine = site.engine(drain_timeout=0.1)
    engine.start()
    recorded = engine.journal.record([NewOperation("slow", {"lane": "a"}) for _ in range(2)])
    assert begun.wait(PATIENCE)
    assert not engine.stop()
    assert [site.row(item.uuid)["state"] for item in recorded] == ["running", "queued"]
    other = site.engine()
    other.start()
    ended = site.wait_for(lambda: site.all_are(2, "succeeded"))
    go.set()

    assert ended, site.counts()
    assert applied_names(site.database) == ["end", "end"]


def test_an_engine_that_was_declared_lost_goes_on_under_a_new_name(site: Site, lanes: Lanes):
    engine = site.engine(lease=0.6)
    engine.start()
    before = engine.worker.id
    site.database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE lite_workers SET state = 'lost' WHERE state = 'active'"
        )
    )
    assert site.wait_for(lambda: engine.worker.id != before)
    _cast(site, 30, 5, [engine])

    assert site.wait_for(lambda: site.all_are(30, "succeeded")), site.counts()


def test_more_operations_than_threads_wait_for_theirs_and_all_come_to_an_end(site: Site):
    crowd = threading.Barrier(4)

    @site.flow
    def together(op, lane):
        # Four at a time, or nobody gets through.
        op.step("only", lambda: crowd.wait(PATIENCE) and None)

    engine = site.engine(threads=4)
    engine.start()
    engine.journal.record([NewOperation("together", {"lane": str(n)}) for n in range(40)])

    assert site.wait_for(lambda: site.all_are(40, "succeeded")), site.counts()


def _lose(site: Site, worker) -> None:
    """Let the worker's lease be over, as if its machine had stopped."""
    with site.database.writer() as connection:
        connection.execute(
            workers.update()
            .where(workers.c.id == worker.worker.id)
            .values(lease_until=datetime.datetime(2020, 1, 1), process_key="another machine")
        )


def test_after_a_worker_was_lost_no_more_is_claimed_than_begins(site: Site):
    """What was claimed counts as started: else a few crashes would park what never began."""
    go, begun = threading.Event(), []

    @site.flow
    def hold(op, lane):
        begun.append(lane)
        go.wait(PATIENCE)

    lost = site.worker()
    for number in range(20):
        lost.cast("hold", lane=str(number))
    assert len(lost.claim(most=1)) == 1
    _lose(site, lost)
    engine = site.engine(threads=2)
    engine.start()

    assert site.wait_for(lambda: len(begun) == 2)
    # A second look for work, as a timer makes it, changes nothing.
    engine.wake()
    assert site.wait_for(lambda: not engine._wake.is_set())
    claimed = site.counts()["running"]
    go.set()
    assert claimed == 2
    assert site.wait_for(lambda: site.all_are(20, "succeeded"))
