# SPDX-License-Identifier: Apache-2.0
"""Locks by name, for choices that two processes must not make at once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from manila_lite.db.migrations.once import create_table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    create_table(
        "lite_locks",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("lite_locks")
