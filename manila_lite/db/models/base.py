# SPDX-License-Identifier: Apache-2.0
"""What all tables share: one MetaData, and the columns by which Manila marks time and deletion.

Names, types and constraints are those that Manila 23's own migrations leave on PostgreSQL. Where
its class declarations say something else (a shorter string, an index that no migration made), the
migrated database wins, for that is what runs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table
from sqlalchemy.sql.schema import SchemaItem

# One MetaData for Manila's tables and ours: joins need both.
metadata = MetaData()

# What a table of ours is called; everything else belongs to Manila and is never altered.
LITE_PREFIX = "lite_"

# Where alembic keeps the revision of our tables (Manila's own is alembic_version), and the
# revision that this release works with.
VERSION_TABLE = "lite_alembic_version"
HEAD_REVISION = "0001"

# For tables of ours on MariaDB: its usual collations hold 'a' and 'A' for the same key, so that
# one message could pass for the repetition of another.
LITE_TABLE_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def manila_table(name: str, *items: SchemaItem) -> Table:
    """Declare a table of Manila's, with the three timestamps (naive UTC) that all of them have."""
    return Table(
        name,
        metadata,
        *items,
        Column("created_at", DateTime),
        Column("updated_at", DateTime),
        Column("deleted_at", DateTime),
        mysql_engine="InnoDB",
    )


def deleted_with_id() -> Column[str]:
    """Declare ``deleted`` as a string: ``'False'`` while the row lives, then the row's own id."""
    return Column("deleted", String(36), default="False")


def deleted_with_number() -> Column[int]:
    """Declare ``deleted`` as a number: 0 while the row lives, then its id (1 if that is text)."""
    return Column("deleted", Integer, default=0)


def is_lite(name: str | None) -> bool:
    """Tell whether a table name is one of ours."""
    return name is not None and name.startswith(LITE_PREFIX)
