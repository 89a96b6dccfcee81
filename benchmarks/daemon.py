# SPDX-License-Identifier: Apache-2.0
"""The daemon under measurement: a process of its own, with the configuration that ships.

Only names and addresses are set, and the driver: everything else is at its default.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import servers
from manila_lite.db import workers
from manila_lite.db.models.lite import operations
from tests.fixtures.daemon import Daemon

NULL = "manila_lite.testing.drivers.NullDriver"
POOL = "null"
METHOD = "create_share_instance"
ENSURE = "ensure_driver_resources"
# Compiled modules are kept, as an installation keeps them.
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": ""}
# Seconds without any progress.
_PATIENCE = 60.0


@dataclasses.dataclass
class Site:
    """A daemon with its database and, with RabbitMQ, its place there. Not running at first."""

    name: str
    daemon: Daemon
    place: servers.Place | None

    @property
    def host(self) -> str:
        """The host of its shares."""
        return f"{self.daemon.host}#{POOL}"

    @property
    def queue(self) -> str:
        assert self.place is not None
        return f"{self.place.topic}.{self.daemon.host}"

    def start(self) -> None:
        self.daemon.start(**_ENVIRONMENT)

    def start_and_wait(self) -> None:
        """Start it and return when it is idle: the driver is ready, shares are ensured."""
        ensured = self.count(ENSURE)
        self.start()
        self.wait_finished(1, ENSURE, since=ensured)

    def stop(self) -> None:
        self.daemon.terminate(60.0)

    def serving(self) -> int:
        """Pid of the process that does the work; its parent is ``daemon.pid``."""
        found = self.daemon.database.run(
            lambda connection: workers.active(connection, self.daemon.host), write=False
        )
        return int(max(found, key=lambda row: row["started_at"])["pid"])

    def count(self, method: str = METHOD) -> int:
        """Count the finished operations of a method."""
        query = (
            sa.select(sa.func.count())
            .select_from(operations)
            .where(operations.c.method == method, operations.c.finished == 1)
        )
        with self.daemon.database.reader() as connection:
            return int(connection.execute(query).scalar_one())

    def wait_finished(self, more: int, method: str = METHOD, since: int = 0) -> None:
        """Wait until that many operations of the method beyond `since` have finished."""
        seen, until = since, time.monotonic() + _PATIENCE
        while (found := self.count(method)) < since + more:
            if found > seen:
                seen, until = found, time.monotonic() + _PATIENCE
            process = self.daemon.process
            if time.monotonic() > until or (process is not None and process.poll() is not None):
                log = self.daemon.log.read_text()[-2000:]
                raise RuntimeError(f"only {found - since} of {more} {method} finished:\n{log}")
            # Seldom enough not to be felt; when each one finished is read from its row.
            time.sleep(0.1)

    def finished(self) -> list[dict[str, Any]]:
        """Rows of the casts that finished: message_id, state, created, started and finished_at."""
        o = operations.c
        query = sa.select(o.message_id, o.state, o.created_at, o.started_at, o.finished_at).where(
            o.method == METHOD, o.finished == 1
        )
        with self.daemon.database.reader() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


@contextlib.contextmanager
def site(
    kind: str, directory: Path, *, driver: str = NULL, backend: Mapping[str, Any] | None = None
) -> Iterator[Site]:
    """Lend a site: PostgreSQL with RabbitMQ, or SQLite alone. It is killed and dropped at last."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(servers.database(kind, directory))
        place = stack.enter_context(servers.rabbitmq()) if kind == servers.POSTGRESQL else None
        own = stack.enter_context(tempfile.TemporaryDirectory(dir=directory))
        daemon = Daemon(
            Path(own),
            url,
            driver=driver,
            default=place.options() if place else {},
            backend=backend,
        )
        stack.callback(daemon.close)
        yield Site(f"RabbitMQ + {kind}" if place else f"{kind} alone", daemon, place)
