# SPDX-License-Identifier: Apache-2.0
"""What a Database promises, on each of the three."""

import datetime
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from manila_lite.db.models import lite, services, shares
from manila_lite.db.session import Database
from manila_lite.db.trouble import Trouble, trouble
from manila_lite.db.writes import Write, execute_writes

RENAME = (
    shares.update()
    .where(shares.c.id == sa.bindparam("b_id"))
    .values(display_name=sa.bindparam("b_name"))
)


def test_a_writer_commits_at_its_end(database, sizes):
    with database.writer() as connection:
        sizes.add(connection)

    assert sizes.read() == 1


def test_a_writer_that_fails_writes_nothing(database, sizes):
    with pytest.raises(ZeroDivisionError), database.writer() as connection:
        sizes.add(connection)
        raise ZeroDivisionError

    assert sizes.read() == 0


def test_an_open_reader_sees_what_others_commit_meanwhile(database, sizes):
    with database.reader() as connection:
        query = sa.select(shares.c.size).where(shares.c.id == "one")
        before = connection.execute(query).scalar()
        database.run(sizes.add)

        assert (before, connection.execute(query).scalar()) == (0, 1)


def test_a_reader_does_not_see_what_is_not_committed(database, sizes):
    with database.writer() as connection:
        sizes.add(connection)

        assert sizes.read() == 0


def test_a_writer_sees_what_was_committed_after_it_began(database, sizes):
    if database.dialect == "sqlite":
        with database.writer() as connection:
            text = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert text == "wal"  # one writer at a time: nothing can be committed beside it
        return
    query = sa.select(shares.c.size).where(shares.c.id == "one")
    with database.writer() as connection:
        before = connection.execute(query).scalar()
        database.run(sizes.add)

        assert (before, connection.execute(query).scalar()) == (0, 1)


def test_a_reader_leaves_no_transaction_open(database, sizes):
    with database.reader() as connection:
        connection.execute(sa.select(shares.c.id)).all()
        # Schema changes wait for every open transaction that read the table.
        with database.writer() as other:
            other.execute(sa.text("CREATE INDEX probe ON shares (size)"))
            on_table = "" if database.dialect != "mysql" else " ON shares"
            other.execute(sa.text(f"DROP INDEX probe{on_table}"))


def test_threads_that_add_to_one_row_lose_no_addition(database, sizes):
    def add():
        for _ in range(25):
            database.run(sizes.add)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sizes.read() == 200


def test_now_is_naive_utc_of_this_moment_and_moves_inside_a_transaction(database):
    here = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    with database.writer() as connection:
        first = database.now(connection)
        second = database.now(connection)

    assert first.tzinfo is None
    assert abs((first - here).total_seconds()) < 30
    assert first < second


def test_moments_of_our_tables_keep_their_microseconds(database):
    moment = datetime.datetime(2026, 5, 4, 3, 2, 1, 654321)
    values = {"id": "w", "host": "h", "hostname": "n", "pid": 1, "process_key": "k", "state": "up"}
    with database.writer() as connection:
        row = {**values, "started_at": moment, "lease_until": moment}
        connection.execute(lite.workers.insert(), row)

    with database.reader() as connection:
        assert connection.execute(sa.select(lite.workers.c.lease_until)).scalar() == moment


def test_keys_of_our_tables_are_compared_byte_by_byte(database):
    key = lite.dead_letter_chunks.insert()
    with database.writer() as connection:
        for uuid in ("abc", "ABC", "äbc"):
            connection.execute(key, {"dead_letter_uuid": uuid, "position": 0, "body": b"\x00\xff"})

    with database.reader() as connection:
        chunks = lite.dead_letter_chunks.c
        found = connection.execute(sa.select(chunks.body).where(chunks.dead_letter_uuid == "ABC"))
        assert found.scalars().all() == [b"\x00\xff"]


def test_text_of_any_script_comes_back_as_it_was(database, sizes):
    name = "größe 共享 📁"
    with database.writer() as connection:
        connection.execute(RENAME, {"b_id": "one", "b_name": name})

    with database.reader() as connection:
        query = sa.select(shares.c.display_name).where(shares.c.id == "one")
        assert connection.execute(query).scalar() == name


def test_a_row_without_a_number_gets_one(database):
    with database.writer() as connection:
        first = connection.execute(services.insert(), {"host": "a"}).inserted_primary_key[0]
        second = connection.execute(services.insert(), {"host": "b"}).inserted_primary_key[0]

    assert second == first + 1


def test_the_same_write_of_many_bundles_reaches_every_row(database, sizes):
    ids = [f"id-{n}" for n in range(300)]
    sizes.create(*ids)
    bundles = [
        [
            Write(RENAME, {"b_id": key, "b_name": "first"}),
            Write(RENAME, {"b_id": key, "b_name": f"name of {key}"}),
        ]
        for key in ids
    ]

    database.run(lambda connection: execute_writes(connection, bundles))

    with database.reader() as connection:
        rows = connection.execute(
            sa.select(shares.c.id, shares.c.display_name).where(shares.c.display_name.is_not(None))
        ).all()
    assert sorted(rows) == sorted((key, f"name of {key}") for key in ids)


@pytest.mark.parametrize(
    "row",
    [
        {"id": "one", "size": 0},
        {"id": "x" * 37, "size": 0},
        {"id": "three", "is_soft_deleted": None},
    ],
    ids=["duplicate", "too long", "null"],
)
def test_values_that_the_database_refuses_are_told_as_refused(database, sizes, row):
    if database.dialect == "sqlite" and len(row["id"]) > 36:
        row = {**row, "id": "one"}  # SQLite knows no lengths
    tries = []

    def work(connection):
        tries.append(1)
        connection.execute(shares.insert(), row)

    with pytest.raises(Exception) as caught:
        database.run(work)

    assert trouble(caught.value) is Trouble.REFUSED
    assert tries == [1]


def test_a_database_that_does_not_exist_is_an_error_at_once_not_a_wait(database, tmp_path):
    if database.dialect == "sqlite":
        url = f"sqlite:///{tmp_path}/no/such/directory/x.sqlite"
    else:
        url = database.url.set(database="mlite_test_absent").render_as_string(hide_password=False)

    with pytest.raises((db_exc.DBError, sa.exc.OperationalError)):
        Database(url).run(lambda connection: None)


FORKED = """
import os, sys, threading
import sqlalchemy as sa
from manila_lite.db.models import shares
from manila_lite.db.session import Database

ADD = shares.update().where(shares.c.id == "one").values(size=shares.c.size + 1)
database = Database(sys.argv[1])

def add():
    for _ in range(10):
        database.run(lambda connection: connection.execute(ADD))
        database.run(lambda connection: connection.execute(sa.select(shares)).all(), write=False)

add()
child = os.fork()
add()
if not child:
    os._exit(0)
_, status = os.waitpid(child, 0)
add()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_parent_and_child_of_a_fork_go_on_with_connections_of_their_own(
    database, database_url, sizes
):
    done = subprocess.run(
        [sys.executable, "-c", FORKED, database_url], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert sizes.read() == 40
