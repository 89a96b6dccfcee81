# SPDX-License-Identifier: Apache-2.0
"""The standalone plugin on a database in memory."""

import pytest
from oslo_config import cfg

from manila_lite import exception, network
from manila_lite.db import models, network_allocations, share_networks
from manila_lite.network import ledger
from manila_lite.testing.clock import ManualClock

SERVER = {"id": "server"}
PREFIX = "standalone_network_plugin"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def subnet(memory_database, clock):
    def work(connection):
        network_id = share_networks.new_network(
            connection, clock.now(), project_id="p", user_id="u"
        )
        subnet_id = share_networks.new_subnet(connection, clock.now(), network_id=network_id)
        return {"id": subnet_id, "share_network_id": network_id}

    return memory_database.run(work)


@pytest.fixture
def make(memory_database, clock):
    def make(label="user", **options):
        values = {"gateway": "10.0.0.1", "mask": "29", **options}
        conf = cfg.ConfigOpts()
        conf([])
        conf.register_opts(network.options.OPTS, group="net")
        from manila_lite.conf import network_standalone

        conf.register_opts(network_standalone.OPTS, group="net")
        conf.set_override("network_api_class", "standalone", group="net")
        for name, value in values.items():
            conf.set_override(f"{PREFIX}_{name}", value, group="net")
        plugin = network.API("net", label=label, conf=conf)
        plugin.use_ledger(ledger.Ledger(memory_database, clock))
        return plugin

    return make


def rows(database, table=models.network_allocations):
    with database.reader() as connection:
        return [dict(row._mapping) for row in connection.execute(table.select())]


def living(database):
    return {row["ip_address"]: row for row in rows(database) if row["deleted"] == "False"}


def test_allocation_says_all_that_drivers_read(make, memory_database, subnet):
    plugin = make(network_type="vlan", segmentation_id=12, mtu=9000)
    (found,) = plugin.allocate_network(None, SERVER, {"id": "n"}, subnet, count=1)
    expected = {
        "ip_address": "10.0.0.2", "mac_address": None, "share_server_id": "server",
        "label": "user", "network_type": "vlan", "segmentation_id": 12, "ip_version": 4,
        "cidr": "10.0.0.0/29", "gateway": "10.0.0.1", "mtu": 9000,
        "share_network_subnet_id": subnet["id"],
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert dict(found) == rows(memory_database)[0]


def test_subnet_learns_what_its_network_is_like(make, memory_database, subnet):
    plugin = make(network_type="vlan", segmentation_id=12)
    plugin.allocate_network(None, SERVER, None, subnet, count=1)
    (row,) = rows(memory_database, models.share_network_subnets)
    told = {}
    plugin.include_network_info(told)
    assert told == {
        "network_type": "vlan", "segmentation_id": 12, "cidr": "10.0.0.0/29",
        "gateway": "10.0.0.1", "ip_version": 4, "mtu": 1500,
    }  # fmt: skip
    assert {key: row[key] for key in told} == told
    assert {key: subnet[key] for key in told} == told


def test_repeated_call_returns_what_the_server_has(make, memory_database, subnet):
    plugin = make()
    first = plugin.allocate_network(None, SERVER, None, subnet, count=2)
    again = plugin.allocate_network(None, SERVER, None, subnet, count=2)
    more = plugin.allocate_network(None, SERVER, None, subnet, count=3)
    addresses = {row["ip_address"] for row in first}
    assert {row["ip_address"] for row in again} == addresses
    assert {row["ip_address"] for row in more} == addresses | {"10.0.0.4"}
    assert len(rows(memory_database)) == 3


def test_servers_and_subnets_and_labels_have_addresses_of_their_own(make, memory_database, subnet):
    plugin, admin = make(), make(label="admin")
    other = {"id": "other"}
    memory_database.run(
        lambda c: c.execute(models.share_network_subnets.insert(), {**other, "deleted": "False"})
    )
    plugin.allocate_network(None, SERVER, None, subnet, count=1)
    plugin.allocate_network(None, SERVER, None, other, count=1)
    plugin.allocate_network(None, {"id": "server-2"}, None, subnet, count=1)
    admin.allocate_network(None, SERVER, count=1)
    found = {
        address: (row["share_server_id"], row["label"], row["share_network_subnet_id"])
        for address, row in living(memory_database).items()
    }
    assert found == {
        "10.0.0.2": ("server", "user", subnet["id"]),
        "10.0.0.3": ("server", "user", "other"),
        "10.0.0.4": ("server-2", "user", subnet["id"]),
        "10.0.0.5": ("server", "admin", None),
    }


def test_addresses_go_back_by_label_and_by_subnet(make, memory_database, subnet):
    plugin, admin = make(), make(label="admin")
    plugin.allocate_network(None, SERVER, None, subnet, count=1)
    admin.allocate_network(None, SERVER, count=1)
    plugin.deallocate_network(None, "server", share_network_subnet={"id": "another"})
    assert set(living(memory_database)) == {"10.0.0.2", "10.0.0.3"}
    plugin.deallocate_network(None, "server")
    plugin.deallocate_network(None, "server")
    assert set(living(memory_database)) == {"10.0.0.3"}
    (again,) = plugin.allocate_network(None, {"id": "next"}, None, subnet, count=1)
    assert again["ip_address"] == "10.0.0.2"


def test_pool_that_is_used_up_says_which_and_gives_nothing(make, memory_database, subnet):
    plugin = make(allowed_ip_ranges=["10.0.0.2-10.0.0.3"])
    plugin.allocate_network(None, {"id": "first"}, None, subnet, count=1)
    with pytest.raises(exception.NetworkExhausted) as caught:
        plugin.allocate_network(None, SERVER, None, subnet, count=2)
    assert caught.value.msg == (
        "Network 10.0.0.0/29 (10.0.0.2-10.0.0.3) of section [net] has too few free addresses: "
        "2 needed, 1 left."
    )
    assert isinstance(caught.value, exception.NetworkBadConfigurationException)
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL
    assert set(living(memory_database)) == {"10.0.0.2"}


def test_address_in_another_spelling_is_taken_all_the_same(make, memory_database, clock, subnet):
    row = {"share_server_id": "old", "ip_address": "fd00:0:0:0:0:0:0:2"}
    memory_database.run(lambda c: network_allocations.add(c, clock.now(), row))
    plugin = make(gateway="fd00::1", mask="64")
    (found,) = plugin.allocate_network(None, SERVER, None, subnet, count=1)
    assert found["ip_address"] == "fd00::3"


@pytest.fixture(autouse=True)
def both_versions(monkeypatch):
    """Both IP versions are on; which one counts is the gateway's matter."""
    monkeypatch.setattr(network.NetworkBaseAPI, "enabled_ip_versions", property(lambda _: {4, 6}))


def test_plugin_has_the_ip_version_of_its_gateway(make):
    assert make().enabled_ip_versions == {4}
    assert make(gateway="fd00::1", mask="64").enabled_ip_versions == {6}


def test_user_network_needs_a_subnet(make):
    with pytest.raises(exception.NetworkBadConfigurationException, match="server .*subnet"):
        make().allocate_network(None, SERVER, {"id": "n"}, None, count=1)


def test_managed_addresses_are_taken_over_and_the_others_returned(make, memory_database, subnet):
    plugin = make()
    wanted = ["10.0.0.5", "192.168.0.9", "10.0.0.1", "name-of-server"]
    left = plugin.manage_network_allocations(None, wanted, SERVER, None, subnet)
    again = plugin.manage_network_allocations(None, wanted, SERVER, None, subnet)
    assert left == again == ["192.168.0.9", "10.0.0.1", "name-of-server"]
    found = living(memory_database)
    assert set(found) == {"10.0.0.5"}
    assert found["10.0.0.5"]["cidr"] == "10.0.0.0/29"


def test_address_of_another_server_is_not_taken_over(make, memory_database, subnet):
    plugin = make()
    plugin.allocate_network(None, {"id": "first"}, None, subnet, count=1)
    with pytest.raises(exception.IPAddressInUse, match=r"10\.0\.0\.2"):
        plugin.manage_network_allocations(None, ["10.0.0.6", "10.0.0.2"], SERVER, None, subnet)
    assert set(living(memory_database)) == {"10.0.0.2"}


def test_unmanaged_addresses_are_forgotten(make, memory_database, subnet):
    plugin = make()
    plugin.allocate_network(None, SERVER, None, subnet, count=2)
    plugin.unmanage_network_allocations(None, "server")
    assert living(memory_database) == {}


def test_service_connects_the_plugins_that_a_driver_has(make, memory_database, clock):
    class Driver:
        network_api = make()
        admin_network_api = None

    Driver.network_api._ledger = None
    ledger.connect(Driver, memory_database, clock)
    ledger.connect(object(), memory_database, clock)
    assert isinstance(Driver.network_api.ledger, ledger.Ledger)
