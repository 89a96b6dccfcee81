# SPDX-License-Identifier: Apache-2.0
"""From the start of the process to the first cast finished.

One cast waits in the queue (in the journal) while nothing runs. The clock starts before
``manila-lite-share`` is executed and ends with the finished_at of that cast: Python's start,
imports, configuration, fork, connections, do_setup, recording, claim, driver and commit are all in
it. Modules are compiled and in the page cache, as at any start but the first. The median of several
starts.

With 10,000 existing shares the driver is asked to ensure them at each start (what is known of the
back end is forgotten before), beside the cast; how long that takes is shown as well.
"""

from __future__ import annotations

import datetime
import statistics
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks import casts, daemon, senders, servers
from benchmarks.figures import Figure, Goal
from manila_lite import states
from manila_lite.db.models import metadata
from manila_lite.db.models.lite import operations

COUNT = 10_000
_STARTS = 3
_GOAL = 1.5


def run(count: int, directory: Path) -> list[Figure]:
    """Measure both kinds, without shares and with `count` of them."""
    return [
        figure
        for kind in (servers.POSTGRESQL, servers.SQLITE)
        for shares in (0, count)
        for figure in _figures(kind, shares, directory)
    ]


def _figures(kind: str, shares: int, directory: Path) -> list[Figure]:
    with daemon.site(kind, directory) as site:
        casts.make_rows(site.daemon.database, casts.new(shares), site.host, states.AVAILABLE)
        # Declares the queues and compiles the modules.
        site.start_and_wait()
        site.stop()
        starts = [_start(site) for _ in range(_STARTS)]
    what = f"{site.name}, {shares:,} shares"
    served = statistics.median(first for first, _ in starts)
    ensured = statistics.median(ensure for _, ensure in starts)
    return [
        Figure("start-up", f"{what}: first cast finished", served, "s", Goal("<", _GOAL)),
        *([Figure("start-up", f"{what}: all ensured", ensured, "s")] if shares else []),
    ]


def _start(site: daemon.Site) -> tuple[float, float]:
    """Start once; return the seconds to the end of the first cast, and of the ensuring."""
    made = casts.new(1)
    casts.make_rows(site.daemon.database, made, site.host)
    senders.preload(site, made)
    _forget_back_end(site)
    casts_before, ensured_before = site.count(), site.count(daemon.ENSURE)
    began = time.time()
    site.start()
    site.wait_finished(1, since=casts_before)
    site.wait_finished(1, daemon.ENSURE, since=ensured_before)
    ends = tuple(_last_end(site, method) - began for method in (daemon.METHOD, daemon.ENSURE))
    site.stop()
    return ends[0], ends[1]


def _forget_back_end(site: daemon.Site) -> None:
    """Else nothing is ensured: the driver says what it said before."""
    with site.daemon.database.writer() as connection:
        connection.execute(metadata.tables["backend_info"].delete())


def _last_end(site: daemon.Site, method: str) -> float:
    query = sa.select(sa.func.max(operations.c.finished_at)).where(operations.c.method == method)
    with site.daemon.database.reader() as connection:
        moment: datetime.datetime = connection.execute(query).scalar_one()
    return moment.replace(tzinfo=datetime.UTC).timestamp()
