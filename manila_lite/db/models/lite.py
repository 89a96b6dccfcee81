# SPDX-License-Identifier: Apache-2.0
"""The project's own tables: operations, workers, dead letters and locks.

They stand beside Manila's tables under the prefix ``lite_`` and refer to them by value only, so
that a database which Manila made needs no change.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from manila_lite.db.models.base import LITE_TABLE_OPTIONS, Moment, metadata

# SQLite numbers rows by itself only where the key is INTEGER.
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Chunk = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")

operations = sa.Table(
    "lite_operations",
    metadata,
    sa.Column("id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("message_id", sa.String(64), nullable=False),
    sa.Column("lane", sa.String(255), nullable=False),
    sa.Column("method", sa.String(255), nullable=False),
    sa.Column("version", sa.String(16), nullable=False),
    sa.Column("arguments", LongText, nullable=False),
    sa.Column("context", LongText, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # 1: an older operation of the lane is unfinished. A hint that keeps the claim query short;
    # the claim itself looks again.
    sa.Column("blocked", sa.SmallInteger, nullable=False, default=0),
    sa.Column("finished", sa.SmallInteger, nullable=False, default=0),
    # The lane while the operation holds it, else NULL; unique together with the host.
    sa.Column("active_key", sa.String(255), nullable=True),
    sa.Column("owner", sa.String(36), nullable=True),
    sa.Column("fence", sa.BigInteger, nullable=False, default=0),
    sa.Column("revision", sa.BigInteger, nullable=False, default=0),
    sa.Column("dispatches", sa.Integer, nullable=False, default=0),
    sa.Column("next_run_at", Moment, nullable=True),
    sa.Column("steps", LongText, nullable=False),
    sa.Column("progress", sa.String(255), nullable=True),
    sa.Column("error", LongText, nullable=True),
    sa.Column("result", LongText, nullable=True),
    sa.Column("request", sa.String(16), nullable=True),
    sa.Column("request_id", sa.String(255), nullable=True),
    sa.Column("project_id", sa.String(255), nullable=True),
    sa.Column("resource_type", sa.String(64), nullable=True),
    sa.Column("resource_id", sa.String(255), nullable=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment, nullable=True),
    sa.Column("updated_at", Moment, nullable=True),
    sa.Column("finished_at", Moment, nullable=True),
    sa.UniqueConstraint("host", "message_id", name="uniq_lite_operations0host0message_id"),
    sa.UniqueConstraint("host", "active_key", name="uniq_lite_operations0host0active_key"),
    sa.Index("ix_lite_operations_claim", "host", "state", "blocked", "id"),
    sa.Index("ix_lite_operations_lane", "host", "lane", "finished", "id"),
    sa.Index("ix_lite_operations_owner", "owner", "finished"),
    sa.Index("ix_lite_operations_request", "request"),
    sa.Index("ix_lite_operations_finished_at", "finished_at"),
    sa.Index("ix_lite_operations_resource", "resource_id"),
    sqlite_autoincrement=True,
    **LITE_TABLE_OPTIONS,
)

workers = sa.Table(
    "lite_workers",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("hostname", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    # Names one process beyond doubt on its machine: boot, process namespace, pid, start time.
    sa.Column("process_key", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("lease_until", Moment, nullable=False),
    sa.Index("ix_lite_workers_host", "host", "state"),
    **LITE_TABLE_OPTIONS,
)

dead_letters = sa.Table(
    "lite_dead_letters",
    metadata,
    sa.Column("id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("detail", LongText, nullable=False),
    sa.Column("method", sa.String(255), nullable=True),
    sa.Column("message_id", sa.String(64), nullable=True),
    sa.Column("request_id", sa.String(255), nullable=True),
    sa.Column("exchange", sa.String(255), nullable=True),
    sa.Column("routing_key", sa.String(255), nullable=True),
    sa.Column("properties", LongText, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("settled_at", Moment, nullable=True),
    sa.Index("ix_lite_dead_letters_host", "host", "state", "id"),
    sa.Index("ix_lite_dead_letters_digest", "digest"),
    sqlite_autoincrement=True,
    **LITE_TABLE_OPTIONS,
)

dead_letter_chunks = sa.Table(
    "lite_dead_letter_chunks",
    metadata,
    sa.Column("dead_letter_uuid", sa.String(36), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", Chunk, nullable=False),
    **LITE_TABLE_OPTIONS,
)

# The last capability report of each host: what `pool list` shows where there is no scheduler.
reports = sa.Table(
    "lite_reports",
    metadata,
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("report", LongText, nullable=False),
    sa.Column("reported_at", Moment, nullable=False),
    **LITE_TABLE_OPTIONS,
)

# Locks by name (db.locks). The number only grows: a lock that is taken is a row that was written.
locks = sa.Table(
    "lite_locks",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("taken", sa.BigInteger, nullable=False),
    **LITE_TABLE_OPTIONS,
)
