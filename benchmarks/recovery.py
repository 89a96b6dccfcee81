# SPDX-License-Identifier: Apache-2.0
"""After kill -9 with operations under way: how long until every one has come to its end.

A driver whose create_share never returns holds `count` operations in their step when the whole
daemon is killed. *Restarted*: it is started again at once. *Taken over*: a second worker of the
same back end lives through it. Steps in doubt are resolved by asking the driver. The clock runs
from the kill to the last finished_at.
"""

from __future__ import annotations

import datetime
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from benchmarks import casts, daemon, senders, servers
from benchmarks.figures import Figure, Goal
from manila_lite.db.models.lite import operations
from tests.fixtures.daemon import Daemon

COUNT = 50
_DRIVER = "manila_lite.testing.drivers.ScriptedDriver"
_NEVER_RETURNS = {"scripted_delays": "create_share:3600"}
_GOAL = 30.0
_PATIENCE = 60.0


def run(count: int, directory: Path) -> list[Figure]:
    """Measure both kinds restarted, and PostgreSQL taken over."""
    figures: list[Figure] = []
    for kind, beside in (
        (servers.POSTGRESQL, False),
        (servers.SQLITE, False),
        (servers.POSTGRESQL, True),
    ):
        with daemon.site(kind, directory, driver=_DRIVER, backend=_NEVER_RETURNS) as site:
            seconds = _recover(site, count, beside, directory)
        how = "taken over by a second worker" if beside else "restarted"
        what = f"{site.name}, {count} running, {how}"
        figures.append(Figure("recovery", what, seconds, "s", Goal("<", _GOAL)))
    return figures


def _recover(site: daemon.Site, count: int, beside: bool, directory: Path) -> float:
    site.start_and_wait()
    made = casts.new(count)
    casts.make_rows(site.daemon.database, made, site.host)
    senders.preload(site, made)
    _wait_running(site, count)
    if not beside:
        return _kill_and_wait(site, made, site.start)
    with tempfile.TemporaryDirectory(dir=directory) as own:
        second = Daemon(
            Path(own),
            site.daemon.database_url,
            driver=_DRIVER,
            default=site.place.options() if site.place else {},
            backend=_NEVER_RETURNS,
        )
        try:
            second.start()
            second.wait_ready()
            return _kill_and_wait(site, made, lambda: None)
        finally:
            second.close()


def _kill_and_wait(site: daemon.Site, made: list[casts.Cast], then: Callable[[], None]) -> float:
    began = time.time()
    site.daemon.kill()
    then()
    _wait(lambda: site.count() >= len(made), "all operations at their end")
    ends = [row["finished_at"].replace(tzinfo=datetime.UTC).timestamp() for row in site.finished()]
    if casts.available(site.daemon.database, made) != len(made):
        raise RuntimeError("not all shares are available")
    return max(ends) - began


def _wait_running(site: daemon.Site, count: int) -> None:
    query = (
        sa.select(sa.func.count())
        .select_from(operations)
        .where(operations.c.state == "running", operations.c.method == daemon.METHOD)
    )

    def running() -> bool:
        with site.daemon.database.reader() as connection:
            return bool(connection.execute(query).scalar_one() >= count)

    _wait(running, f"{count} running operations")
    # Claimed is not begun: let the last of them reach the driver.
    time.sleep(1.0)


def _wait(look: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {_PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)
