# SPDX-License-Identifier: Apache-2.0
"""Workers and their leases: who may hold operations, and how long after its last sign of life.

A worker is one process; it has a fresh identity at every start. Its claims are valid while its
row says "active". Another worker may declare it lost when its lease is over, or at once when
its process provably ended on this very machine; both lock the worker's row, so that a renewal
and a take-over exclude each other. Leases are reckoned by the database's clock: the clocks of
the workers' machines need not agree.
"""

from __future__ import annotations

import datetime
import os
import socket
import uuid
from pathlib import Path

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite.clock import Clock
from manila_lite.db import operations as operation_rows
from manila_lite.db import workers
from manila_lite.db.session import Database

LOG = log.getLogger(__name__)


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """Return when the process started, in ticks since boot, or None when there is none."""
    stat = _read(f"/proc/{pid}/stat")
    # The name in parentheses may contain anything; what follows it has fixed places.
    fields = stat.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else None


def _machine_key() -> str:
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    boot = _read("/proc/sys/kernel/random/boot_id")
    # Clones of one running machine share all but the name.
    return f"{socket.gethostname()[:64]}/{boot}/{namespace}" if boot else ""


def process_key(pid: int) -> str:
    """Return a name for a process that no other process ever has, "" where that cannot be."""
    machine, started = _machine_key(), _start_time(pid)
    return f"{machine}/{pid}/{started}" if machine and started else ""


def has_ended(key: str, pid: int) -> bool:
    """Whether the process of that key is known to be over.

    False also when that cannot be told from here: another machine, another container.
    """
    machine = _machine_key()
    if not machine or not key.startswith(machine + "/"):
        return False
    found = process_key(pid)
    return found != key if found else _is_absent(pid)


def _is_absent(pid: int) -> bool:
    """Whether there is no such process; not being able to look at it is no proof."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].startswith(" Z")


class Worker:
    """This process's identity towards the database, for one host ('host@backend')."""

    def __init__(self, database: Database, host: str, lease: float, clock: Clock) -> None:
        self.id = str(uuid.uuid4())
        self._database = database
        self._host = host
        self._lease = datetime.timedelta(seconds=lease)
        self._clock = clock
        self._valid_until = clock.monotonic()
        # Until then the leases of others, as they stand in the database, mean nothing.
        self._sparing_until = clock.monotonic()

    def holds_lease(self) -> bool:
        """Whether nobody can have declared this worker lost yet, judged without the database.

        True is certain as long as time passes equally fast here and there. It says nothing of
        the next moment: a process may be paused between this question and what it begins then.
        """
        return self._clock.monotonic() < self._valid_until

    def register(self) -> None:
        """Announce this worker. Rides out a database that is away."""
        pid = os.getpid()

        def work(connection: Connection) -> float:
            began = self._clock.monotonic()
            now = self._database.now(connection)
            if workers.renew(connection, self.id, now + self._lease):
                # The commit of the first try went through and only its answer was lost.
                return began
            workers.register(
                connection,
                {
                    "id": self.id,
                    "host": self._host,
                    "hostname": socket.gethostname()[:255],
                    "pid": pid,
                    "process_key": process_key(pid),
                    "started_at": now,
                    "lease_until": now + self._lease,
                },
            )
            return began

        self._valid_until = self._database.run(work) + self._lease.total_seconds()

    def renew(self) -> bool:
        """Give a sign of life; False when this worker was declared lost meanwhile."""

        def work(connection: Connection) -> float | None:
            began = self._clock.monotonic()
            until = self._database.now(connection) + self._lease
            return began if workers.renew(connection, self.id, until) else None

        was_late = not self.holds_lease()
        began = self._database.run(work)
        if was_late or not self.holds_lease():
            # The database was away, or this machine stood still. Perhaps the others could not
            # renew theirs either, and are in the middle of their steps.
            self._sparing_until = self._clock.monotonic() + self._lease.total_seconds()
        if began is not None:
            self._valid_until = began + self._lease.total_seconds()
        return began is not None

    def take_over(self) -> int:
        """Put the operations of workers that are gone back into the queue; return how many."""
        return self._database.run(self._take_over_on)

    def _take_over_on(self, connection: Connection) -> int:
        released = 0
        now = self._database.now(connection)
        sparing = self._clock.monotonic() < self._sparing_until
        for row in workers.active(connection, self._host):
            if row["id"] == self.id:
                continue
            is_over = row["lease_until"] < now and not sparing
            if not is_over and not has_ended(row["process_key"], row["pid"]):
                continue
            count = workers.declare_lost(connection, row["id"], row["lease_until"])
            if count is not None:
                LOG.warning("Worker %s is gone; it left %d operations", row["id"], count)
                released += count
        for owner in workers.orphan_owners(connection, self._host):
            released += operation_rows.release_all(connection, owner)
        return released

    def stop(self, keep: list[int]) -> int:
        """Give back everything but the operations in `keep`, and end as a worker.

        With something kept, its lease is left to run out, or its process to end: until then
        another worker would meet the driver call that is still under way.
        """

        def work(connection: Connection) -> int:
            released = operation_rows.release_all(connection, self.id, keep, counted=False)
            if not keep:
                workers.stop(connection, self.id)
            return released

        return self._database.run(work, deadline=10.0)
