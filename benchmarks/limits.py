# SPDX-License-Identifier: Apache-2.0
"""What broker and database do by themselves with the same messages, one at a time.

Consume + ack: one kombu consumer on a queue declared as the daemon's, filled beforehand with the
very bodies that the daemon gets; nothing is decoded; every message is acknowledged alone.

INSERT + COMMIT: psycopg2 (or sqlite3) inserts the row that the journal makes of that message into
lite_operations, with all its indexes, and commits each one alone, on one connection. The database
is set up as for the daemon: durable commits.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

import kombu
import psycopg2
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks import casts, publisher, servers
from benchmarks.figures import Figure
from manila_lite.clock import SystemClock
from manila_lite.db import sync
from manila_lite.db.models.lite import operations
from manila_lite.db.session import Database
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.engine.registry import FlowRegistry

_PREFETCH = 200
_HOST = "limit@null"


def run(count: int, directory: Path) -> list[Figure]:
    """Measure all three limits."""
    return [
        Figure("limits", "RabbitMQ: kombu consume + ack", consume_rate(count), "/s"),
        *(
            Figure("limits", f"{kind}: INSERT + COMMIT", insert_rate(kind, count, directory), "/s")
            for kind in (servers.POSTGRESQL, servers.SQLITE)
        ),
    ]


def consume_rate(count: int) -> float:
    """Messages that kombu takes and acknowledges in a second."""
    with servers.rabbitmq() as place, place.broker.connect() as connection:
        queue = place.queue(f"{place.topic}.limit")(connection.default_channel)
        queue.declare()
        publisher.publish(place.broker.amqp_url, place.exchange, queue.name, casts.new(count))
        return _drain(connection, queue, count)


def _drain(connection: kombu.Connection, queue: kombu.Queue, count: int) -> float:
    seen = 0

    def acknowledge(message: Any) -> None:
        nonlocal seen
        message.ack()
        seen += 1

    consumer = kombu.Consumer(
        connection.channel(), [queue], on_message=acknowledge, prefetch_count=_PREFETCH
    )
    began = time.perf_counter()
    with consumer:
        while seen < count:
            connection.drain_events(timeout=30)
    return count / (time.perf_counter() - began)


def insert_rate(kind: str, count: int, directory: Path) -> float:
    """Rows that are inserted and committed one by one in a second."""
    with servers.database(kind, directory) as url:
        row = _journaled_row(url)
        rows = [_renamed(row) for _ in range(count)]
        opened = _connect_sqlite if kind == servers.SQLITE else _connect_postgresql
        with contextlib.closing(opened(url)) as connection:
            return _insert(connection, rows, "?" if kind == servers.SQLITE else "%s")


def _journaled_row(url: str) -> dict[str, Any]:
    """What the journal makes of one cast."""
    database = Database(url)
    sync.sync(database)
    message = casts.template()
    journal = Journal(database, _HOST, FlowRegistry(), SystemClock())
    journal.record(
        [NewOperation(message["method"], message["args"], message["version"], casts.context())]
    )
    with database.reader() as connection:
        found = dict(connection.execute(sa.select(operations)).mappings().one())
    database.close()
    return found


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    message_id = uuid.uuid4().hex
    own = {"uuid": str(uuid.uuid4()), "message_id": message_id, "lane": f"share:{uuid.uuid4()}"}
    return {**row, **own, "created_at": str(row["created_at"])}


def _connect_postgresql(url: str) -> Any:
    parts = make_url(url)
    return psycopg2.connect(
        host=parts.host,
        port=parts.port or 5432,
        user=parts.username,
        password=parts.password,
        dbname=parts.database,
    )


def _connect_sqlite(url: str) -> Any:
    connection = sqlite3.connect(make_url(url).database or "")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _insert(connection: Any, rows: list[dict[str, Any]], mark: str) -> float:
    names = [name for name in rows[0] if name != "id"]
    statement = (
        f"INSERT INTO lite_operations ({', '.join(names)}) "
        f"VALUES ({', '.join([mark] * len(names))})"
    )
    values = [[row[name] for name in names] for row in rows]
    cursor = connection.cursor()
    began = time.perf_counter()
    for value in values:
        cursor.execute(statement, value)
        connection.commit()
    return len(rows) / (time.perf_counter() - began)
