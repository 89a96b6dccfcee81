# SPDX-License-Identifier: Apache-2.0
"""The Neutron plugins against a Neutron and a Keystone on real sockets."""

import sys

import pytest
from oslo_config import cfg

from manila_lite import exception, network
from manila_lite.conf import neutron as options
from manila_lite.db import models, share_networks
from manila_lite.network.ledger import Ledger
from manila_lite.testing.clock import ManualClock
from tests.support.http_servers import Keystone, free_port, hang_up
from tests.support.neutron import NETWORK, SUBNET, Neutron, refusal

SERVER = {"id": "server"}
SHARE_NETWORK = {"id": "share-network", "project_id": "tenant"}
PATH = "manila.network.neutron.neutron_network_plugin."
PASSWORD = "hush-hush"


@pytest.fixture
def neutron():
    with Neutron().running() as server:
        yield server


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_opts(network.options.OPTS, group="net")
    conf.register_opts([*options.PLUGIN_OPTS, *options.SINGLE_OPTS], group="net")
    conf.register_opts(options.OPTS, group="neutron")
    return conf


@pytest.fixture
def make(conf, neutron, memory_database):
    def make(name="NeutronNetworkPlugin", label="user", **values):
        conf.set_override("network_api_class", PATH + name, group="net")
        if conf.neutron.auth_type is None:
            conf.set_override("auth_type", "none", group="neutron")
            conf.set_override("url", neutron.url, group="neutron")
        for option, value in values.items():
            conf.set_override(option, value, group="net")
        plugin = network.API("net", label=label, conf=conf)
        plugin.use_ledger(Ledger(memory_database, ManualClock()))
        return plugin

    return make


@pytest.fixture
def subnet(memory_database):
    def work(connection):
        now = ManualClock().now()
        network_id = share_networks.new_network(connection, now, project_id="tenant", user_id="u")
        subnet_id = share_networks.new_subnet(
            connection, now, network_id=network_id,
            neutron_net_id=NETWORK, neutron_subnet_id=SUBNET,
        )  # fmt: skip
        (row,) = share_networks.list_subnets(connection, network_id)
        assert row["id"] == subnet_id
        return row

    return memory_database.run(work)


def rows(database, table=models.network_allocations):
    with database.reader() as connection:
        query = table.select().where(table.c.deleted == "False")
        return [dict(row._mapping) for row in connection.execute(query)]


def test_a_port_is_made_and_its_row_says_all_that_drivers_read(
    make, neutron, memory_database, subnet
):
    (found,) = make().allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=1)
    (port,) = neutron.ports.values()
    asked = {
        "network_id": NETWORK, "device_owner": "manila:share", "device_id": "server",
        "project_id": "tenant", "admin_state_up": True, "name": "manila-user-server",
    }  # fmt: skip
    assert {key: port[key] for key in asked} == asked
    expected = {
        "id": port["id"], "ip_address": "192.168.5.10", "mac_address": "fa:16:3e:00:00:0a",
        "share_server_id": "server", "share_network_subnet_id": subnet["id"], "label": "user",
        "network_type": "vxlan", "segmentation_id": 77, "ip_version": 4,
        "cidr": "192.168.5.0/24", "gateway": "192.168.5.1", "mtu": 1450,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    (row,) = rows(memory_database)
    assert {key: row[key] for key in expected} == expected
    (told,) = rows(memory_database, models.share_network_subnets)
    assert (told["network_type"], told["segmentation_id"], told["mtu"]) == ("vxlan", 77, 1450)


def test_a_repeated_call_makes_no_further_port(make, neutron, subnet):
    plugin = make()
    first = plugin.allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=2)
    again = plugin.allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=2)
    assert {row["id"] for row in first} == {row["id"] for row in again} == set(neutron.ports)
    assert len(neutron.sent("POST")) == 2


def test_a_port_of_an_interrupted_call_is_found_again(make, neutron, memory_database, subnet):
    plugin = make()
    keep, plugin.ledger.add = plugin.ledger.add, lambda values: sys.exit("killed")
    with pytest.raises(SystemExit):
        plugin.allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=1)
    plugin.ledger.add = keep
    (found,) = plugin.allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=1)
    assert [found["id"]] == list(neutron.ports)
    assert len(neutron.sent("POST")) == 1


def test_deallocation_deletes_ports_that_no_row_tells_of(make, neutron, memory_database, subnet):
    plugin = make()
    plugin.allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=1)
    fixed = [{"subnet_id": SUBNET}]
    neutron.make_port(device_id="server", name="manila-user-server", fixed_ips=fixed)
    stranger = neutron.make_port(device_id="other", name="manila-user-other", fixed_ips=fixed)
    plugin.deallocate_network(None, "server")
    plugin.deallocate_network(None, "server")
    assert list(neutron.ports) == [stranger["id"]]
    assert rows(memory_database) == []


def test_what_is_deleted_before_an_error_is_forgotten(make, neutron, memory_database, subnet):
    plugin = make()
    plugin.allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=2)
    deleted = []

    def second_fails(server, handler):
        deleted.append(handler.path)
        name = handler.path.rsplit("/", 1)[1]
        if len(deleted) == 2:
            return handler.answer(403, {"NeutronError": {"type": "x", "message": "no"}})
        del server.ports[name]
        server.script.append(second_fails)
        return handler.answer(204)

    neutron.script = [second_fails]
    with pytest.raises(exception.NetworkException):
        plugin.deallocate_network(None, "server")
    assert [row["id"] for row in rows(memory_database)] == list(neutron.ports)
    assert len(neutron.ports) == 1


@pytest.mark.parametrize(
    ("answer", "error", "kind"),
    [
        (refusal(409, "OverQuota"), exception.PortLimitExceeded, "final"),
        (
            refusal(409, "IpAddressGenerationFailure"),
            exception.IpAddressGenerationFailureClient,
            "final",
        ),
        (refusal(403, "NotAuthorized"), exception.NetworkException, "final"),
        (refusal(503, "Later"), exception.NetworkUnavailable, "transient"),
        (refusal(500, "Oops"), exception.NetworkUnavailable, "transient"),
    ],
)
def test_refusals_of_ports_have_manilas_names(make, neutron, subnet, answer, error, kind):
    take = neutron.take

    def refuse(asked, handler):
        return answer(neutron, handler) if asked.method == "POST" else take(asked, handler)

    neutron.take = refuse
    with pytest.raises(error) as caught:
        make().allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=1)
    assert exception.classify(caught.value).value == kind


def test_a_neutron_that_hangs_up_or_is_away_is_asked_again_later(make, neutron, conf, subnet):
    plugin = make()
    neutron.script = [hang_up] * 20
    with pytest.raises(exception.NetworkUnavailable):
        plugin.include_network_info({**subnet})
    neutron.script = []
    plugin.include_network_info({**subnet})
    conf.set_override("url", f"http://127.0.0.1:{free_port()}", group="neutron")
    with pytest.raises(exception.NetworkUnavailable):
        make().include_network_info({**subnet})


def test_subnet_is_filled_with_what_neutron_knows(make, neutron, subnet):
    neutron.networks[NETWORK]["segments"] = [
        {"provider:physical_network": name, "provider:network_type": "vlan",
         "provider:segmentation_id": number} for name, number in (("east", 5), ("west", 6))
    ]  # fmt: skip
    told = {"neutron_net_id": NETWORK, "neutron_subnet_id": SUBNET}
    make(neutron_physical_net_name="west").include_network_info(told)
    assert told == {
        "neutron_net_id": NETWORK, "neutron_subnet_id": SUBNET, "network_type": "vlan",
        "segmentation_id": 6, "cidr": "192.168.5.0/24", "gateway": "192.168.5.1", "mtu": 1450,
        "ip_version": 4,
    }  # fmt: skip
    with pytest.raises(exception.NetworkBadConfigurationException, match="= north: network"):
        make(neutron_physical_net_name="north").include_network_info(told)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, s: s.pop("neutron_subnet_id"), "has no neutron_subnet_id"),
        (lambda n, s: n.subnets[SUBNET].update(network_id="x"), "is not one of network"),
        (lambda n, s: n.networks[NETWORK].pop("provider:network_type"), "has to be allowed"),
        (lambda n, s: n.networks.clear(), "NotFoundException"),
    ],
)
def test_networks_that_cannot_be_used_say_why(make, neutron, subnet, change, words):
    row = dict(subnet)
    change(neutron, row)
    with pytest.raises(exception.NetworkException, match=words):
        make().allocate_network(None, SERVER, SHARE_NETWORK, row, count=1)
    assert neutron.ports == {}


def test_one_network_for_all_share_servers(make, neutron, memory_database, subnet):
    given = {"neutron_net_id": NETWORK, "neutron_subnet_id": SUBNET}
    with pytest.raises(exception.NetworkBadConfigurationException, match="neutron_net_id = None"):
        make("NeutronSingleNetworkPlugin")
    plugin = make("NeutronSingleNetworkPlugin", **given)
    bare = {**subnet, "neutron_net_id": None, "neutron_subnet_id": None}
    (found,) = plugin.allocate_network(None, SERVER, SHARE_NETWORK, bare, count=1)
    assert found["ip_address"] == "192.168.5.10"
    (row,) = rows(memory_database, models.share_network_subnets)
    assert (row["neutron_net_id"], row["neutron_subnet_id"]) == (NETWORK, SUBNET)
    with pytest.raises(exception.NetworkBadConfigurationException, match="says other"):
        plugin.allocate_network(
            None, SERVER, SHARE_NETWORK, {**bare, "neutron_net_id": "other"}, count=1
        )


def test_administrators_network_needs_no_share_network(make, neutron, memory_database):
    given = {"neutron_net_id": NETWORK, "neutron_subnet_id": SUBNET}
    plugin = make("NeutronSingleNetworkPlugin", label="admin", **given)
    (found,) = plugin.allocate_network(None, SERVER, count=1)
    assert (found["label"], found["share_network_subnet_id"]) == ("admin", None)
    (port,) = neutron.ports.values()
    assert (port["name"], "project_id" in port) == ("manila-admin-server", False)
    with pytest.raises(exception.NetworkBadConfigurationException, match="share network subnet"):
        make(label="admin").allocate_network(None, SERVER, count=1)


def test_ports_of_a_managed_server_are_taken_over(make, neutron, memory_database, subnet):
    plugin = make()
    fixed = [{"subnet_id": SUBNET, "ip_address": "192.168.5.99"}]
    port = neutron.make_port(network_id=NETWORK, device_owner="manila:share", fixed_ips=fixed)
    wanted = ["192.168.5.99", "192.168.5.100"]
    left = plugin.manage_network_allocations(None, wanted, SERVER, SHARE_NETWORK, subnet)
    assert left == ["192.168.5.100"]
    assert [row["id"] for row in rows(memory_database)] == [port["id"]]
    with pytest.raises(exception.ManageShareServerError, match="share server server"):
        plugin.manage_network_allocations(None, wanted, {"id": "s2"}, SHARE_NETWORK, subnet)
    plugin.unmanage_network_allocations(None, "server")
    assert rows(memory_database) == []
    assert list(neutron.ports) == [port["id"]]
    assert plugin.manage_network_allocations(None, wanted, {"id": "s2"}, SHARE_NETWORK, subnet) == [
        "192.168.5.100"
    ]
    assert [row["share_server_id"] for row in rows(memory_database)] == ["s2"]


@pytest.fixture
def keystone(neutron, conf):
    users = {"manila": (PASSWORD, ["service"])}
    with Keystone(users, {"network": neutron.url}).running() as server:
        conf.set_override("auth_type", "password", group="neutron")
        plugin_options = {
            "auth_url": f"{server.url}/v3", "username": "manila", "password": PASSWORD,
            "user_domain_name": "Default", "project_name": "service",
            "project_domain_name": "Default",
        }  # fmt: skip
        from keystoneauth1 import loading

        conf.register_opts(loading.get_auth_plugin_conf_options("password"), group="neutron")
        for name, value in plugin_options.items():
            conf.set_override(name, value, group="neutron")
        yield server


def test_the_service_identifies_itself_to_neutron(make, neutron, keystone, subnet):
    make().allocate_network(None, SERVER, SHARE_NETWORK, subnet, count=1)
    (post,) = neutron.sent("POST")
    assert post.headers["X-Auth-Token"] == "token-0-of-manila"


def test_a_wrong_password_is_a_configuration_error_without_the_password(
    make, conf, keystone, subnet
):
    conf.set_override("password", "wrong-secret", group="neutron")
    with pytest.raises(exception.NetworkBadConfigurationException, match="refuses") as caught:
        make().include_network_info({**subnet})
    assert "wrong-secret" not in str(caught.value)


def test_a_keystone_that_is_away_is_asked_again_later(make, keystone, subnet):
    keystone.refuse = 503
    plugin = make()
    with pytest.raises(exception.NetworkUnavailable):
        plugin.include_network_info({**subnet})
    keystone.refuse = None
    told = dict(subnet)
    plugin.include_network_info(told)
    assert told["segmentation_id"] == 77


def test_no_eventlet_comes_in(make, subnet):
    make().include_network_info({**subnet})
    assert "eventlet" not in sys.modules
