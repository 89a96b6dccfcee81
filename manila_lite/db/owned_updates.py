# SPDX-License-Identifier: Apache-2.0
"""Updates of operations by their owner, many in one statement.

Each is guarded by id, owner, fence and revision. PostgreSQL and MariaDB get one UPDATE that joins
a table of the new values: their drivers would send one statement per row, which is what the
throughput of the engine then hangs on. SQLite runs the plain statement as often as needed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models.lite import operations
from manila_lite.db.operations import QUEUED, in_portions, owner_to_check

_o = operations.c
_GUARD = ("id", "owner", "fence", "revision")
# What PostgreSQL has to be told of values that may all be NULL.
_CASTS = {
    "id": "bigint",
    "fence": "bigint",
    "revision": "bigint",
    "dispatches": "integer",
    "next_run_at": "timestamp",
    "now": "timestamp",
}


@dataclasses.dataclass(frozen=True, eq=False)
class OwnedUpdate:
    """One kind of update. columns: {column: name of its value}; constants: {column: value}.

    Rows of values are dictionaries with the names in `columns`, those of the guard, and "now".
    """

    columns: dict[str, str]
    constants: dict[str, Any]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The values that a row must have."""
        return (*_GUARD, *dict.fromkeys(self.columns.values()))

    def execute(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Update all rows; one whose guard does not hold is left as it is."""
        if connection.dialect.name == "sqlite" or len(rows) == 1:
            self._one_by_one(connection, rows)
        else:
            for some in in_portions(rows):
                self._together(connection, some)

    def _one_by_one(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        values = [{f"b_{name}": row[name] for name in self.names} for row in rows]
        connection.execute(self.statement, values if len(values) > 1 else values[0])

    @functools.cached_property
    def statement(self) -> sa.Update:
        """The update of one row, with bind parameters b_<name>."""
        guarded = {**{name: _o[name] for name in _GUARD}, "owner": owner_to_check}
        return (
            operations.update()
            .where(
                *(column == sa.bindparam(f"b_{name}") for name, column in guarded.items()),
                _o.finished == 0,
            )
            .values(
                revision=_o.revision + 1,
                **self.constants,
                **{column: sa.bindparam(f"b_{name}") for column, name in self.columns.items()},
            )
        )

    def _together(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        text = _postgresql if connection.dialect.name == "postgresql" else _mariadb
        parameters = [row[name] for row in rows for name in self.names]
        constants = [value for value in self.constants.values() if value is not None]
        if connection.dialect.name == "postgresql":
            ordered = (*constants, *parameters)
        else:
            ordered = (*parameters, *constants)
        connection.exec_driver_sql(text(self, len(rows)), ordered)


def _assignments(update: OwnedUpdate, value: str) -> str:
    """Return the SET list; `value` is a template for a column of the joined table."""
    prefix = "" if "::" in value else "o."
    listed = [
        f"{prefix}{column} = {value.format(name=name, cast=_CASTS.get(name, 'text'))}"
        for column, name in update.columns.items()
    ]
    listed += [
        f"{prefix}{column} = {'NULL' if constant is None else '%s'}"
        for column, constant in update.constants.items()
    ]
    return ", ".join([*listed, f"{prefix}revision = o.revision + 1"])


def _guard(value: str) -> str:
    """Return the condition that finds the rows; `value` as in _assignments."""
    columns = {name: f"o.{name}" for name in _GUARD}
    # As operations.owner_to_check: rows are found by their id.
    columns["owner"] = "coalesce(o.owner, '')"
    return " AND ".join(
        f"{column} = {value.format(name=name, cast=_CASTS.get(name, 'text'))}"
        for name, column in columns.items()
    )


@functools.lru_cache(1024)
def _postgresql(update: OwnedUpdate, count: int) -> str:
    row = f"({', '.join(['%s'] * len(update.names))})"
    return (
        f"UPDATE lite_operations AS o SET {_assignments(update, 'v.{name}::{cast}')} "  # noqa: S608
        f"FROM (VALUES {', '.join([row] * count)}) AS v({', '.join(update.names)}) "
        f"WHERE {_guard('v.{name}::{cast}')} AND o.finished = 0"
    )


@functools.lru_cache(1024)
def _mariadb(update: OwnedUpdate, count: int) -> str:
    named = f"SELECT {', '.join(f'%s AS {name}' for name in update.names)}"
    bare = f"SELECT {', '.join(['%s'] * len(update.names))}"
    return (
        f"UPDATE lite_operations AS o JOIN ({' UNION ALL '.join([named, *[bare] * (count - 1)])}) "  # noqa: S608
        f"AS v ON {_guard('v.{name}')} SET {_assignments(update, 'v.{name}')} WHERE o.finished = 0"
    )


_SHARED = {"steps": "steps", "progress": "progress", "updated_at": "now"}

# The operation goes on: an intent, a recorded step, a wait.
ADVANCE = OwnedUpdate(
    {**_SHARED, "state": "state", "next_run_at": "next_run_at", "dispatches": "dispatches"}, {}
)
# It has come to its end, good or bad, and leaves its lane.
FINISH = OwnedUpdate(
    {**_SHARED, "state": "state", "error": "error", "result": "result", "finished_at": "now"},
    {"finished": 1, "active_key": None, "next_run_at": None, "request": None},
)
# Its worker gives it back; it keeps its lane.
RELEASE = OwnedUpdate(
    {**_SHARED, "next_run_at": "next_run_at", "dispatches": "dispatches"},
    {"state": QUEUED, "owner": None},
)
