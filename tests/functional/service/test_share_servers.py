# SPDX-License-Identifier: Apache-2.0
"""Share servers from the broker to the rows, with addresses of the standalone network plugin."""

import json

import pytest

from manila_lite import states
from manila_lite.context import RequestContext
from manila_lite.db import models
from tests.fixtures.daemon import poll
from tests.functional.service.casting import recording
from tests.functional.service.conftest import ALPHA, HOST
from tests.functional.service.rows import now
from tests.support import server_drivers

LIKE = "create_share_instance"


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def service(request, services, rabbitmq):
    made = services(
        request.param,
        rabbitmq,
        alpha=server_drivers.BACKEND,
        sections={"tenants": server_drivers.NETWORK},
        default={"enabled_share_backends": "alpha"},
    )
    made.start(f"{HOST}@alpha")
    made.sender = made.raw()
    yield made
    # The next one listens on the same queue.
    assert made.daemon.terminate() == 0


@pytest.fixture
def network(service):
    return service.rows.database.run(
        lambda connection: server_drivers.add_network(connection, "admin", now())
    )


@pytest.fixture
def new_share(service, network):
    def make():
        return service.rows.share(ALPHA, share_network_id=network)

    return make


def server_of(service, share):
    found = service.rows.instance(share)["share_server_id"]
    return service.rows.one(models.share_servers, id=found)


def addresses(service, server):
    table = models.network_allocations
    rows = service.rows.all(table, share_server_id=server["id"], deleted="False")
    return [row["ip_address"] for row in rows]


def cast(service, method, **arguments):
    """Cast something that was not recorded, as the recorded messages are; return its operation."""
    message = recording(f"{LIKE}.to-share")["oslo.message"]
    message = {**message, "method": method, "args": arguments, "version": "1.0"}
    return service.ended(service.sender.send(LIKE, message))


def test_shares_of_one_network_are_made_on_one_server(service, new_share):
    shares = [new_share() for _ in range(3)]
    requests = [service.sender.cast(LIKE, share) for share in shares]

    assert {service.ended(request)["state"] for request in requests} == {"succeeded"}

    servers = [server_of(service, share) for share in shares]
    assert len({server["id"] for server in servers}) == 1
    assert servers[0]["status"] == "active"
    [address] = addresses(service, servers[0])
    assert address.startswith("10.9.0.")
    assert [service.rows.exports(share) for share in shares] == [
        [f"{address}:/{share.name}"] for share in shares
    ]
    assert service.called("setup_server", servers[0]["id"]) == 1


def test_a_server_is_deleted_by_a_cast_that_carries_its_whole_row(service, new_share):
    share = new_share()
    service.ended(service.sender.cast(LIKE, share))
    server = server_of(service, share)
    row = {
        "id": server["id"], "backend_details": {"password": server_drivers.SECRET},
        "share_network_subnet_ids": [], "status": "active",
    }  # fmt: skip
    refused = cast(service, "delete_share_server", share_server=row)
    assert refused["error"] == f"Share server {server['id']} is in use."
    service.rows.begin(share, states.DELETING)
    assert service.ended(service.sender.cast("delete_share_instance", share))["state"] == (
        "succeeded"
    )

    operation = cast(service, "delete_share_server", share_server=row)

    assert operation["state"] == "succeeded"
    assert json.loads(operation["arguments"]) == {"share_server_id": server["id"]}
    assert service.rows.one(models.share_servers, id=server["id"])["status"] == "deleted"
    assert addresses(service, server) == []
    assert service.called("teardown_server", server["id"], "end") == 1


def test_a_call_provides_a_server_and_a_cast_sets_it_up(service, new_share, network):
    share = new_share()
    context = RequestContext(project_id="admin", user_id="admin", is_admin=True)
    api = service.api().api

    server_id = api.provide_share_server(
        context, share.host, share_instance_id=share.instance_id, share_network_id=network,
        snapshot_id=None,
    )  # fmt: skip
    api.create_share_server(
        context, share.host, share_server_id=server_id, share_instance_id=share.instance_id
    )

    operation = service.ended(context.request_id)
    assert operation["state"] == "succeeded"
    table = models.share_servers
    poll(lambda: service.rows.one(table, id=server_id)["status"] == "active", "the server")
    assert service.called("setup_server", server_id) == 1


def test_no_secret_of_a_server_is_kept_outside_its_details(service, new_share):
    share = new_share()
    service.ended(service.sender.cast(LIKE, share))

    assert server_drivers.SECRET not in json.dumps(service.rows.operations(), default=str)
    assert server_drivers.SECRET not in service.log
