# SPDX-License-Identifier: Apache-2.0
"""Operations that may be repeated: MariaDB commits each of them, so a migration may die half-way.

Migrations use these instead of alembic's own wherever both exist.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op


def create_table(name: str, *items: Any, **options: Any) -> None:
    """Create a table unless it exists; its shape is not compared."""
    if not _inspector().has_table(name):
        op.create_table(name, *items, **options)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless the table has one of that name."""
    if name not in {index["name"] for index in _inspector().get_indexes(table)}:
        op.create_index(name, table, columns)


def _inspector() -> sa.Inspector:
    # A new one each time: inspectors remember what they saw.
    return sa.inspect(op.get_bind())
