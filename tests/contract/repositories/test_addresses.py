# SPDX-License-Identifier: Apache-2.0
"""Addresses are given out once, whoever asks at the same time: threads and processes."""

import collections
import subprocess
import sys
import threading

import pytest

from manila_lite import exception
from manila_lite.clock import SystemClock
from manila_lite.db import models, share_networks, share_servers
from manila_lite.network.ledger import Ledger

THREADS = 6
EACH = 5

PROCESS = """
import sys
from manila_lite.clock import SystemClock
from manila_lite.db.session import Database
from manila_lite.network.ledger import Ledger

url, name, subnet, count = sys.argv[1:]
ledger = Ledger(Database(url), SystemClock())
sys.stdin.readline()
for number in range(int(count)):
    ledger.allocate(
        f"{name}-{number}", "user", subnet, count=1, network="net",
        candidates=lambda: (f"10.0.0.{n}" for n in range(2, 250)), columns={"ip_version": 4},
    )
"""


def candidates():
    return (f"10.0.0.{number}" for number in range(2, 250))


def allocate(ledger, server, count=1, choice=candidates):
    return ledger.allocate(
        server, "user", "subnet", count=count, network="net", candidates=choice,
        columns={"ip_version": 4},
    )  # fmt: skip


@pytest.fixture
def network(database):
    """A share network with a subnet, and rows of share servers as they are needed."""

    def work(connection):
        now = SystemClock().now()
        network_id = share_networks.new_network(connection, now, project_id="p", user_id="u")
        row = {"id": "subnet", "share_network_id": network_id, "deleted": "False"}
        connection.execute(models.share_network_subnets.insert(), row)
        return network_id

    return database.run(work)


@pytest.fixture
def servers(database, network):
    def make(names):
        rows = [
            {
                "id": name, "status": "creating", "deleted": "False", "is_auto_deletable": True,
                "security_service_update_support": False,
                "network_allocation_update_support": False,
                "share_replicas_migration_support": False,
            }
            for name in names
        ]  # fmt: skip
        database.run(lambda c: c.execute(models.share_servers.insert(), rows))
        return list(names)

    return make


def addresses(database):
    table = models.network_allocations
    with database.reader() as connection:
        query = table.select().where(table.c.deleted == "False")
        return {row.share_server_id: row.ip_address for row in connection.execute(query)}


def together(works):
    """Run functions in threads that start at once; return what they raised."""
    barrier, errors = threading.Barrier(len(works)), []

    def run(work):
        barrier.wait(30)
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_threads_never_get_one_address_twice(database, servers):
    names = servers([f"s{t}-{n}" for t in range(THREADS) for n in range(EACH)])
    ledger = Ledger(database, SystemClock())

    def work(own):
        for name in own:
            allocate(ledger, name)

    works = [lambda own=names[t::THREADS]: work(own) for t in range(THREADS)]
    assert together(works) == []
    assert sorted(addresses(database).values()) == sorted(
        f"10.0.0.{n}" for n in range(2, 2 + len(names))
    )


def test_processes_never_get_one_address_twice(database_url, database, servers):
    servers([f"{letter}-{n}" for letter in "abc" for n in range(EACH)])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, database_url, letter, "subnet", str(EACH)],
            stdin=subprocess.PIPE,
        )
        for letter in "abc"
    ]
    try:
        for process in processes:
            process.stdin.write(b"go\n")
            process.stdin.close()
        assert [process.wait(60) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
    found = addresses(database)
    assert len(found) == len(set(found.values())) == 3 * EACH


def test_last_addresses_go_to_some_and_the_others_are_told(database, servers):
    names = servers([f"s{n}" for n in range(THREADS)])
    ledger = Ledger(database, SystemClock())
    few = lambda: iter(["10.0.0.2", "10.0.0.3"])  # noqa: E731 - a name for what is asked twice
    errors = together([lambda own=name: allocate(ledger, own, choice=few) for name in names])
    assert collections.Counter(type(error) for error in errors) == {
        exception.NetworkExhausted: THREADS - 2
    }
    assert sorted(addresses(database).values()) == ["10.0.0.2", "10.0.0.3"]


def test_one_server_that_asks_twice_at_once_gets_one_address(database, servers):
    servers(["s"])
    ledger = Ledger(database, SystemClock())
    assert together([lambda: allocate(ledger, "s")] * 4) == []
    with database.reader() as connection:
        assert len(connection.execute(models.network_allocations.select()).all()) == 1


def test_an_address_that_is_given_back_is_given_out_again(database, servers):
    servers(["a", "b"])
    ledger = Ledger(database, SystemClock())
    first = allocate(ledger, "a", count=2)
    ledger.forget(ledger.of_server("a", "user"))
    assert ledger.of_server("a", "user") == []
    assert [row["ip_address"] for row in allocate(ledger, "b", count=2)] == [
        row["ip_address"] for row in first
    ]


def test_an_address_is_claimed_by_one_server_only(database, servers):
    names = servers([f"s{n}" for n in range(THREADS)])
    ledger = Ledger(database, SystemClock())
    claims = [lambda own=name: ledger.claim(own, "user", None, ["10.0.0.9"], {}) for name in names]
    errors = together(claims)
    assert [type(error) for error in errors] == [exception.IPAddressInUse] * (THREADS - 1)
    assert list(addresses(database).values()) == ["10.0.0.9"]


def test_an_allocation_comes_back_under_its_old_id(database, servers):
    servers(["a", "b"])
    ledger = Ledger(database, SystemClock())
    port = {"id": "port", "share_server_id": "a", "ip_address": "10.0.0.7", "label": "user"}
    ledger.add(port)
    assert ledger.add({**port, "share_server_id": "b"})["share_server_id"] == "a"
    ledger.forget([port])
    assert ledger.get("port") is None
    ledger.add({**port, "share_server_id": "b"})
    found = ledger.get("port")
    assert (found["share_server_id"], found["deleted"], found["deleted_at"]) == ("b", "False", None)


def test_subnets_are_described_and_read_with_their_servers(database, network):
    ledger = Ledger(database, SystemClock())
    ledger.describe_subnet("subnet", {"cidr": "10.0.0.0/24", "mtu": 1500, "no column": 1})
    (subnet,) = database.run(lambda c: share_networks.list_subnets(c, network), write=False)
    assert (subnet["cidr"], subnet["mtu"], subnet["availability_zone"]) == (
        "10.0.0.0/24", 1500, None,
    )  # fmt: skip
    assert database.run(lambda c: share_servers.of_network(c, network), write=False) == {}
