# SPDX-License-Identifier: Apache-2.0
"""Connections that die, transactions that collide, databases that are away."""

import contextlib
import logging
import sqlite3
import threading

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from manila_lite.db.engines import EngineOptions
from manila_lite.db.models import shares
from manila_lite.db.session import Database
from manila_lite.db.trouble import Trouble, trouble
from manila_lite.testing.clock import ManualClock
from tests.fixtures.databases import SERVERS, admin, end_sessions
from tests.fixtures.proxy import Proxy

on_servers = pytest.mark.parametrize("database_kind", SERVERS, indirect=True)
QUICK = EngineOptions(lock_timeout=0.3)


class ActingClock(ManualClock):
    """Does something at the n-th wait between two tries, and sleeps at none."""

    def __init__(self, act, at=1):
        super().__init__()
        self.act = act
        self.at = at
        self.waits = 0

    def wait(self, event, timeout):
        self.waits += 1
        if self.waits == self.at:
            self.act()
        return super().wait(event, timeout)


def cut(database_kind, database):
    """End all sessions of the database from the server's side."""
    with admin(database_kind) as connection:
        assert end_sessions(connection, database.url.database) > 0


@on_servers
def test_connections_that_died_in_the_pool_are_replaced(database_kind, database, sizes):
    for _ in range(3):
        database.run(sizes.add)
        sizes.read()
        cut(database_kind, database)

    database.run(sizes.add)

    assert database.run(lambda c: c.execute(sa.select(shares.c.size)).all(), write=False)
    assert sizes.read() == 4


@on_servers
def test_work_whose_connection_is_killed_runs_again_and_counts_once(database_kind, database, sizes):
    tries = []

    def work(connection):
        tries.append(1)
        sizes.add(connection)
        if len(tries) < 3:
            cut(database_kind, database)
        sizes.add(connection, "two")

    database.run(work)

    assert len(tries) == 3
    assert (sizes.read("one"), sizes.read("two")) == (1, 1)


@on_servers
def test_work_whose_connection_is_killed_before_its_commit_counts_once(
    database_kind, database, sizes
):
    tries = []

    def work(connection):
        tries.append(1)
        sizes.add(connection)
        if len(tries) == 1:
            cut(database_kind, database)

    database.run(work)

    assert len(tries) == 2
    assert sizes.read() == 1


@on_servers
def test_a_reader_whose_connection_was_killed_says_that_the_database_is_away(
    database_kind, database, sizes
):
    with pytest.raises(db_exc.DBConnectionError), database.reader() as connection:
        connection.execute(sa.select(1))
        cut(database_kind, database)
        connection.execute(sa.select(1))

    assert sizes.read() == 0


@on_servers
def test_both_sides_of_a_deadlock_finish(database, sizes):
    met = threading.Barrier(2, timeout=20)
    tries = []

    def work(first, second):
        def inner(connection):
            tries.append(first)
            sizes.add(connection, first)
            if tries.count(first) == 1:
                met.wait()
            sizes.add(connection, second)

        database.run(inner)

    threads = [
        threading.Thread(target=work, args=order) for order in (("one", "two"), ("two", "one"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tries) == 3
    assert (sizes.read("one"), sizes.read("two")) == (2, 2)


@contextlib.contextmanager
def locking(database, sizes):
    """Hold the row 'one', on SQLite the database; yields a function that lets go."""
    if database.dialect == "sqlite":
        other = sqlite3.connect(database.url.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield other.rollback
        other.close()
        return
    with contextlib.ExitStack() as stack:
        sizes.add(stack.enter_context(database.writer()))
        yield stack.close


def test_work_that_finds_a_lock_held_runs_again_until_it_is_free(database, database_url, sizes):
    with locking(database, sizes) as let_go:
        clock = ActingClock(let_go, at=2)
        other = Database(database_url, clock=clock, options=QUICK)
        other.run(sizes.add)
        other.close()

    assert clock.waits == 2
    assert sizes.read() == (1 if database.dialect == "sqlite" else 2)


def test_a_lock_that_stays_is_a_conflict_when_the_deadline_is_over(database, database_url, sizes):
    with locking(database, sizes):
        other = Database(database_url, clock=ManualClock(), options=QUICK)
        with pytest.raises(Exception) as caught:
            other.run(sizes.add, deadline=0.01)
        other.close()

    assert trouble(caught.value) is Trouble.CONFLICT


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_writer_of_sqlite_that_had_to_wait_is_as_patient_as_before(database_url, sizes):
    holder = Database(database_url)
    with holder.writer() as connection:
        sizes.add(connection)
        release = threading.Timer(0.5, connection.commit)
        other = Database(database_url, options=EngineOptions(lock_timeout=10))
        release.start()
        with other.writer() as second:
            patience = second.exec_driver_sql("PRAGMA busy_timeout").scalar()
            sizes.add(second)
        release.join()
    other.close()
    holder.close()

    assert patience == 10_000
    assert sizes.read() == 2


@pytest.fixture
def proxied(database_kind, database):
    """A way to the server that tests can close and open, and the URL that goes through it."""
    with Proxy(database.url.host, database.url.port or Proxy.PORTS[database.dialect]) as proxy:
        url = database.url.set(host="127.0.0.1", port=proxy.port)
        yield proxy, url.render_as_string(hide_password=False)


@on_servers
def test_a_database_that_is_away_at_first_is_waited_for(proxied, sizes, caplog):
    proxy, url = proxied
    proxy.close_way()
    clock = ActingClock(proxy.open_way, at=20)
    other = Database(url, clock=clock)
    caplog.set_level(logging.INFO, logger="manila_lite")

    other.run(sizes.add)
    other.close()

    assert clock.waits == 20
    assert clock.monotonic() > 60
    assert sizes.read() == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@on_servers
def test_a_database_that_goes_away_in_mid_work_is_waited_for(proxied, sizes):
    proxy, url = proxied
    clock = ActingClock(proxy.open_way, at=20)
    other = Database(url, clock=clock)
    tries = []

    def work(connection):
        tries.append(1)
        sizes.add(connection)
        if len(tries) == 1:
            proxy.close_way()
        sizes.add(connection, "two")

    other.run(work)
    other.close()

    assert len(tries) == 2
    assert clock.waits == 20
    assert (sizes.read("one"), sizes.read("two")) == (1, 1)


@on_servers
def test_many_threads_report_one_outage(proxied, sizes, caplog):
    proxy, url = proxied
    clock = ActingClock(proxy.open_way, at=60)
    other = Database(url, clock=clock)
    other.run(sizes.add)
    proxy.close_way()
    caplog.set_level(logging.INFO, logger="manila_lite")

    threads = [threading.Thread(target=other.run, args=(sizes.add,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()

    assert sizes.read() == 7
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
