# SPDX-License-Identifier: Apache-2.0
"""Locks between processes, and between hosts: processes that share no directory."""

import pytest

from manila_lite import exception
from manila_lite.volume.coordination import LOCK_FILE, Coordinator

PATIENCE = 60.0  # seconds
both = pytest.mark.parametrize("server", ["redis", "etcd"], indirect=True)


def is_free(coordinator, name="a"):
    try:
        with coordinator.hold(name, timeout=0):
            return True
    except exception.LockingFailed:
        return False


# One host.


def test_a_process_keeps_others_out_until_it_gives_the_lock_back(tmp_path, hold):
    coordinator = Coordinator(str(tmp_path))
    holder = hold(tmp_path, None, "a")
    assert not is_free(coordinator)
    assert is_free(coordinator, "b")
    holder.release()
    assert is_free(coordinator)


def test_a_process_that_is_killed_holds_nothing_any_more(tmp_path, hold):
    coordinator = Coordinator(str(tmp_path))
    hold(tmp_path, None, "a").kill()
    assert is_free(coordinator)


def test_a_process_that_waits_gets_the_lock_when_it_is_given_back(tmp_path, hold):
    coordinator = Coordinator(str(tmp_path))
    holder = hold(tmp_path, None, "a")
    holder.process.stdin.close()
    with coordinator.hold("a", timeout=PATIENCE):
        assert holder.process.stdout.readline() == "released\n"


def test_a_thousand_locks_leave_one_empty_file(tmp_path):
    coordinator = Coordinator(str(tmp_path))
    for number in range(1000):
        with coordinator.hold(f"volume-{number}"):
            pass
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [(LOCK_FILE, 0)]


def test_tooz_locks_by_files_in_a_directory_that_hosts_share(tmp_path, hold):
    url = f"file://{tmp_path / 'shared'}"
    coordinator = Coordinator(str(tmp_path / "here"), url)
    holder = hold(tmp_path / "there", url, "a")
    assert not is_free(coordinator)
    holder.release()
    assert is_free(coordinator)
    hold(tmp_path / "there", url, "a").kill()
    assert is_free(coordinator)
    coordinator.stop()


# Several hosts.


@both
def test_a_host_keeps_others_out_until_it_gives_the_lock_back(tmp_path, hold, server):
    coordinator = Coordinator(str(tmp_path / "here"), server.url)
    holder = hold(tmp_path / "there", server.url, "a")
    assert not is_free(coordinator)
    assert is_free(coordinator, "b")
    holder.release()
    assert is_free(coordinator)
    coordinator.stop()


@both
def test_what_a_dead_host_held_is_free_when_its_lease_is_over(tmp_path, hold, server):
    coordinator = Coordinator(str(tmp_path / "here"), server.url)
    hold(tmp_path / "there", server.url, "a").kill()
    with coordinator.hold("a", timeout=PATIENCE):
        pass
    coordinator.stop()


# With redis, tooz itself tries for a minute.
@pytest.mark.parametrize(
    "server", [pytest.param("redis", marks=pytest.mark.slow), "etcd"], indirect=True
)
def test_a_server_that_is_away_is_transient_and_comes_back(tmp_path, server):
    coordinator = Coordinator(str(tmp_path / "here"), server.url)
    assert is_free(coordinator)
    server.stop()
    with pytest.raises(exception.LockingFailed) as caught:
        coordinator.hold("a", timeout=1).__enter__()
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT
    server.start()
    with coordinator.hold("a", timeout=PATIENCE):
        pass
    coordinator.stop()


@pytest.mark.parametrize("server", ["redis"], indirect=True)
def test_a_lock_lasts_longer_than_its_lease_while_its_holder_lives(tmp_path, hold, server):
    coordinator = Coordinator(str(tmp_path / "here"), server.url)
    hold(tmp_path / "there", server.url, "a")
    # Waiting for the lock takes longer than the lease.
    with pytest.raises(exception.LockingFailed):
        coordinator.hold("a", timeout=8).__enter__()
    coordinator.stop()
