# SPDX-License-Identifier: Apache-2.0
"""Locks that last as long as a transaction, by name, for all processes on the database.

A lock is taken with an UPDATE, not with SELECT ... FOR UPDATE: where several MariaDB servers form
a cluster, only what was written makes the later one of two transactions start over.
"""

from __future__ import annotations

import contextlib
from typing import Final

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy.engine import Connection

from manila_lite.db.models.lite import locks

#: Held by whoever chooses addresses that nobody else has.
ADDRESSES: Final = "network addresses"

_TAKE = locks.update().where(locks.c.name == sa.bindparam("b_name")).values(taken=locks.c.taken + 1)


def take(connection: Connection, name: str) -> None:
    """Wait for the lock and hold it until the caller's transaction ends.

    Take it before anything is read: what is read afterwards is what the last holder left.
    """
    if _take(connection, name):
        return
    with contextlib.suppress(db_exc.DBDuplicateEntry), connection.begin_nested():
        connection.execute(locks.insert(), {"name": name, "taken": 1})
        return
    _take(connection, name)


def _take(connection: Connection, name: str) -> bool:
    return bool(connection.execute(_TAKE, {"b_name": name}).rowcount)
