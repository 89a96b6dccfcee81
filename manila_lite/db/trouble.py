# SPDX-License-Identifier: Apache-2.0
"""What an error of the database means for the work that met it: one place for the decision."""

from __future__ import annotations

import enum

from oslo_db import exception as db_exc
from sqlalchemy import exc as sa_exc


class Trouble(enum.Enum):
    """Why a transaction failed."""

    AWAY = "away"  # the server cannot be reached; nobody's work gets through
    CONFLICT = "conflict"  # another transaction was in the way; the same work may succeed now
    REFUSED = "refused"  # the database took the statement and said no to its values
    OTHER = "other"  # anything else, errors in our own statements included


# SQLSTATE of PostgreSQL: class 08 is the connection; 57P01 to 57P05 a server that stops, starts
# or ended the session; class 53 one that has run out of connections, memory or disk; 25006 one
# that may only be read, as a standby: nothing can be written until somebody mends that.
_POSTGRESQL_AWAY = {"57P01", "57P02", "57P03", "57P04", "57P05", "25006"}
_POSTGRESQL_AWAY_CLASSES = ("08", "53")
# Serialization failure, deadlock, lock not available.
_POSTGRESQL_CONFLICT = {"40001", "40P01", "55P03"}
# Too many connections, shutdown, network trouble, server gone, lost connection, node not ready,
# connection killed, idle too long; disk full, out of memory, read-only server or table.
_MYSQL_AWAY = {1021, 1037, 1040, 1041, 1047, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1290, 1792,
               1836, 1927, 2002, 2003, 2006, 2013, 2055, 4031}  # fmt: skip
# Row changed, lock wait, deadlock.
_MYSQL_CONFLICT = {1020, 1205, 1213}
_SQLITE_AWAY = (
    "database or disk is full",
    "disk I/O error",
    "attempt to write a readonly database",
)
_SQLITE_CONFLICT = ("database is locked", "database table is locked", "database schema is locked")

# What a server says to someone whom it will not let in; asking again does not help.
_NO_ENTRY = ("authentication failed", "access denied", "no pg_hba.conf entry", "unknown database")

_REFUSED = (
    db_exc.DBDuplicateEntry,
    db_exc.DBReferenceError,
    db_exc.DBConstraintError,
    db_exc.DBDataError,
    db_exc.DBInvalidUnicodeParameter,
    sa_exc.DataError,
    sa_exc.IntegrityError,
)


def trouble(error: BaseException) -> Trouble:
    """Classify an error that came out of a connection."""
    if isinstance(error, db_exc.DBConnectionError):
        return Trouble.AWAY
    if isinstance(error, db_exc.DBDeadlock | db_exc.RetryRequest | sa_exc.TimeoutError):
        return Trouble.CONFLICT
    if isinstance(error, _REFUSED) or isinstance(wrapped(error), _REFUSED):
        return Trouble.REFUSED
    return _by_code(driver_error(error))


def wrapped(error: BaseException) -> BaseException | None:
    """Return the SQLAlchemy error inside one of oslo.db's, or None."""
    return getattr(error, "inner_exception", None) if isinstance(error, db_exc.DBError) else None


def driver_error(error: BaseException) -> BaseException:
    """Return the database driver's own error, or the error itself where there is none."""
    outer = wrapped(error) or error
    return getattr(outer, "orig", None) or outer


def _by_code(error: BaseException) -> Trouble:
    state = getattr(error, "pgcode", None)
    if state is not None:
        if state in _POSTGRESQL_AWAY or state.startswith(_POSTGRESQL_AWAY_CLASSES):
            return Trouble.AWAY
        return Trouble.CONFLICT if state in _POSTGRESQL_CONFLICT else Trouble.OTHER
    code = error.args[0] if error.args else None
    if isinstance(code, int):
        if code in _MYSQL_AWAY:
            return Trouble.AWAY
        return Trouble.CONFLICT if code in _MYSQL_CONFLICT else Trouble.OTHER
    if isinstance(code, str) and code.startswith(_SQLITE_AWAY):
        return Trouble.AWAY
    conflict = isinstance(code, str) and code.startswith(_SQLITE_CONFLICT)
    return Trouble.CONFLICT if conflict else Trouble.OTHER


def keeps_us_out(error: BaseException) -> bool:
    """Tell whether a failed connection attempt will fail again: wrong password, no database."""
    if isinstance(error, db_exc.DBNonExistentDatabase):
        return True
    text = str(driver_error(error)).lower()
    return any(words in text for words in _NO_ENTRY)
