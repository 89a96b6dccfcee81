# SPDX-License-Identifier: Apache-2.0
"""Casts per second and their latency, end to end, with a driver that does nothing.

Each cast is a recorded create_share_instance with ids of its own. The rows of its share are there
in 'creating', as an API makes them; at the end they must all be 'available' and every operation
'succeeded', or the run fails.

* *Burst*: the daemon runs and is idle. Another process publishes all casts as fast as it can
  (without a broker: records them one by one, each in a transaction of its own, as the command line
  does). The clock runs from the first one sent to the last one finished, the sender beside the
  daemon on the same cores.
* *Backlog*: the casts wait in the queue (in the journal) when the daemon starts. The clock runs
  from the first one that it records (claims) to the last one finished; the start of the process is
  another benchmark's.
* *Latency*: sent at half the burst's rate, evenly. From sending to finished_at, the moment that is
  written into the row with the outcome, some milliseconds before that commit returns. Latencies in
  a burst are shown as well, but they mostly tell how long the burst was.

The goals are the project's: 1,000 casts a second, and half of what the slower of broker and
database does with the same messages, one at a time (see limits).
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from benchmarks import casts, daemon, limits, machine, senders, servers
from benchmarks.figures import Figure, Goal, percentile

COUNT = 10_000
_GOAL = 1000.0
_LATENCY_SECONDS = 8
_WARM_UP = 300


def run(count: int, directory: Path) -> list[Figure]:
    """Measure RabbitMQ + PostgreSQL and SQLite alone, each next to its limits."""
    figures: list[Figure] = []
    for kind in (servers.POSTGRESQL, servers.SQLITE):
        slowest = _limits(kind, count, directory, figures)
        figures += _rates(kind, count, directory, slowest)
    return figures


def _limits(kind: str, count: int, directory: Path, figures: list[Figure]) -> float:
    """Measure what bounds this kind; return the slower one."""
    found = []
    if kind == servers.POSTGRESQL:
        found.append(("limit: kombu consume + ack", limits.consume_rate(count)))
    found.append((f"limit: {kind} INSERT + COMMIT", limits.insert_rate(kind, count, directory)))
    figures += [Figure(_name(kind), what, value, "/s") for what, value in found]
    return min(value for _, value in found)


def _name(kind: str) -> str:
    return "RabbitMQ + PostgreSQL" if kind == servers.POSTGRESQL else f"{kind} alone"


def _rates(kind: str, count: int, directory: Path, limit: float) -> list[Figure]:
    with daemon.site(kind, directory) as site:
        site.start_and_wait()
        _burst(site, _WARM_UP)
        rate, in_burst = _burst(site, count)
        figures = _judged(site.name, "burst", count, rate, limit)
        figures += _latencies(site.name, "in the burst", in_burst)
        slow = rate / 2
        paced = _paced(site, slow)
        figures += _latencies(site.name, f"at {slow:.0f} casts/s", paced)
        site.stop()
        figures += _judged(site.name, "backlog", count, _backlog(site, count), limit)
    return figures


def _judged(name: str, what: str, count: int, rate: float, limit: float) -> list[Figure]:
    load = machine.load()
    return [
        Figure(name, f"{what} of {count:,} casts", rate, "/s", Goal(">=", _GOAL), load),
        Figure(name, f"{what}: of the slower limit", 100 * rate / limit, "%", Goal(">=", 50), load),
    ]


def _latencies(name: str, what: str, seconds: list[float]) -> list[Figure]:
    return [
        Figure(name, f"latency {what}, p{percent}", 1000 * percentile(seconds, percent / 100), "ms")
        for percent in (50, 99)
    ]


def _burst(site: daemon.Site, count: int, rate: float | None = None) -> tuple[float, list[float]]:
    """Return casts per second, and the latency of each in seconds."""
    made = casts.new(count)
    if site.place is not None:
        casts.make_rows(site.daemon.database, made, site.host)
    before = site.count()
    moments = senders.send(site, made, rate)
    site.wait_finished(count, since=before)
    ended = _ends(site, made)
    latencies = [end - sent for end, sent in zip(ended, moments, strict=True)]
    return count / (max(ended) - moments[0]), latencies


def _paced(site: daemon.Site, rate: float) -> list[float]:
    return _burst(site, max(int(rate * _LATENCY_SECONDS), 20), rate)[1]


def _backlog(site: daemon.Site, count: int) -> float:
    """Return casts per second of a daemon that finds them all waiting."""
    made = casts.new(count)
    casts.make_rows(site.daemon.database, made, site.host)
    senders.preload(site, made)
    before = site.count()
    site.start()
    site.wait_finished(count, since=before)
    rows = _rows(site, made)
    first = "created_at" if site.place is not None else "started_at"
    took = max(row["finished_at"] for row in rows) - min(row[first] for row in rows)
    _ends(site, made)
    return count / took.total_seconds()


def _rows(site: daemon.Site, made: list[casts.Cast]) -> list[dict[str, Any]]:
    found = {row["message_id"]: row for row in site.finished()}
    return [found[cast.message_id] for cast in made]


def _ends(site: daemon.Site, made: list[casts.Cast]) -> list[float]:
    """Return when each cast finished, as seconds of the epoch; see that all were really done."""
    rows = _rows(site, made)
    failed = [row for row in rows if row["state"] != "succeeded"]
    if failed or casts.available(site.daemon.database, made) != len(made):
        raise RuntimeError(f"{len(failed)} of {len(made)} casts did not succeed")
    return [row["finished_at"].replace(tzinfo=datetime.UTC).timestamp() for row in rows]
