# SPDX-License-Identifier: Apache-2.0
"""100,000 waiting operations in one process: their memory, and the CPU that probing them takes.

An engine with a flow of its own, in a process that does nothing else, claims operations with the
arguments of recorded casts. Each reads its share instance from the database and waits as the copy
of a share does: its probe holds the operation and the instance, and answers "not yet". It is asked
once a minute. When all wait, CPU time (/proc/self/stat) and answered probes are counted for
`SECONDS`, leases and sweeps included.

``python -m benchmarks.waiting URL COUNT`` is the process that is measured.
"""

from __future__ import annotations

import datetime
import functools
import gc
import json
import logging
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks import casts, machine, servers
from benchmarks.figures import Figure, Goal
from manila_lite.db import operation_requests, sync
from manila_lite.db import operations as rows
from manila_lite.db import shares as share_rows
from manila_lite.db.models.lite import operations
from manila_lite.db.session import Database
from manila_lite.engine import FlowRegistry, Operation, Pending, Schedule
from manila_lite.engine.engine import Engine

COUNT = 100_000
SECONDS = 60.0
_ONCE_A_MINUTE = Schedule(((0, 60),))
_HOST = "waiting@null"
_CHUNK = 500
_PATIENCE = 1200.0


def run(count: int, directory: Path) -> list[Figure]:
    """Measure on PostgreSQL and on SQLite."""
    return [
        figure
        for kind in (servers.POSTGRESQL, servers.SQLITE)
        for figure in _figures(kind, count, directory)
    ]


def _figures(kind: str, count: int, directory: Path) -> list[Figure]:
    with servers.database(kind, directory) as url:
        command = [sys.executable, "-m", "benchmarks.waiting", url, str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    measured = json.loads(done.stdout)
    make = functools.partial(Figure, "waiting", load=machine.load())
    what = f"{kind}, {count:,} waiting"
    return [
        make(f"{what}: resident memory", measured["resident"], "MiB", Goal("<", 512)),
        make(f"{what}: one core, all probed", measured["core"], "%", Goal("<", 20)),
        make(f"{what}: probes a minute", measured["probes"] * 60 / measured["seconds"], ""),
        make(f"{what}: peak memory while they came", measured["peak"], "MiB"),
    ]


# -- the process that is measured --------------------------------------------------------------


class _Count:
    """Probes that were answered."""

    def __init__(self) -> None:
        self.probes = 0


def _ask(count: _Count, op: Operation, instance: Any) -> Pending:
    count.probes += 1
    return Pending()


def _registry(count: _Count) -> FlowRegistry:
    registry = FlowRegistry()

    @registry.flow("create_share_instance", version="1.4", lane="share:{share_instance_id}")
    def create_share_instance(
        op: Operation,
        share_instance_id: str,
        request_spec: dict[str, Any],
        filter_properties: dict[str, Any],
        snapshot_id: str | None = None,
    ) -> None:
        with op.env.reader() as connection:
            instance = share_rows.get_instance(connection, share_instance_id)
        probe = functools.partial(_ask, count, op, instance)
        op.wait("copy", probe, schedule=_ONCE_A_MINUTE)

    return registry


def _fill(database: Database, count: int) -> None:
    """Put that many recorded casts into the database, with the rows that they are about."""
    for start in range(0, count, _CHUNK):
        chunk = casts.new(min(_CHUNK, count - start))
        casts.make_rows(database, chunk, f"{_HOST}#null")
        with database.writer() as connection:
            connection.execute(operations.insert(), [_operation(cast) for cast in chunk])


def _operation(cast: casts.Cast) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid4()),
        "host": _HOST,
        "message_id": cast.message_id,
        "lane": f"share:{cast.instance_id}",
        "method": "create_share_instance",
        "version": "1.4",
        "arguments": json.dumps(casts.arguments(cast), separators=(",", ":")),
        "context": json.dumps(casts.context(), separators=(",", ":")),
        "state": rows.QUEUED,
        "blocked": 0,
        "finished": 0,
        "fence": 0,
        "revision": 0,
        "dispatches": 0,
        "steps": "{}",
        "created_at": datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
    }


def measure(url: str, count: int, seconds: float = SECONDS) -> dict[str, float]:
    """Fill the database, let all wait, and measure this process for some seconds."""
    database = Database(url)
    sync.sync(database)
    _fill(database, count)
    gc.collect()
    answered = _Count()
    engine = Engine(database, _HOST, _registry(answered), env=database)
    began = time.monotonic()
    engine.start()
    while engine.waiting() < count:
        if time.monotonic() - began > _PATIENCE:
            raise TimeoutError(f"only {engine.waiting()} operations wait")
        time.sleep(0.2)
    filled = time.monotonic() - began
    measured = _observe(answered, seconds)
    measured["fill"] = filled
    with database.reader() as connection:
        states = operation_requests.count_by_state(connection)
    if states != {rows.WAITING: count}:
        raise RuntimeError(f"not all operations wait: {states}")
    return measured


def _observe(answered: _Count, seconds: float) -> dict[str, float]:
    pid = os.getpid()
    probes, cpu, began = answered.probes, machine.cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {
        "seconds": took,
        "core": 100 * (machine.cpu_seconds(pid) - cpu) / took,
        "probes": answered.probes - probes,
        "resident": machine.resident_mib(pid),
        "peak": machine.peak_mib(pid),
    }


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    url, count = sys.argv[1:]
    print(json.dumps(measure(url, int(count))), flush=True)
    # A drain would put every one of them back into the queue first.
    os._exit(0)


if __name__ == "__main__":
    main()
