# SPDX-License-Identifier: Apache-2.0
"""The UPDATE by which an operation changes a status: guarded, built once, and shared by all.

A write that the rules of :mod:`manila_lite.states` (of volumes: :mod:`manila_lite.volume_states`)
forbid does not come into being (the builder raises); one whose row meanwhile shows another
operation's transitional status changes no row.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db.writes import Write


def one_of(column: sa.Column[Any], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """``column IN (...)`` with the values in the text: bound ones cannot be sent many at a time."""
    return column.in_([sa.literal_column(f"'{value}'") for value in sorted(values)])


def living(table: sa.Table) -> sa.ColumnElement[bool]:
    """Rows that are not deleted: a text in Manila's tables, a boolean in Cinder's."""
    deleted = table.c.deleted
    if isinstance(deleted.type, sa.Boolean):
        return deleted == sa.false()
    return deleted == "False"


def status_write(
    table: sa.Table,
    check: Callable[[str, str], None],
    row_id: str,
    old: str,
    new: str,
    now: datetime.datetime,
    columns: Mapping[str, Any],
    may_be_overwritten: Callable[[str], frozenset[str]] = states.may_be_overwritten,
) -> Write:
    """Build the write that puts ``new`` in the place of ``old``, with other columns beside it.

    A row that already shows ``new`` gets the columns too. Raises InvalidStatusTransition.
    """
    if old != new:
        check(old, new)
    statement = _statement(table, old, new, tuple(columns), may_be_overwritten)
    values = {f"b_{name}": value for name, value in columns.items()}
    return Write(statement, {"b_id": row_id, "b_now": now, **values})


@functools.lru_cache(maxsize=512)
def _statement(
    table: sa.Table,
    old: str,
    new: str,
    names: tuple[str, ...],
    may_be_overwritten: Callable[[str], frozenset[str]],
) -> sa.Update:
    c = table.c
    changes: dict[str, Any] = {name: sa.bindparam(f"b_{name}") for name in names}
    return (
        table.update()
        .where(
            c.id == sa.bindparam("b_id"),
            living(table),
            sa.or_(c.status.is_(None), one_of(c.status, may_be_overwritten(old) | {new})),
        )
        .values(status=new, updated_at=sa.bindparam("b_now"), **changes)
    )
