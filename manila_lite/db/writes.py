# SPDX-License-Identifier: Apache-2.0
"""A write as data, so that writes of many operations can share a transaction and a round trip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.expression import Executable


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One INSERT, UPDATE or DELETE and the values of its bind parameters.

    ``statement`` should be a module-level constant with ``bindparam()`` for everything that varies:
    writes that hold the very same statement object are sent to the server together. A statement
    built for one occasion works as well, only slower. An expanding ``IN`` cannot be shared: give
    such a statement its values itself and leave ``parameters`` empty.
    """

    statement: Executable
    parameters: Mapping[str, Any] = field(default_factory=dict)


def flat(writes: Iterable[Write | Sequence[Write]]) -> list[Write]:
    """Return writes, some of which are given in bundles, in one list."""
    found: list[Write] = []
    for item in writes:
        if isinstance(item, Write):
            found.append(item)
        else:
            found.extend(item)
    return found


def execute_writes(connection: Connection, writes: Iterable[Sequence[Write]]) -> None:
    """Carry out bundles of writes inside the caller's transaction.

    Each bundle keeps its order; between bundles there is none, so they must not depend on each
    other. The first writes of all bundles go first, the same statements among them in one
    executemany, then the second ones, and so on.
    """
    for rank in zip_longest(*writes):
        for statement, parameters in _by_statement(rank):
            # A list of one would take the path for many, without its gain.
            connection.execute(statement, parameters if len(parameters) > 1 else parameters[0])


def _by_statement(
    rank: Iterable[Write | None],
) -> Iterable[tuple[Executable, list[Mapping[str, Any]]]]:
    groups: dict[Any, tuple[Executable, list[Mapping[str, Any]]]] = {}
    for write in rank:
        if write is None:
            continue
        # Different columns make a different statement; a write without values stands alone.
        columns = frozenset(write.parameters)
        key = (id(write.statement), columns if columns else id(write))
        groups.setdefault(key, (write.statement, []))[1].append(write.parameters)
    return groups.values()
