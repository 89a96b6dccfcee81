# SPDX-License-Identifier: Apache-2.0
"""What all tables share: one MetaData, and the columns by which Manila marks time and deletion.

Names, types and constraints are those that Manila 23's own migrations leave on PostgreSQL. Where
its class declarations say something else (a shorter string, an index that no migration made), the
migrated database wins, for that is what runs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, Table
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.schema import SchemaItem

# One MetaData for Manila's tables and ours: joins need both.
metadata = MetaData()

# What the tables of our own are called.
LITE_PREFIX = "lite_"

# Tables of ours under the names that Cinder gives them. Everything else belongs to Manila and is
# never altered.
CINDER_NAMES = frozenset(
    {
        "snapshot_metadata",
        "snapshots",
        "volume_admin_metadata",
        "volume_attachment",
        "volume_glance_metadata",
        "volume_metadata",
        "volume_type_extra_specs",
        "volume_types",
        "volumes",
    }
)

# Where alembic keeps the revision of our tables (Manila's own is alembic_version), and the
# revision that this release works with.
VERSION_TABLE = "lite_alembic_version"
HEAD_REVISION = "0003"

# For tables of ours on MariaDB: its usual collations hold 'a' and 'A' for the same key, so that
# one message could pass for the repetition of another.
LITE_TABLE_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

# MariaDB keeps whole seconds unless told otherwise.
Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


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
    """Tell whether a table name has our prefix."""
    return name is not None and name.startswith(LITE_PREFIX)


def cinder_table(name: str, *items: SchemaItem) -> Table:
    """Declare a table of ours that has Cinder's name, with the four columns all of them have.

    ``deleted`` is a boolean there: false while the row lives.
    """
    assert name in CINDER_NAMES
    return Table(
        name,
        metadata,
        Column("created_at", Moment),
        Column("updated_at", Moment),
        Column("deleted_at", Moment),
        Column("deleted", Boolean, default=False),
        *items,
        **LITE_TABLE_OPTIONS,
    )


def is_ours(name: str | None) -> bool:
    """Tell whether a table is ours to make and to change: lite_ ones, and those of volumes."""
    return is_lite(name) or name in CINDER_NAMES
