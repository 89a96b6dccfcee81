# SPDX-License-Identifier: Apache-2.0
"""Casts per second of three more flows, and the SQL statements that each of them takes.

As the burst of *throughput*, on RabbitMQ and PostgreSQL: the daemon runs and is idle, recorded
casts come as fast as another process can publish them, and the clock runs from the first one sent
to the last one finished. The rows are there as an API makes them; at the end they must show the
effect of every cast, or the run fails. Each cast is about a share of its own.

Statements are counted for one cast alone, from its recording to its end, on SQLite: what the
journal, the claim, the flow and the end of the operation send. Under load the casts of a batch
share many of them.

The goals are what Manila 23's share manager does on two cores, with its dummy driver and
PostgreSQL.
"""

from __future__ import annotations

import datetime
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from benchmarks import casts, daemon, machine, publisher, servers, share_casts
from benchmarks.figures import Figure, Goal
from manila_lite.db.models.lite import operations
from manila_lite.db.session import Database
from tests.support.shares import HOST, Site
from tests.support.statements import count_statements

COUNT = 3000
_WARM_UP = 100


def run(count: int, directory: Path) -> list[Figure]:
    """Measure each flow; count its statements."""
    figures: list[Figure] = []
    with daemon.site(servers.POSTGRESQL, directory) as site:
        site.start_and_wait()
        for kind in share_casts.KINDS:
            _burst(site, kind, _WARM_UP)
            rate = _burst(site, kind, count)
            goal = Goal(">", kind.manila_rate)
            what = f"{kind.method}, burst of {count:,}"
            figures.append(Figure("RabbitMQ + PostgreSQL", what, rate, "/s", goal, machine.load()))
        site.stop()
    for kind in share_casts.KINDS:
        goal = Goal("<", kind.manila_statements)
        what = f"SQL statements of one {kind.method}"
        figures.append(Figure("one cast alone", what, statements(kind), "", goal))
    return figures


def _burst(site: daemon.Site, kind: share_casts.Kind, count: int) -> float:
    """Return casts per second."""
    assert site.place is not None
    made = casts.new(count)
    database = site.daemon.database
    share_casts.make_rows(database, kind, made, site.host)
    before = site.count(kind.method)
    bodies = [share_casts.body(kind, cast) for cast in made]
    where = (site.place.broker.amqp_url, site.place.exchange, site.queue)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        moments = pool.submit(publisher.publish_bodies, *where, bodies).result()
    site.wait_finished(count, kind.method, since=before)
    done = share_casts.count_done(database, kind, made)
    if done != count:
        raise RuntimeError(f"{count - done} of {count} casts of {kind.method} had no effect")
    return count / (_last_end(database, kind.method) - moments[0])


def _last_end(database: Database, method: str) -> float:
    """When the last operation of the method finished, as seconds of the epoch."""
    query = sa.select(sa.func.max(operations.c.finished_at)).where(operations.c.method == method)
    with database.reader() as connection:
        moment: datetime.datetime = connection.execute(query).scalar_one()
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def statements(kind: share_casts.Kind) -> int:
    """Count the SQL statements of one cast from its recording to its end."""
    site = Site()
    cast = casts.new(1)[0]
    share_casts.make_rows(site.database, kind, [cast], f"{HOST}#pool")
    with count_statements(site.database) as sent:
        site.cast(kind.method, **share_casts.arguments(kind, cast))
        site.run()
    if share_casts.count_done(site.database, kind, [cast]) != 1:
        raise RuntimeError(f"one {kind.method} had no effect")
    return len(sent)
