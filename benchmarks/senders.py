# SPDX-License-Identifier: Apache-2.0
"""Processes that ask for shares: one publishes with raw kombu, one records as the command line."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks import casts, daemon, publisher
from manila_lite.clock import SystemClock
from manila_lite.db.session import Database
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.engine.registry import registry
from manila_lite.share import flows

_TOGETHER = 100


def send(site: daemon.Site, made: Sequence[casts.Cast], rate: float | None = None) -> list[float]:
    """Send the casts from another process; return when each was sent, as seconds of the epoch.

    rate: casts per second; None: as fast as it can.
    """
    work: Callable[..., list[float]] = _record
    where: tuple[str, ...] = (site.daemon.database_url, site.daemon.host)
    if site.place is not None:
        work = publisher.publish
        where = (site.place.broker.amqp_url, site.place.exchange, site.queue)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *where, list(made), rate).result()


def preload(site: daemon.Site, made: Sequence[casts.Cast]) -> None:
    """Have the casts wait for a daemon that does not run: in the queue, or in the journal."""
    if site.place is not None:
        send(site, made)
        return
    journal = _journal(site.daemon.database, site.daemon.host)
    for start in range(0, len(made), _TOGETHER):
        journal.record([_new(cast) for cast in made[start : start + _TOGETHER]])


def _record(url: str, host: str, made: list[casts.Cast], rate: float | None) -> list[float]:
    """One transaction for each, with the rows of its share, as the command line makes them."""
    database = Database(url)
    journal = _journal(database, host)
    items = [_new(cast) for cast in made]
    moments = []
    for number in publisher.paced(len(made), rate):
        moments.append(time.time())
        with database.writer() as connection:
            casts.insert_rows(connection, [made[number]], f"{host}#{daemon.POOL}")
            journal.insert_on(connection, [items[number]])
    return moments


def _journal(database: Database, host: str) -> Journal:
    return Journal(database, host, registry, SystemClock(), flows.LANE_RESOLVERS)


def _new(cast: casts.Cast) -> NewOperation:
    return NewOperation(
        daemon.METHOD, casts.arguments(cast), "1.4", _CONTEXT, message_id=cast.message_id
    )


_CONTEXT: dict[str, Any] = casts.context()
