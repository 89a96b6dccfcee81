# SPDX-License-Identifier: Apache-2.0
"""Callbacks on a real database: found, recorded for the right back end, or refused in time."""

import datetime
import json
import sqlite3

import pytest
import sqlalchemy as sa
import webob

from manila_lite.callback import wsgi
from manila_lite.callback.faults import Fault, Unavailable
from manila_lite.callback.recorder import Recorder
from manila_lite.clock import SystemClock
from manila_lite.db import volume_creation, volume_snapshots, volumes
from manila_lite.db.engines import EngineOptions
from manila_lite.db.models.lite import operations
from manila_lite.db.session import Database
from manila_lite.db.sync import sync
from manila_lite.engine.journal import Journal
from manila_lite.engine.registry import FlowRegistry

NOW = datetime.datetime(2026, 5, 6, 7, 8, 9)
TOKEN = "a-shared-token-of-some-length"
METHOD = "update_snapshot_status"

REGISTRY = FlowRegistry()


@REGISTRY.flow(METHOD, lane="nova-callback:{snapshot_id}", resource=("snapshot", "snapshot_id"))
def update_snapshot_status(op, snapshot_id: str, status: str, progress: str | None = None):
    """Stands for the flow: only its name and its lane are looked at."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lite.sqlite"


@pytest.fixture
def database(path):
    made = Database(f"sqlite:///{path}")
    sync(made)
    yield made
    made.close()


def snapshot_on(database, host):
    """A snapshot that is being made, of a volume on that host; its id."""
    with database.writer() as connection:
        made = volume_creation.new_volume(
            connection, NOW, host=host, size=2, project_id="p", user_id="u", status="in-use"
        )
        volume = volumes.get_volume(connection, made.volume_id)
        return volume_creation.new_snapshot(connection, NOW, volume, name="monday").snapshot_id


def arguments(snapshot_id):
    return {"snapshot_id": snapshot_id, "status": "creating", "progress": "90%"}


def recorded(database):
    with database.reader() as connection:
        return connection.execute(sa.select(operations).order_by(operations.c.id)).all()


def test_snapshot_is_found_with_all_that_nova_is_shown(database):
    snapshot_id = snapshot_on(database, "here@alpha#pool")
    found = Recorder(database, REGISTRY, SystemClock()).snapshot(snapshot_id)
    assert (found["id"], found["status"], found["progress"]) == (snapshot_id, "creating", "0%")
    assert (found["volume_size"], found["display_name"]) == (2, "monday")


def test_snapshot_that_does_not_exist_is_none(database):
    assert Recorder(database, REGISTRY, SystemClock()).snapshot("nobody") is None


def test_callback_is_recorded_for_the_back_end_that_has_the_volume(database):
    recorder = Recorder(database, REGISTRY, SystemClock(), own_host="here@alpha")
    for host in ("here@alpha#pool", "there@beta"):
        snapshot_id = snapshot_on(database, host)
        recorder.journal(METHOD, arguments(snapshot_id), {"user_id": "u"}, f"m-{host}")
    rows = recorded(database)
    assert [row.host for row in rows] == ["here@alpha", "there@beta"]
    assert {row.method for row in rows} == {METHOD}
    assert all(row.lane.startswith("nova-callback:") for row in rows)
    assert json.loads(rows[1].arguments) == arguments(snapshot_id)


def test_own_engine_is_told_at_once(database):
    told = []
    journal = Journal(
        database, "here@alpha", REGISTRY, SystemClock(), on_recorded=lambda: told.append(1)
    )
    recorder = Recorder(
        database, REGISTRY, SystemClock(), own_host="here@alpha", own_journal=journal
    )
    for host in ("here@alpha", "there@beta"):
        recorder.journal(METHOD, arguments(snapshot_on(database, host)), {}, host)
    assert told == [1]


def test_callback_of_one_message_is_recorded_once(database):
    recorder = Recorder(database, REGISTRY, SystemClock())
    snapshot_id = snapshot_on(database, "here@alpha")
    for _ in range(2):
        recorder.journal(METHOD, arguments(snapshot_id), {}, "the same")
    assert len(recorded(database)) == 1


def test_snapshot_that_is_gone_meanwhile_is_not_found(database):
    with pytest.raises(Fault) as caught:
        Recorder(database, REGISTRY, SystemClock()).journal(METHOD, arguments("gone"), {}, "m")
    assert caught.value.status == 404


def test_database_that_stays_locked_is_unavailable_in_time(database, path):
    snapshot_id = snapshot_on(database, "here@alpha")
    impatient = Database(f"sqlite:///{path}", options=EngineOptions(lock_timeout=0.05))
    recorder = Recorder(impatient, REGISTRY, SystemClock(), deadline=0.2)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unavailable):
            recorder.journal(METHOD, arguments(snapshot_id), {}, "m")
    finally:
        holder.close()
        impatient.close()
    assert recorded(database) == []


# For any WSGI server.


def test_other_servers_get_the_whole_of_it_from_the_configuration(database, path, tmp_path):
    snapshot_id = snapshot_on(database, "there@beta#pool")
    configuration = tmp_path / "lite.conf"
    configuration.write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}\nuse_stderr = false\n"
        f"[database]\nconnection = sqlite:///{path}\n[callback]\ntoken = {TOKEN}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(wsgi.CONFIG_FILE, str(configuration))
        answers = [
            _update(wsgi.application, snapshot_id, token).status_int for token in (TOKEN, "x" * 20)
        ]
    assert answers == [202, 401]
    (row,) = recorded(database)
    assert (row.host, row.method) == ("there@beta", METHOD)
    assert row.lane == f"nova-callback:{snapshot_id}"
    with database.reader() as connection:
        assert volume_snapshots.status_of(connection, snapshot_id) == ("creating", "0%")


def _update(application, snapshot_id, token):
    values = {"os-update_snapshot_status": {"status": "creating", "progress": "90%"}}
    return webob.Request.blank(
        f"/v3/p/snapshots/{snapshot_id}/action", method="POST", body=json.dumps(values).encode(),
        content_type="application/json", headers={"X-Auth-Token": token},
    ).get_response(application)  # fmt: skip
