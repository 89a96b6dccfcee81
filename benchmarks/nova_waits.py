# SPDX-License-Identifier: Apache-2.0
"""2,000 snapshots of attached volumes that wait for Nova in one process, and volumes beside them.

The volume service's own flows and engine, in a process that does nothing else, with a driver and a
Nova that take no time. Volumes are made, one after the other and many at once, before there is a
wait and while all of them wait: what the waits cost others is the difference. Then CPU time is
counted for `SECONDS`, all probes, leases and sweeps included.

``python -m benchmarks.nova_waits URL COUNT`` is the process that is measured.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from benchmarks import machine, servers
from benchmarks.figures import Figure, Goal, percentile
from manila_lite.clock import SystemClock
from manila_lite.conf import opts
from manila_lite.db import models, sync, volume_creation, volume_types
from manila_lite.db.models.lite import operations
from manila_lite.db.session import Database
from manila_lite.engine.engine import Engine
from manila_lite.engine.journal import NewOperation
from manila_lite.volume import flows
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.environment import VolumeEnvironment

COUNT = 2_000
SECONDS = 30.0
_OTHERS = 200
_ONE_BY_ONE = 50
_BACKEND = "null"
_HOST = f"waits@{_BACKEND}"
_PATIENCE = 300.0
_CHUNK = 500


def run(count: int, directory: Path) -> list[Figure]:
    """Measure on PostgreSQL and on SQLite."""
    return [
        figure
        for kind in (servers.POSTGRESQL, servers.SQLITE)
        for figure in _figures(kind, count, directory)
    ]


def _figures(kind: str, count: int, directory: Path) -> list[Figure]:
    with servers.database(kind, directory) as url:
        command = [sys.executable, "-m", "benchmarks.nova_waits", url, str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    measured = json.loads(done.stdout)
    make = functools.partial(Figure, "nova_waits", load=machine.load())
    what = f"{kind}, {count:,} wait for Nova"
    slower = measured["burst_beside"] / measured["burst_alone"]
    return [
        make(f"{what}: {_OTHERS} other volumes, times as long", slower, "", Goal("<", 1.5)),
        make(f"{what}: one other volume, median", measured["one_beside"] * 1000, "ms"),
        make(f"{kind}, none waits: one volume, median", measured["one_alone"] * 1000, "ms"),
        make(f"{what}: one core", measured["core"], "%", Goal("<", 20)),
        make(f"{what}: resident memory", measured["resident"], "MiB"),
    ]


# -- the process that is measured --------------------------------------------------------------


class _Driver:
    """Takes no time, and knows nothing of images: whoever asks is told that he cannot be told."""

    has_online_phases = True
    initialized = True

    def create_volume(self, volume: Any) -> dict[str, str]:
        return {"provider_location": "nowhere"}

    def prepare_online_snapshot(self, snapshot: Any) -> dict[str, str]:
        return {"snapshot_id": snapshot["id"], "type": "qcow2", "new_file": "overlay"}

    def online_snapshot_state(self, snapshot: Any) -> str:
        return "unknown"


class _Nova:
    """Takes every request and never says a word again."""

    def create_volume_snapshot(self, context: Any, volume_id: str, info: Any) -> None:
        return None

    def delete_volume_snapshot(self, context: Any, snapshot_id: str, info: Any) -> None:
        return None


def _environment(database: Database) -> VolumeEnvironment:
    conf = cfg.ConfigOpts()
    opts.register_all(conf)
    opts.register_volume_backend(conf, _BACKEND)
    conf([], project="manila_lite", default_config_files=[], default_config_dirs=[])
    made = VolumeEnvironment.build(
        database=database,
        conf=conf,
        host=_HOST,
        backend=_BACKEND,
        clock=SystemClock(),
        configuration=Configuration([], config_group=_BACKEND, conf=conf),
    )
    made.driver, made.nova = _Driver(), _Nova()
    return made


class _Rows:
    """Volumes and snapshots of the process, and what became of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = SystemClock().now()
        with database.writer() as connection:
            self._type = volume_types.ensure_default(connection, self._now)

    def volumes(self, count: int, status: str) -> list[str]:
        with self._database.writer() as connection:
            made = [
                volume_creation.new_volume(
                    connection, self._now, host=f"{_HOST}#pool", size=1, project_id="p",
                    user_id="u", volume_type=self._type, status=status,
                )
                for _ in range(count)
            ]  # fmt: skip
        return [str(volume["volume_id"]) for volume in made]

    def snapshots(self, volume_ids: Sequence[str]) -> list[str]:
        rows = [
            {"id": str(uuid.uuid4()), "volume_id": volume_id, "status": "creating",
             "progress": "0%", "volume_size": 1, "volume_type_id": self._type["id"],
             "project_id": "p", "user_id": "u", "created_at": self._now, "deleted": False}
            for volume_id in volume_ids
        ]  # fmt: skip
        with self._database.writer() as connection:
            connection.execute(models.snapshots.insert(), rows)
        return [str(row["id"]) for row in rows]

    def unfinished(self, method: str) -> int:
        query = (
            sa.select(sa.func.count())
            .select_from(operations)
            .where(operations.c.method == method, operations.c.finished == 0)
        )
        with self._database.reader() as connection:
            return int(connection.execute(query).scalar_one())


def _until(reached: Callable[[], bool], what: str, look: float) -> None:
    end = time.monotonic() + _PATIENCE
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"{_PATIENCE:.0f} s in vain for {what}")
        time.sleep(look)


def _record(engine: Engine, method: str, argument: str, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        engine.journal.record([NewOperation(method, {argument: one}) for one in chunk])


def _burst(engine: Engine, rows: _Rows, count: int, look: float = 0.01) -> float:
    """Seconds for so many volumes that are asked for at once."""
    ids = rows.volumes(count, "creating")
    began = time.monotonic()
    _record(engine, "create_volume", "volume_id", ids)
    _until(lambda: not rows.unfinished("create_volume"), "volumes", look)
    return time.monotonic() - began


def _one_by_one(engine: Engine, rows: _Rows) -> float:
    """The median of the seconds for a volume that is asked for alone."""
    return percentile([_burst(engine, rows, 1, look=0.002) for _ in range(_ONE_BY_ONE)], 0.5)


def measure(url: str, count: int, seconds: float = SECONDS) -> dict[str, float]:
    """Make volumes, let snapshots wait, make volumes again, and measure this process."""
    database = Database(url)
    sync.sync(database)
    rows = _Rows(database)
    engine = Engine(
        database, _HOST, flows.registry, env=_environment(database), resolvers=flows.LANE_RESOLVERS
    )
    engine.start()
    _burst(engine, rows, _OTHERS)  # statements are compiled, and caches filled
    measured = {"burst_alone": _burst(engine, rows, _OTHERS)}
    measured["one_alone"] = _one_by_one(engine, rows)
    waiting = rows.snapshots(rows.volumes(count, "in-use"))
    _record(engine, "create_snapshot", "snapshot_id", waiting)
    _until(lambda: engine.waiting() >= count, "waits", 0.1)
    measured["burst_beside"] = _burst(engine, rows, _OTHERS)
    measured["one_beside"] = _one_by_one(engine, rows)
    measured.update(_observe(seconds))
    if rows.unfinished("create_snapshot") != count:
        raise RuntimeError("not all snapshots wait")
    return measured


def _observe(seconds: float) -> dict[str, float]:
    pid = os.getpid()
    cpu, began = machine.cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {
        "core": 100 * (machine.cpu_seconds(pid) - cpu) / took,
        "resident": machine.resident_mib(pid),
    }


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    url, count = sys.argv[1:]
    print(json.dumps(measure(url, int(count))), flush=True)
    # A drain would put every one of them back into the queue first.
    os._exit(0)


if __name__ == "__main__":
    main()
