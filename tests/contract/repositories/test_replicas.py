# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to change the replicas of a share, where several back ends want to."""

import datetime
import threading

import pytest

from manila_lite.db import replica_changes
from manila_lite.db.models import lite
from tests.support.shares import Site

SHARE = "share"
RACES = 5


class Turns:
    """Operations of several back ends, each of which has a worker."""

    def __init__(self, site):
        self.site = site

    def operation(self, host):
        """Record an operation of a back end; return its id."""
        uuid = self.site.cast("update_share_replica", share_id=SHARE, share_replica_id="replica")
        mine = lite.operations.c.uuid == uuid
        self.change(lite.operations.update().where(mine).values(host=host, lane=host))
        return self.site.operation(uuid)["id"]

    def worker(self, host):
        row = dict(self.site.rows(lite.workers)[0])
        later = row["lease_until"] + datetime.timedelta(days=1)
        self.change(lite.workers.insert(), {**row, "id": host, "host": host, "lease_until": later})

    def change(self, statement, *values):
        with self.site.database.writer() as connection:
            connection.execute(statement, *values)

    def take(self, operation):
        return self.site.database.run(
            lambda c: replica_changes.take_turn(c, SHARE, operation, self.site.clock.now())
        )

    def has(self, operation):
        with self.site.database.reader() as connection:
            return replica_changes.has_turn(connection, SHARE, operation)


@pytest.fixture
def turns(database):
    return Turns(Site(database))


def test_a_turn_is_over_when_its_operation_is_finished(turns):
    first, second = turns.operation("a"), turns.operation("b")
    for host in ("a", "b"):
        turns.worker(host)
    assert turns.take(first)
    assert turns.take(first)
    assert not turns.take(second)
    turns.change(lite.operations.update().where(lite.operations.c.id == first).values(finished=1))
    assert turns.take(second)
    assert turns.has(second)
    assert not turns.has(first)


def test_the_turn_of_a_back_end_without_a_living_worker_is_taken_away(turns):
    first, second = turns.operation("a"), turns.operation("b")
    for host in ("a", "b"):
        turns.worker(host)
    assert turns.take(first)
    turns.change(lite.workers.update().where(lite.workers.c.host == "a").values(state="lost"))
    assert turns.take(second)
    assert not turns.has(first)


def test_of_several_back_ends_that_come_at_once_one_has_the_turn(turns):
    hosts = "abcd"
    for host in hosts:
        turns.worker(host)
    for _ in range(RACES):
        turns.change(lite.locks.delete())
        won, start = [], threading.Barrier(len(hosts))

        def run(operation, won=won, start=start):
            start.wait()
            won.append(turns.take(operation))

        threads = [threading.Thread(target=run, args=(turns.operation(host),)) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(won) == [False, False, False, True]
