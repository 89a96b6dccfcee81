# SPDX-License-Identifier: Apache-2.0
"""Thousands of snapshots wait for Nova in one worker, and other volumes do not notice."""

import time

import pytest

from manila_lite.clock import SystemClock
from manila_lite.db import models, sync, volume_creation, volume_types
from manila_lite.db.models.lite import operations
from manila_lite.db.session import Database
from manila_lite.engine.engine import Engine
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.settings import EngineSettings
from manila_lite.volume import flows
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.environment import VolumeEnvironment
from tests.fixtures.daemon import poll
from tests.support.volumes import HOST, POOL, SHARE, Recorder, RecordingDriver, conf_of_back_end

WAITS = 2000
OTHERS = 100
THREADS = 8


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/db.sqlite")
    sync.sync(made)
    yield made
    made.close()


@pytest.fixture
def engine(database):
    clock, conf = SystemClock(), conf_of_back_end()
    environment = VolumeEnvironment.build(
        database=database, conf=conf, host=HOST, backend="backend", clock=clock,
        configuration=Configuration([], config_group="backend", conf=conf),
    )  # fmt: skip
    environment.driver = RecordingDriver()
    environment.nova = Recorder(create_volume_snapshot={}, delete_volume_snapshot=None)
    made = Engine(
        database, HOST, flows.registry, env=environment, clock=clock,
        settings=EngineSettings(threads=THREADS, poll_interval=0.05, drain_timeout=20),
        resolvers=flows.LANE_RESOLVERS,
    )  # fmt: skip
    environment.journal = made.journal
    made.environment = environment
    made.start()
    yield made
    assert made.stop()


def new_rows(database, status, count):
    """Insert volumes; return their ids."""
    now = SystemClock().now()
    with database.writer() as connection:
        kind = volume_types.ensure_default(connection, now)
        located = {} if status == "creating" else {"provider_location": SHARE}
        return [
            volume_creation.new_volume(
                connection, now, host=POOL, size=1, project_id="p", user_id="u",
                volume_type=kind, status=status, **located,
            )["volume_id"]
            for _ in range(count)
        ]  # fmt: skip


def new_snapshots(database, volume_ids):
    now = SystemClock().now()
    rows = [
        {"id": f"s{volume_id[1:]}", "volume_id": volume_id, "status": "creating",
         "progress": "0%", "volume_size": 1, "volume_type_id": "t", "project_id": "p",
         "user_id": "u", "created_at": now, "updated_at": now, "deleted": False}
        for volume_id in volume_ids
    ]  # fmt: skip
    with database.writer() as connection:
        connection.execute(models.snapshots.insert(), rows)
    return [row["id"] for row in rows]


def cast(engine, method, argument, ids):
    engine.journal.record([NewOperation(method, {argument: one}) for one in ids])


def seconds_for(engine, database):
    """How long it takes to make some volumes."""
    ids = new_rows(database, "creating", OTHERS)
    began = time.monotonic()
    cast(engine, "create_volume", "volume_id", ids)
    poll(lambda: all(s == "available" for s in statuses(database, models.volumes, ids)),
         f"{OTHERS} volumes", 60)  # fmt: skip
    return time.monotonic() - began


def statuses(database, table, ids):
    query = table.select().where(table.c.id.in_(ids))
    with database.reader() as connection:
        return [row.status for row in connection.execute(query)]


def count(database, state):
    query = operations.select().where(operations.c.state == state)
    with database.reader() as connection:
        return len(connection.execute(query).all())


def test_two_thousand_snapshots_wait_without_a_thread_and_end_when_nova_speaks(engine, database):
    seconds_for(engine, database)  # SQLAlchemy compiles each statement once
    alone = seconds_for(engine, database)
    volumes = new_rows(database, "in-use", WAITS)
    snapshots = new_snapshots(database, volumes)

    cast(engine, "create_snapshot", "snapshot_id", snapshots)
    poll(lambda: engine.waiting() == WAITS, f"{WAITS} waits", 100)

    assert count(database, "waiting") == WAITS
    assert engine.environment.nova.called("create_volume_snapshot") == WAITS
    beside = seconds_for(engine, database)
    # Half of all threads' time would show as twice the time; a busy machine is allowed for.
    assert beside < 3 * alone + 2
    assert count(database, "waiting") == WAITS
    assert engine.executor.wait_idle(30), "there was always a thread in use"

    engine.environment.driver.answers["online_snapshot_state"] = "switched"
    engine.journal.record(
        [
            NewOperation(
                "update_snapshot_status",
                {"snapshot_id": one, "status": "creating", "progress": "90%"},
            )
            for one in snapshots
        ]
    )
    poll(
        lambda: set(statuses(database, models.snapshots, snapshots[:900])) == {"available"}
        and set(statuses(database, models.snapshots, snapshots[900:])) == {"available"},
        "all snapshots to be available", 100,
    )  # fmt: skip
    assert count(database, "waiting") == 0
