# SPDX-License-Identifier: Apache-2.0
import sqlite3

import pymysql
import pytest
from oslo_db import exception as db_exc
from sqlalchemy import exc as sa_exc

from manila_lite.db.trouble import Trouble, keeps_us_out, trouble


class PostgresqlError(Exception):
    """psycopg2's errors set pgcode from the server's answer only; this one takes it."""

    def __init__(self, text, pgcode):
        super().__init__(text)
        self.pgcode = pgcode


def operational(orig):
    return sa_exc.OperationalError("UPDATE x", {}, orig)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (db_exc.DBConnectionError(), Trouble.AWAY),
        (db_exc.DBDeadlock(), Trouble.CONFLICT),
        (db_exc.RetryRequest(ValueError()), Trouble.CONFLICT),
        (sa_exc.TimeoutError(), Trouble.CONFLICT),
        (operational(sqlite3.OperationalError("database is locked")), Trouble.CONFLICT),
        (operational(sqlite3.OperationalError("database table is locked: x")), Trouble.CONFLICT),
        (operational(sqlite3.OperationalError("disk I/O error")), Trouble.AWAY),
        (operational(sqlite3.OperationalError("database or disk is full")), Trouble.AWAY),
        (operational(sqlite3.OperationalError("no such table: x")), Trouble.OTHER),
        (operational(PostgresqlError("shutting down", "57P01")), Trouble.AWAY),
        (operational(PostgresqlError("starting up", "57P03")), Trouble.AWAY),
        (operational(PostgresqlError("too many clients", "53300")), Trouble.AWAY),
        (operational(PostgresqlError("broken", "08006")), Trouble.AWAY),
        (operational(PostgresqlError("lock timeout", "55P03")), Trouble.CONFLICT),
        (operational(PostgresqlError("serialization", "40001")), Trouble.CONFLICT),
        (operational(PostgresqlError("disk full", "53100")), Trouble.AWAY),
        (operational(pymysql.OperationalError(1040, "Too many connections")), Trouble.AWAY),
        (operational(pymysql.OperationalError(1053, "shutdown in progress")), Trouble.AWAY),
        (operational(pymysql.OperationalError(1205, "Lock wait timeout")), Trouble.CONFLICT),
        (operational(pymysql.OperationalError(1213, "Deadlock found")), Trouble.CONFLICT),
        (db_exc.DBError(operational(pymysql.InternalError(1927, "killed"))), Trouble.AWAY),
        (operational(pymysql.OperationalError(1290, "--read-only option")), Trouble.AWAY),
        (operational(pymysql.OperationalError(1054, "Unknown column")), Trouble.OTHER),
        (db_exc.DBDuplicateEntry(), Trouble.REFUSED),
        (db_exc.DBReferenceError(None, None, None, None), Trouble.REFUSED),
        (db_exc.DBDataError(), Trouble.REFUSED),
        (sa_exc.IntegrityError("INSERT", {}, sqlite3.IntegrityError("NOT NULL")), Trouble.REFUSED),
        (db_exc.DBError(sa_exc.DataError("INSERT", {}, ValueError("too long"))), Trouble.REFUSED),
        (sa_exc.ArgumentError("bug"), Trouble.OTHER),
        (ValueError("bug"), Trouble.OTHER),
    ],
    ids=lambda value: value.value if isinstance(value, Trouble) else str(value)[:40],
)
def test_errors_are_told_apart(error, kind):
    assert trouble(error) is kind


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (operational(PostgresqlError('password authentication failed for user "x"', None)), True),
        (operational(pymysql.OperationalError(1045, "Access denied for user 'x'")), True),
        (operational(pymysql.OperationalError(1049, "Unknown database 'x'")), True),
        (db_exc.DBNonExistentDatabase("x"), True),
        (operational(PostgresqlError("Connection refused", None)), False),
        (operational(PostgresqlError("the database system is starting up", None)), False),
        (operational(pymysql.OperationalError(2003, "Can't connect")), False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_server_that_will_not_let_us_in_is_told_from_one_that_cannot_answer(error, final):
    assert keeps_us_out(error) is final
