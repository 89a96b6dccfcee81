# SPDX-License-Identifier: Apache-2.0
"""Share servers of the daemon on ports of a Neutron, which knows who asks from a Keystone."""

import contextlib

import pytest

from manila_lite import states
from manila_lite.db import models, share_networks
from tests.fixtures.daemon import poll
from tests.functional.service.casting import recording
from tests.functional.service.conftest import ALPHA, HOST
from tests.functional.service.rows import now
from tests.support import server_drivers
from tests.support.http_servers import Keystone, hang
from tests.support.neutron import NETWORK, SUBNET, Neutron

CREATE = "create_share_instance"
PASSWORD = "hush-hush"


@pytest.fixture(scope="module")
def neutron():
    with contextlib.ExitStack() as exits:
        server = exits.enter_context(Neutron().running())
        users = {"manila": (PASSWORD, ["service"])}
        keystone = Keystone(users, {"network": server.url})
        server.keystone = exits.enter_context(keystone.running())
        yield server


@pytest.fixture(scope="module")
def service(services, rabbitmq, neutron):
    plugin = "manila.network.neutron.neutron_network_plugin.NeutronNetworkPlugin"
    credentials = {
        "auth_type": "password",
        "auth_url": f"{neutron.keystone.url}/v3",
        "username": "manila",
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    made = services(
        "sqlite",
        rabbitmq,
        alpha=server_drivers.BACKEND,
        sections={"tenants": {"network_api_class": plugin}, "neutron": credentials},
        default={"enabled_share_backends": "alpha"},
    )
    made.start(f"{HOST}@alpha")
    queue = f"manila-share.{HOST}@alpha"
    poll(lambda: made.broker.depth(queue) is not None, f"queue {queue}")
    made.sender = made.raw()
    return made


@pytest.fixture
def share(service):
    def work(connection):
        network = share_networks.new_network(connection, now(), project_id="tenant", user_id="u")
        share_networks.new_subnet(
            connection, now(), network_id=network, neutron_net_id=NETWORK,
            neutron_subnet_id=SUBNET,
        )  # fmt: skip
        return network

    return service.rows.share(ALPHA, share_network_id=service.rows.database.run(work))


def server_of(service, share):
    found = service.rows.instance(share)["share_server_id"]
    return service.rows.one(models.share_servers, id=found)


def ports_of(neutron, server):
    return [port for port in neutron.ports.values() if port["device_id"] == server["id"]]


def delete_server(service, share):
    server = server_of(service, share)
    service.rows.begin(share, states.DELETING)
    service.ended(service.sender.cast("delete_share_instance", share))
    recorded = recording(f"{CREATE}.to-share")["oslo.message"]
    arguments = {"share_server": {"id": server["id"]}}
    message = {
        **recorded, "method": "delete_share_server", "version": "1.0", "args": arguments,
    }  # fmt: skip
    return service.ended(service.sender.send(CREATE, message))


def test_a_share_server_gets_a_port_and_gives_it_back(service, neutron, share):
    assert service.ended(service.sender.cast(CREATE, share))["state"] == "succeeded"
    server = server_of(service, share)
    [port] = ports_of(neutron, server)
    address = port["fixed_ips"][0]["ip_address"]
    assert service.rows.exports(share) == [f"{address}:/{share.name}"]
    assert port["project_id"] == "tenant"

    assert delete_server(service, share)["state"] == "succeeded"
    assert ports_of(neutron, server) == []
    assert PASSWORD not in service.log


def test_a_port_that_neutron_made_when_the_worker_died_is_the_servers(service, neutron, share):
    made = []

    def make_and_hang(asked, handler, take=neutron.take):
        if asked.method == "POST" and not made:
            made.append(neutron.make_port(**asked.json["port"]))
            return hang(neutron, handler)
        return take(asked, handler)

    neutron.take = make_and_hang
    request = service.sender.cast(CREATE, share)
    poll(lambda: made, "a port")
    service.daemon.kill()
    service.start(f"{HOST}@alpha")

    assert service.ended(request, timeout=60)["state"] == "succeeded"
    server = server_of(service, share)
    assert [port["id"] for port in ports_of(neutron, server)] == [made[0]["id"]]
