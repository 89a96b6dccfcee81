# SPDX-License-Identifier: Apache-2.0
"""The first lite_ tables: operations, workers, dead letters, reports."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from manila_lite.db.migrations.once import create_index, create_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Chunk = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    _create_dead_letter_chunks()
    _create_dead_letters()
    _create_operations()
    _create_reports()
    _create_workers()


def downgrade() -> None:
    for name in (
        "lite_workers",
        "lite_reports",
        "lite_operations",
        "lite_dead_letters",
        "lite_dead_letter_chunks",
    ):
        op.drop_table(name)


def _create_dead_letter_chunks() -> None:
    create_table(
        "lite_dead_letter_chunks",
        sa.Column("dead_letter_uuid", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("body", Chunk, nullable=False),
        sa.PrimaryKeyConstraint("dead_letter_uuid", "position"),
        **MYSQL,
    )


def _create_dead_letters() -> None:
    create_table(
        "lite_dead_letters",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", LongText, nullable=False),
        sa.Column("method", sa.String(255)),
        sa.Column("message_id", sa.String(64)),
        sa.Column("request_id", sa.String(255)),
        sa.Column("exchange", sa.String(255)),
        sa.Column("routing_key", sa.String(255)),
        sa.Column("properties", LongText, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("received_at", Moment, nullable=False),
        sa.Column("settled_at", Moment),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
        sqlite_autoincrement=True,
        **MYSQL,
    )
    create_index("ix_lite_dead_letters_digest", "lite_dead_letters", ["digest"])
    create_index("ix_lite_dead_letters_host", "lite_dead_letters", ["host", "state", "id"])


def _create_operations() -> None:
    create_table(
        "lite_operations",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(255), nullable=False),
        sa.Column("method", sa.String(255), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("arguments", LongText, nullable=False),
        sa.Column("context", LongText, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("blocked", sa.SmallInteger, nullable=False),
        sa.Column("finished", sa.SmallInteger, nullable=False),
        sa.Column("active_key", sa.String(255)),
        sa.Column("owner", sa.String(36)),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("dispatches", sa.Integer, nullable=False),
        sa.Column("next_run_at", Moment),
        sa.Column("steps", LongText, nullable=False),
        sa.Column("progress", sa.String(255)),
        sa.Column("error", LongText),
        sa.Column("result", LongText),
        sa.Column("request", sa.String(16)),
        sa.Column("request_id", sa.String(255)),
        sa.Column("project_id", sa.String(255)),
        sa.Column("resource_type", sa.String(64)),
        sa.Column("resource_id", sa.String(255)),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("started_at", Moment),
        sa.Column("updated_at", Moment),
        sa.Column("finished_at", Moment),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host", "active_key", name="uniq_lite_operations0host0active_key"),
        sa.UniqueConstraint("host", "message_id", name="uniq_lite_operations0host0message_id"),
        sa.UniqueConstraint("uuid"),
        sqlite_autoincrement=True,
        **MYSQL,
    )
    create_index("ix_lite_operations_claim", "lite_operations", ["host", "state", "blocked", "id"])
    create_index("ix_lite_operations_finished_at", "lite_operations", ["finished_at"])
    create_index("ix_lite_operations_lane", "lite_operations", ["host", "lane", "finished", "id"])
    create_index("ix_lite_operations_owner", "lite_operations", ["owner", "finished"])
    create_index("ix_lite_operations_request", "lite_operations", ["request"])
    create_index("ix_lite_operations_resource", "lite_operations", ["resource_id"])


def _create_reports() -> None:
    create_table(
        "lite_reports",
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("report", LongText, nullable=False),
        sa.Column("reported_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("host"),
        **MYSQL,
    )


def _create_workers() -> None:
    create_table(
        "lite_workers",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("hostname", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_key", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("lease_until", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **MYSQL,
    )
    create_index("ix_lite_workers_host", "lite_workers", ["host", "state"])
