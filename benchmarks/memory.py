# SPDX-License-Identifier: Apache-2.0
"""Resident memory of the daemon, of the serving process and of its parent.

Idle: some seconds after the start, with nothing done. Afterwards: the same process, idle again
after a burst of casts. Resident memory counts what the two processes share for each of them.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import casts, daemon, machine, senders, servers
from benchmarks.figures import Figure, Goal

COUNT = 2_000
_SETTLE = 10.0
_GOAL = 120.0


def run(count: int, directory: Path) -> list[Figure]:
    """Measure both kinds."""
    return [
        figure
        for kind in (servers.POSTGRESQL, servers.SQLITE)
        for figure in _figures(kind, count, directory)
    ]


def _figures(kind: str, count: int, directory: Path) -> list[Figure]:
    with daemon.site(kind, directory) as site:
        site.start_and_wait()
        time.sleep(_SETTLE)
        serving, parent = site.serving(), site.daemon.pid
        figures = [
            _figure(f"{site.name}: serving, idle", serving, Goal("<", _GOAL)),
            _figure(f"{site.name}: its parent", parent),
        ]
        made = casts.new(count)
        if site.place is not None:
            casts.make_rows(site.daemon.database, made, site.host)
        senders.send(site, made)
        site.wait_finished(count)
        time.sleep(_SETTLE)
        figures.append(_figure(f"{site.name}: serving, idle after {count:,} casts", serving))
    return figures


def _figure(what: str, pid: int, goal: Goal | None = None) -> Figure:
    return Figure("memory", what, machine.resident_mib(pid), "MiB", goal)
