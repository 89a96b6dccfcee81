# SPDX-License-Identifier: Apache-2.0
"""A share, or a snapshot, goes with its last instance, whoever deletes the last two at once."""

import threading
import uuid

import pytest

from manila_lite.db import models, share_changes, snapshot_changes
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.writes import execute_writes
from tests.support.shares import Site

RACES = 20


@pytest.fixture
def site(database):
    return Site(database)


def second(site, table, instance_id):
    """Insert another instance like this one; return its id."""
    (row,) = [row for row in site.rows(table) if row.id == instance_id]
    twin = {**row, "id": str(uuid.uuid4())}
    with site.database.writer() as connection:
        connection.execute(table.insert(), twin)
    return twin["id"]


def at_once(site, *bundles):
    """Carry out each bundle in a transaction of its own, all at the same time."""
    start = threading.Barrier(len(bundles))

    def run(writes):
        def work(connection):
            execute_writes(connection, [writes])

        start.wait()
        site.database.run(work)

    threads = [threading.Thread(target=run, args=(writes,)) for writes in bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_a_share_goes_with_the_last_of_two_instances_that_are_deleted_at_once(site):
    for _ in range(RACES):
        share = site.add_share("deleting")
        ids = [share["instance_id"], second(site, models.share_instances, share["instance_id"])]
        with site.database.reader() as connection:
            found = [share_rows.get_instance(connection, key) for key in ids]
            share_rows.complete(connection, found)
        at_once(site, *(share_changes.deleted(one, site.clock.now()) for one in found))
    assert {row.deleted == row.id for row in site.rows(models.shares)} == {True}


def test_a_snapshot_goes_with_the_last_of_two_instances_that_are_deleted_at_once(site):
    share = site.add_share("available")
    for _ in range(RACES):
        made = site.add_snapshot(share, "deleting")
        twin = second(site, models.share_snapshot_instances, made["instance_id"])
        with site.database.reader() as connection:
            found = [
                snapshot_rows.get_instance(connection, key) for key in (made["instance_id"], twin)
            ]
        for one in found:
            one["export_locations"] = []
        at_once(site, *(snapshot_changes.deleted(one, site.clock.now()) for one in found))
    assert {row.deleted == row.id for row in site.rows(models.share_snapshots)} == {True}
