# SPDX-License-Identifier: Apache-2.0
"""The end point as the daemon serves it: two back ends behind one port."""

import socket

import pytest
import requests

from manila_lite.clock import SystemClock
from manila_lite.db import volume_creation, volume_snapshots, volumes
from tests.fixtures.daemon import VolumeDaemon, poll
from tests.support.http_servers import free_port

TOKEN = "a-shared-token-of-some-length"
BODY = {"os-update_snapshot_status": {"status": "creating", "progress": "90%"}}


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def daemon(daemons, tmp_path, port):
    """A daemon with the back ends alpha and beta, each with a process of its own."""
    for backend in ("alpha", "beta"):
        (tmp_path / backend).mkdir()
    made = daemons(
        f"sqlite:///{tmp_path}/database.sqlite",
        kind=VolumeDaemon,
        default={"enabled_volume_backends": "alpha,beta"},
        backend={"localfs_volume_dir": tmp_path / "alpha"},
        sections={
            "beta": {"volume_driver": "localfs", "localfs_volume_dir": tmp_path / "beta"},
            "callback": {"enabled": True, "listen_port": port, "token": TOKEN},
        },
    )
    made.start()
    made.wait_ready()
    return made


def snapshot_on(daemon, backend):
    """A snapshot that is being made, in the database only; its id."""

    def make(connection):
        host = f"node@{backend}#pool"
        # Young enough not to be looked after as one that was left behind.
        now = SystemClock().now()
        made = volume_creation.new_volume(
            connection, now, host=host, size=1, project_id="p", user_id="u", status="in-use"
        )
        volume = volumes.get_volume(connection, made.volume_id)
        return volume_creation.new_snapshot(connection, now, volume).snapshot_id

    return daemon.database.run(make)


def words(daemon, snapshot_id):
    return daemon.database.run(
        lambda connection: volume_snapshots.status_of(connection, snapshot_id), write=False
    )


def call_back(port, snapshot_id):
    url = f"http://127.0.0.1:{port}/v3/p/snapshots/{snapshot_id}/action"
    return requests.post(url, json=BODY, headers={"X-Auth-Token": TOKEN}, timeout=60).status_code


def test_whoever_takes_a_callback_in_it_reaches_the_back_end_that_waits_for_it(daemon, port):
    made = [snapshot_on(daemon, backend) for backend in ("alpha", "beta") * 5]
    assert [call_back(port, snapshot_id) for snapshot_id in made] == [202] * 10
    for snapshot_id in made:
        poll(lambda s=snapshot_id: words(daemon, s) == ("creating", "90%"), "the word of Nova", 60)


def test_a_stop_closes_the_port_and_a_start_opens_it_again(daemon, port):
    assert daemon.terminate(60) == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))
    daemon.start()
    daemon.wait_ready()
    snapshot_id = snapshot_on(daemon, "beta")
    assert call_back(port, snapshot_id) == 202
    poll(lambda: words(daemon, snapshot_id) == ("creating", "90%"), "the word of Nova", 60)
