# SPDX-License-Identifier: Apache-2.0
"""The network that the standalone plugin's options describe."""

import itertools

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import network_standalone as options
from manila_lite.conf.sections import Section
from manila_lite.network.pools import Pool


def section(**values):
    conf = cfg.ConfigOpts()
    conf([])
    found = Section(conf, "net")
    found.add(options.OPTS)
    for name, value in values.items():
        conf.set_override(f"standalone_network_plugin_{name}", value, group="net")
    return found


def pool(versions=(4, 6), **values):
    return Pool.from_section(section(**values), set(versions))


@pytest.mark.parametrize("mask", ["29", "255.255.255.248"])
def test_hosts_of_the_network_but_the_gateway_are_candidates(mask):
    found = pool(gateway="10.0.0.1", mask=mask)
    assert list(found.candidates()) == [f"10.0.0.{n}" for n in range(2, 7)]
    assert found.columns() == {
        "network_type": "flat",
        "segmentation_id": None,
        "cidr": "10.0.0.0/29",
        "gateway": "10.0.0.1",
        "ip_version": 4,
        "mtu": 1500,
    }


def test_ranges_keep_their_order_and_leave_out_what_is_no_host():
    found = pool(
        gateway="10.0.0.4",
        mask="29",
        allowed_ip_ranges=["10.0.0.6 - 10.0.0.7", "10.0.0.2", "10.0.0.0-10.0.0.1", "10.0.0.4"],
    )
    assert list(found.candidates()) == ["10.0.0.6", "10.0.0.2", "10.0.0.1"]


def test_candidates_of_a_huge_network_come_one_at_a_time():
    found = pool(gateway="fd00::1", mask="64", network_type="vlan", segmentation_id=7)
    assert list(itertools.islice(found.candidates(), 2)) == ["fd00::2", "fd00::3"]
    assert (found.ip_version, found.segmentation_id) == (6, 7)


@pytest.mark.parametrize(
    ("mask", "candidates"),
    [("31", ["10.0.0.0"]), ("32", []), ("30", ["10.0.0.2"])],
)
def test_smallest_networks(mask, candidates):
    assert list(pool(gateway="10.0.0.1", mask=mask).candidates()) == candidates


def test_last_address_of_an_ipv6_network_is_a_hosts():
    found = pool(gateway="fd00::1", mask="126")
    assert list(found.candidates()) == ["fd00::2", "fd00::3"]


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("10.0.0.11", True), ("10.0.0.10", True), ("10.0.0.12", True), ("10.0.0.13", False),
        ("10.0.0.1", False), ("10.0.1.11", False), ("fd00::1", False), ("server-7", False),
    ],
)  # fmt: skip
def test_addresses_that_may_be_taken_over(text, allowed):
    found = pool(gateway="10.0.0.1", mask="24", allowed_ip_ranges=["10.0.0.10-10.0.0.12"])
    assert found.allows(text) is allowed


GOOD = {"gateway": "10.0.0.1", "mask": "24"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mask": "24"}, "[net] standalone_network_plugin_gateway = (not set): is needed"),
        ({"gateway": "10.0.0.1"}, "[net] standalone_network_plugin_mask = (not set): is needed"),
        ({**GOOD, "gateway": "ten"}, "standalone_network_plugin_gateway = ten: is no IP address"),
        ({**GOOD, "mask": "33"}, "standalone_network_plugin_mask = 33: is no mask of an IPv4"),
        ({"gateway": "fd00::1", "mask": "64"}, "network_plugin_ipv6_enabled is not true"),
        ({**GOOD, "segmentation_id": 5}, "segmentation_id = 5: a network of type flat has none"),
        (
            {**GOOD, "network_type": "vlan"},
            "segmentation_id = None: has to be from 1 to 4094 for type vlan",
        ),
        (
            {**GOOD, "network_type": "vxlan", "segmentation_id": 2**24},
            "segmentation_id = 16777216: has to be from 1 to 16777215 for type vxlan",
        ),
        ({**GOOD, "allowed_ip_ranges": ["x"]}, "allowed_ip_ranges = x: is neither"),
        ({**GOOD, "allowed_ip_ranges": ["10.0.0.2-10.0.0.4-10.0.0.6"]}, "is neither"),
        ({**GOOD, "allowed_ip_ranges": ["10.0.1.2"]}, "is not inside the network 10.0.0.0/24"),
        ({**GOOD, "allowed_ip_ranges": ["10.0.0.9-fd00::1"]}, "is not inside the network"),
        ({**GOOD, "allowed_ip_ranges": ["10.0.0.9-10.0.0.2"]}, "ends before it begins"),
    ],
)
def test_options_that_make_no_network_are_named(values, words):
    with pytest.raises(exception.NetworkBadConfigurationException) as caught:
        pool(versions=(4,), **values)
    assert words in caught.value.msg
    assert "[net]" in caught.value.msg


def test_value_that_oslo_config_refuses_is_named_too(tmp_path):
    path = tmp_path / "manila.conf"
    prefix = "standalone_network_plugin"
    lines = ["[net]", f"{prefix}_gateway = 10.0.0.1", f"{prefix}_mask = 24", f"{prefix}_mtu = big"]
    path.write_text("\n".join(lines))
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(path)])
    found = Section(conf, "net")
    found.add(options.OPTS)
    with pytest.raises(exception.NetworkBadConfigurationException, match=r"\[net\] .*mtu.*big"):
        Pool.from_section(found, {4})
