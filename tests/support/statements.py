# SPDX-License-Identifier: Apache-2.0
"""How many SQL statements something costs."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from manila_lite.db.session import Database

_NO_STATEMENTS = ("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


@contextlib.contextmanager
def count_statements(database: Database) -> Iterator[list[str]]:
    """Yield a list to which the text of each statement is added that the database is sent.

    A statement that is sent with many rows at once counts once, as the server counts round trips.
    What begins and ends transactions is not counted.
    """
    sent: list[str] = []

    def note(connection, cursor, text, parameters, context, many):
        if not text.lstrip().upper().startswith(_NO_STATEMENTS):
            sent.append(text)

    engines = (database._reader, database._writer)
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
