# SPDX-License-Identifier: Apache-2.0
"""Share servers on each database: their whole life, and workers that choose at the same time."""

import concurrent.futures
import contextlib
import dataclasses
import threading

import pytest

from manila_lite import exception
from manila_lite.context import get_admin_context
from manila_lite.db import models, share_server_changes, share_servers
from manila_lite.db.server_network_changes import answer_check
from manila_lite.db.session import Database
from manila_lite.db.writes import execute_writes
from manila_lite.engine import Pending
from manila_lite.share import flows
from manila_lite.share.flows.servers.choosing import Provision
from manila_lite.share.flows.servers.customers import NewShare
from manila_lite.share.flows.servers.tear_down import _mark_on
from tests.support.servers import ServerSite

WORKERS = 4
SHARES = 12


@pytest.fixture
def site(database):
    return ServerSite(database)


def test_a_server_from_its_first_share_to_its_end(site):
    site.conf.set_override("delete_share_server_with_last_share", True)
    site.add_security_service("ldap")
    share, server = site.made()
    assert (site.status(share), server.status) == ("available", "active")
    assert site.details(server.id)["name"] == "server-on-the-storage"

    site.do("delete_share_instance", share_instance_id=share["instance_id"], seconds=3)

    row = site.server(server.id)
    assert (row.status, row.deleted) == ("deleted", server.id)
    assert (site.details(server.id), site.addresses(server.id)) == ({}, [])


def test_details_are_set_again_and_again(site, write, read):
    server_id = site.add_server()
    for values in ({"a": 1, "b": "x"}, {"a": 2, "c": None}):
        server = read(share_servers.get_server, server_id)
        write(share_server_changes.details(server, values, site.clock.now()))

    found = read(share_servers.get_server, server_id)

    assert found["backend_details"] == {"a": "2", "b": "x", "c": "None"}
    assert (found["share_network_id"], found["project_id"]) == ("network", "project")
    assert found["share_network_subnet_ids"] == ["network-subnet"]


def test_servers_that_stand_empty_are_found(site, read):
    used, empty = site.made()[1].id, site.add_server()
    site.clock.advance(700)

    assert read(share_servers.unused, site.environment.host, site.clock.now()) == [empty]
    assert flows.delete_unused_servers(site.environment, site.worker.journal) == 1
    site.run()
    assert [row.id for row in site.servers()] == [used]


def test_a_change_of_the_network_comes_to_its_end(site):
    site.add_security_service("ldap-new", network=None)
    _, server = site.made()
    site.driver.answers["update_share_server_security_service"] = None
    with site.database.writer() as connection:
        for table in (models.share_servers, models.share_networks):
            connection.execute(table.update().values(status="network_change"))

    operation = site.do(
        "update_share_network_security_service", share_network_id="network",
        new_security_service_id="ldap-new",
    )  # fmt: skip

    assert operation["state"] == "succeeded"
    assert site.server(server.id).status == "active"
    assert site.rows(models.share_networks)[0].status == "active"


# -- at the same time --------------------------------------------------------------------------


@pytest.fixture
def workers(site, database_url):
    """Environments of several workers, each with connections of its own."""
    with contextlib.ExitStack() as exits:

        def worker():
            database = Database(database_url)
            exits.callback(database.close)
            return dataclasses.replace(site.environment, db=database, journal=None)

        yield [worker() for _ in range(WORKERS)]


def all_at_once(works):
    """Run all works at the same time; return what each returned."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait(timeout=30)
        return work()

    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return [future.result(60) for future in [pool.submit(run, work) for work in works]]


def provide(environment, share):
    return Provision(environment, get_admin_context(), NewShare(share["instance_id"])).assign()


def test_two_workers_make_one_server_for_one_network(site, workers):
    shares = [site.add_networked_share() for _ in range(SHARES)]
    by_worker = [shares[number::WORKERS] for number in range(WORKERS)]

    found = all_at_once(
        [
            lambda env=env, some=some: [provide(env, share) for share in some]
            for env, some in zip(workers, by_worker, strict=True)
        ]
    )

    assert len(site.servers()) == 1
    answers = [answer for some in found for answer in some]
    # One share has the new server; the others wait until the driver can be asked about it.
    assert len([a for a in answers if not isinstance(a, Pending)]) == 1
    assert site.methods() == ["_set_up_share_server"]


def test_the_same_share_gets_one_server_of_two_workers(site, workers):
    share = site.add_networked_share()

    all_at_once([lambda env=env: provide(env, share) for env in workers])

    # Who looked in the very moment of the assignment has to look again.
    assert {provide(env, share)["id"] for env in workers} == {site.instance(share).share_server_id}
    assert len(site.servers()) == 1


def test_no_share_gets_a_server_that_is_being_deleted(site, workers):
    """Whoever comes first has it: the deletion is refused, or the share gets another server."""
    shares = [site.add_networked_share() for _ in range(WORKERS - 1)]
    server = site.add_server()

    def delete():
        now = site.clock.now()
        with contextlib.suppress(exception.ShareServerInUse):
            workers[0].db.run(lambda connection: _mark_on(now, server, connection))

    all_at_once(
        [
            delete,
            *(
                lambda env=env, share=share: provide(env, share)
                for env, share in zip(workers[1:], shares, strict=True)
            ),
        ]
    )

    on_it = site.rows(models.share_instances, share_server_id=server)
    status = site.server(server).status
    assert (status, bool(on_it)) in {("active", True), ("deleting", False)}


def test_no_more_shares_get_on_a_server_than_its_driver_allows(site, workers):
    shares = [site.add_networked_share() for _ in range(WORKERS)]
    server = site.add_server()
    site.driver.max_shares_per_share_server = 1

    all_at_once(
        [
            lambda env=env, share=share: provide(env, share)
            for env, share in zip(workers, shares, strict=True)
        ]
    )

    assert len(site.rows(models.share_instances, share_server_id=server)) == 1


def test_answers_of_two_hosts_stand_beside_each_other(site, workers):
    row = {"entity_uuid": "network", "key": "key", "value": "{}", "deleted": 0}
    with site.database.writer() as connection:
        connection.execute(models.async_operation_data.insert(), row)

    def answer(number, environment):
        return environment.db.run(
            lambda c: answer_check(c, "network", "key", f"host{number}", True, site.clock.now())
        )

    assert all(all_at_once([lambda n=n, e=e: answer(n, e) for n, e in enumerate(workers)]))

    [found] = site.rows(models.async_operation_data)
    assert all(f"host{number}" in found.value for number in range(WORKERS))


def test_a_server_is_no_longer_there_once_it_is_deleted(site, write, read):
    server_id = site.add_server()
    with site.database.writer() as connection:
        execute_writes(connection, [share_server_changes.deleted(server_id, site.clock.now())])

    assert read(share_servers.get_server, server_id) is None
    assert read(share_servers.list_servers) == []
