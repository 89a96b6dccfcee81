# SPDX-License-Identifier: Apache-2.0
"""What the engine asks all the time must not get slower with the operations that merely wait.

On a database without statistics, as each is when it is new: planners then guess, and a guess that
reads all rows of a host or of a worker costs seconds where 100,000 operations wait.
"""

import contextlib
import datetime
import re

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from manila_lite.db import operations as rows
from manila_lite.db import owned_updates, workers
from manila_lite.db.models.lite import operations

HOST = "host@backend"
OWNER = "worker"
NOW = datetime.datetime(2026, 1, 1)
WAITING = 20_000
FEW = 100
QUESTIONS = {
    "claim": lambda c: rows.claim(c, HOST, OWNER, NOW, 50),
    "requests_for": lambda c: rows.requests_for(c, OWNER),
    "blocked_lanes": lambda c: rows.blocked_lanes(c, HOST),
    "open_lanes": lambda c: rows.open_lanes(c, HOST, ["lane:1", "lane:2", "free"]),
    "unblock_next": lambda c: rows.unblock_next(c, HOST, ["lane:1", "lane:2"]),
    "load_owned": lambda c: rows.load_owned(c, _id(c, "lane:7"), OWNER, 1),
    "lock_owned": lambda c: rows.lock_owned(c, [_id(c, "lane:7"), _id(c, "lane:8")]),
    "advance one": lambda c: _advance(c, "lane:7"),
    "advance two": lambda c: _advance(c, "lane:7", "lane:8"),
    "orphan_owners": lambda c: workers.orphan_owners(c, HOST),
    "seen": lambda c: rows.seen(c, HOST, ["message:1", "message:none"]),
}


def _row(number, **values):
    lane = f"lane:{number}"
    return {
        "uuid": f"{number:036}",
        "host": HOST,
        "message_id": f"message:{number}",
        "lane": lane,
        "method": "copy",
        "version": "1.0",
        "arguments": "{}",
        "context": "{}",
        "state": rows.WAITING,
        "blocked": 0,
        "finished": 0,
        "active_key": lane,
        "owner": OWNER,
        "fence": 1,
        "revision": 1,
        "dispatches": 1,
        "steps": "{}",
        "created_at": NOW,
        **values,
    }


def _id(connection, lane):
    """The operation's number, by an index that is not looked at here."""
    uuid = f"{int(lane.removeprefix('lane:')):036}"
    return connection.execute(sa.select(operations.c.id).filter_by(uuid=uuid)).scalar_one()


def _advance(connection, *lanes):
    values = {"owner": OWNER, "fence": 1, "revision": 1, "steps": "{}", "progress": "1%"}
    values |= {"now": NOW, "state": rows.WAITING, "next_run_at": None, "dispatches": 1}
    changes = [{**values, "id": _id(connection, lane)} for lane in lanes]
    owned_updates.ADVANCE.execute(connection, changes)


@pytest.fixture
def filled(database):
    """A worker with many operations that wait, and one that is queued."""
    queued = {"state": rows.QUEUED, "owner": None, "active_key": None}
    with database.writer() as connection:
        # The many before the few: a look at the lowest numbers helps nobody.
        connection.execute(operations.insert(), [_row(number) for number in range(WAITING)])
        connection.execute(operations.insert(), [_row(WAITING, **queued)])
    return database


@contextlib.contextmanager
def _asked(connection):
    """Note the statements about operations that the block sends, with their parameters."""
    noted = []

    def note(conn, cursor, statement, parameters, context, executemany):
        if "lite_operations" in statement:
            noted.append((statement, parameters[0] if executemany else parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield noted
    event.remove(connection, "before_cursor_execute", note)


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
def test_no_question_reads_the_operations_that_wait(filled):
    read = {}
    for question, ask in QUESTIONS.items():
        with contextlib.suppress(_Undo), filled.writer() as connection:
            with _asked(connection) as asked:
                ask(connection)
            read[question] = [_rows_read(connection, *statement) for statement in asked]
            raise _Undo

    assert all(read.values())
    assert {question: counts for question, counts in read.items() if max(counts) >= FEW} == {}


class _Undo(Exception):
    """Ends a transaction without effect."""


def _rows_read(connection, statement, parameters):
    if connection.dialect.name == "sqlite":
        return _sqlite_rows_read(connection, statement, parameters)
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters)
    text = "\n".join(plan.scalars())
    found = re.findall(r"rows=(\d+) loops=(\d+)|Rows Removed by \w+(?: \w+)*: (\d+)", text)
    return max(int(removed or 0) or int(rows) * int(loops) for rows, loops, removed in found)


def _sqlite_rows_read(connection, statement, parameters):
    """Not counted by SQLite: its plan says whether it goes by the host or the owner alone."""
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    steps = [row[3] for row in plan if "lite_operations" in row[3]]
    wide = [step for step in steps if "SCAN" in step or re.search(r"\((host|owner)=\?\)", step)]
    return WAITING if wide else 1
