# SPDX-License-Identifier: Apache-2.0
"""Share networks, subnets and security services on the three databases."""

import datetime

import pytest

from manila_lite import exception
from manila_lite.db import server_networks, share_networks, share_server_changes, types

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)


def later(seconds):
    return NOW + datetime.timedelta(seconds=seconds)


@pytest.fixture
def network(database):
    return database.run(
        lambda c: share_networks.new_network(c, NOW, project_id="p", user_id=None, name="tenant")
    )


@pytest.fixture
def subnet(database, network):
    return database.run(lambda c: share_networks.new_subnet(c, NOW, network_id=network))


def service(database, kind="ldap", **columns):
    return database.run(
        lambda c: share_networks.new_security_service(
            c, NOW, project_id="p", kind=kind, password="secret", **columns
        )
    )


def read(database, work):
    return database.run(work, write=False)


def attach(database, network, service_id):
    def work(connection):
        found = server_networks.get_security_service(connection, service_id)
        share_networks.attach(connection, network, found, NOW)

    database.run(work)


def put_server_on(database, subnet_id):
    return database.run(
        lambda c: share_server_changes.new_server(c, NOW, host="h@b", subnet_ids=[subnet_id])
    )


def test_networks_are_listed_with_the_number_of_their_subnets(database, network, subnet):
    other = database.run(
        lambda c: share_networks.new_network(c, later(1), project_id="q", user_id="u")
    )
    listed = read(database, share_networks.list_networks)
    assert [(row["id"], row["subnets"], row["status"]) for row in listed] == [
        (other, 0, "active"),
        (network, 1, "active"),
    ]
    mine = read(database, lambda c: share_networks.list_networks(c, "p"))
    assert [row["name"] for row in mine] == ["tenant"]


def test_a_network_goes_with_its_subnets_and_lets_its_services_stay(database, network, subnet):
    ldap = service(database)
    attach(database, network, ldap)
    database.run(lambda c: share_networks.delete_network(c, network, NOW))
    assert read(database, share_networks.list_networks) == []
    assert read(database, lambda c: share_networks.list_subnets(c, network)) == []
    assert read(database, lambda c: server_networks.get_network(c, network)) is None
    assert read(database, lambda c: share_networks.networks_of_service(c, ldap)) == []
    assert [row["id"] for row in read(database, share_networks.list_security_services)] == [ldap]


def test_a_network_without_subnets_goes_too(database, network):
    ldap = service(database)
    attach(database, network, ldap)
    database.run(lambda c: share_networks.delete_network(c, network, NOW))
    assert read(database, share_networks.list_networks) == []


def test_nothing_goes_while_a_server_is_on_it(database, network, subnet):
    empty = database.run(lambda c: share_networks.new_subnet(c, later(1), network_id=network))
    server = put_server_on(database, subnet)
    for work in (
        lambda c: share_networks.delete_network(c, network, NOW),
        lambda c: share_networks.delete_subnet(c, subnet, NOW),
    ):
        with pytest.raises(share_networks.InUse, match=server):
            database.run(work)
    database.run(lambda c: share_networks.delete_subnet(c, empty, NOW))
    listed = read(database, lambda c: share_networks.list_subnets(c, network))
    assert [row["id"] for row in listed] == [subnet]


def test_subnets_know_their_zone_and_their_network(database, network):
    zone = database.run(lambda c: types.ensure_zone(c, "east", NOW))
    assert read(database, lambda c: share_networks.zone_id(c, "east")) == zone
    assert read(database, lambda c: share_networks.zone_id(c, "west")) is None
    made = database.run(
        lambda c: share_networks.new_subnet(
            c, NOW, network_id=network, zone_id=zone, neutron_net_id="n", neutron_subnet_id="s"
        )
    )
    columns = {
        "network_type": "vlan", "segmentation_id": 7, "cidr": "fd00::/64", "gateway": "fd00::1",
        "mtu": 9000, "ip_version": 6, "neutron_net_id": "n2",
    }  # fmt: skip
    database.run(lambda c: share_networks.describe_subnet(c, made, columns, NOW))
    [found] = read(database, lambda c: share_networks.list_subnets(c, network))
    assert {key: found[key] for key in columns} == columns
    assert (found["availability_zone"], found["neutron_subnet_id"]) == ("east", "s")


def test_services_are_attached_once_and_one_of_each_type(database, network, subnet):
    ldap, other, kerberos = service(database), service(database), service(database, "kerberos")
    for service_id in (ldap, ldap, kerberos):
        attach(database, network, service_id)
    with pytest.raises(share_networks.InUse, match=ldap):
        attach(database, network, other)
    found = read(database, lambda c: server_networks.get_network(c, network))
    assert [row["id"] for row in found["security_services"]] == [ldap, kerberos]
    assert {row["password"] for row in found["security_services"]} == {"secret"}

    assert database.run(lambda c: share_networks.detach(c, network, ldap, NOW))
    assert not database.run(lambda c: share_networks.detach(c, network, ldap, NOW))
    attach(database, network, other)


def test_services_of_a_network_with_servers_do_not_change(database, network, subnet):
    ldap, kerberos = service(database), service(database, "kerberos")
    attach(database, network, ldap)
    server = put_server_on(database, subnet)
    with pytest.raises(share_networks.InUse, match=server):
        attach(database, network, kerberos)
    with pytest.raises(share_networks.InUse, match=server):
        database.run(lambda c: share_networks.detach(c, network, ldap, NOW))
    attach(database, network, ldap)


def test_services_are_listed_without_passwords_and_deleted_when_free(database, network):
    ldap = service(database, name="people", server="10.0.0.9")
    [listed] = read(database, share_networks.list_security_services)
    assert (listed["name"], listed["server"], "password" in listed) == ("people", "10.0.0.9", False)
    assert read(database, lambda c: share_networks.list_security_services(c, "q")) == []
    attach(database, network, ldap)
    with pytest.raises(share_networks.InUse, match=network):
        database.run(lambda c: share_networks.delete_security_service(c, ldap, NOW))
    database.run(lambda c: share_networks.detach(c, network, ldap, NOW))
    database.run(lambda c: share_networks.delete_security_service(c, ldap, NOW))
    assert read(database, share_networks.list_security_services) == []


def test_values_that_no_database_takes_alike_are_refused(database):
    with pytest.raises(exception.Invalid, match="dns_ip of a security service"):
        service(database, dns_ip="1" * 65)
    with pytest.raises(exception.Invalid, match="'nis' is none of"):
        service(database, "nis")
