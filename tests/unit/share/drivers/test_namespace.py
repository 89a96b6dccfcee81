# SPDX-License-Identifier: Apache-2.0
"""The namespace driver: networks as interfaces, and names that the kernel accepts."""

import pytest

from manila_lite import exception
from manila_lite.share.drivers.namespace.records import Interface, Records, Server, interfaces_of


def info(**allocation):
    values = {"ip_address": "10.9.0.10", "cidr": "10.9.0.0/24", **allocation}
    return {"network_allocations": [values], "network_type": None, "segmentation_id": None}


@pytest.mark.parametrize(
    ("allocation", "interface"),
    [
        ({}, Interface("10.9.0.10/24")),
        ({"cidr": None}, Interface("10.9.0.10/32")),
        ({"gateway": "10.9.0.1", "mtu": 1400}, Interface("10.9.0.10/24", "10.9.0.1", mtu=1400)),
        ({"network_type": "flat"}, Interface("10.9.0.10/24")),
        (
            {"network_type": "vlan", "segmentation_id": 101},
            Interface("10.9.0.10/24", vlan=101),
        ),
        (
            {"ip_address": "2001:db8::A", "cidr": "2001:db8::/64"},
            Interface("2001:db8::a/64"),
        ),
    ],
)
def test_an_allocation_is_an_interface(allocation, interface):
    assert interfaces_of([info(**allocation)]) == [interface]


def test_every_subnet_gives_an_interface():
    found = interfaces_of([info(), info(ip_address="10.8.0.10", cidr="10.8.0.0/16")])
    assert [interface.address for interface in found] == ["10.9.0.10/24", "10.8.0.10/16"]
    assert [interface.host for interface in found] == ["10.9.0.10", "10.8.0.10"]


@pytest.mark.parametrize("kind", ["vxlan", "gre", "geneve"])
def test_other_networks_are_refused(kind):
    with pytest.raises(exception.NetworkBadConfigurationException, match=kind):
        interfaces_of([info(network_type=kind, segmentation_id=7)])


def test_devices_of_servers_have_short_names_of_their_own():
    servers = [Server(f"server-{number}", "/d", (Interface("10.9.0.1/24"),)) for number in range(9)]
    names = {server.host_device(number) for server in servers for number in range(9)}
    assert len(names) == 81
    assert all(len(name) <= 15 for name in names)


def test_details_are_enough_to_know_a_server_by():
    interfaces = [
        Interface("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128", "2001:db8::1", 4094, 65535)
        for _ in range(12)
    ]
    records = Records("/d")
    server = records.named("server-1", interfaces)
    assert records.of_details(server.details) == server
    assert all(len(text) <= 1023 for text in server.details.values())


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"host": "10.9.0.1"}'])
def test_details_that_cannot_be_read_are_named_by_their_server(text):
    details = {"server_id": "server-1", "interface_0": text}
    with pytest.raises(exception.ShareBackendException, match="share server server-1 are damaged"):
        Records("/d").of_details(details)


@pytest.mark.parametrize("server_id", ["../x", "a/b", "", ".lock", "-x"])
def test_a_server_whose_name_is_no_name_of_a_directory_is_refused(server_id):
    with pytest.raises(exception.PathRefused):
        Records("/d").named(server_id)
