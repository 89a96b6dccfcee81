# SPDX-License-Identifier: Apache-2.0
"""Rows of operations that are large together, on every database."""

import datetime
import uuid

import pytest
import sqlalchemy as sa

from manila_lite.db import operation_requests, owned_updates
from manila_lite.db import operations as rows
from manila_lite.db.models.lite import operations

HOST = "somewhere@backend"
NOW = datetime.datetime(2026, 5, 6, 7, 8, 9)
LARGE = "x" * (4 * 1024 * 1024)


def _row(number: int, **values):
    return {
        "uuid": str(uuid.uuid4()),
        "host": HOST,
        "message_id": uuid.uuid4().hex,
        "lane": f"share:{number}",
        "method": "make",
        "version": "1.0",
        "arguments": "{}",
        "context": "{}",
        "state": rows.QUEUED,
        "blocked": 0,
        "finished": 0,
        "fence": 0,
        "revision": 0,
        "dispatches": 0,
        "steps": rows.NO_STEPS,
        "created_at": NOW,
        **values,
    }


def _insert(database, made):
    database.run(lambda connection: rows.insert(connection, made), deadline=2.0)


def _column(database, column):
    query = sa.select(column).order_by(operations.c.id)
    return database.run(lambda connection: connection.execute(query).scalars().all(), write=False)


def test_messages_that_are_too_large_for_one_statement_are_recorded_in_order(database):
    made = [_row(number, arguments=LARGE) for number in range(5)]

    _insert(database, made)

    assert _column(database, operations.c.lane) == [row["lane"] for row in made]


def test_steps_that_are_too_large_for_one_statement_are_written_together(database):
    _insert(database, [_row(number) for number in range(5)])
    claimed = database.run(lambda connection: rows.claim(connection, HOST, "owner", NOW, 10))
    updates = [
        {
            "id": row["id"],
            "owner": "owner",
            "fence": row["fence"],
            "revision": row["revision"],
            "state": rows.RUNNING,
            "steps": LARGE,
            "progress": None,
            "next_run_at": None,
            "dispatches": 1,
            "now": NOW,
        }
        for row in claimed
    ]

    database.run(
        lambda connection: owned_updates.ADVANCE.execute(connection, updates), deadline=2.0
    )

    lengths = _column(database, sa.func.length(operations.c.steps))
    assert lengths == [len(LARGE)] * 5


@pytest.mark.parametrize("state", [rows.CANCELLED, rows.SUCCEEDED])
def test_what_ended_long_ago_is_purged(database, state):
    _insert(database, [_row(1, state=state, finished=1, finished_at=NOW)])
    later = NOW + datetime.timedelta(days=8)

    gone = database.run(lambda connection: rows.purge(connection, later, 10))

    assert gone == 1
    assert _column(database, operations.c.id) == []


def test_an_operation_that_is_tried_again_while_it_is_purged_stays(database):
    made = _row(1, state=rows.CANCELLED, finished=1, finished_at=NOW)
    _insert(database, [made])
    later = NOW + datetime.timedelta(days=8)

    def purge(connection):
        def before(conn, statement, *rest):
            if statement.is_delete:
                operation_requests.request_retry(conn, made["uuid"], later)

        sa.event.listen(connection, "before_execute", before)
        return rows.purge(connection, later, 10)

    database.run(purge)

    assert _column(database, operations.c.state) == [rows.QUEUED]
