# SPDX-License-Identifier: Apache-2.0
"""The namespace driver: tenants on one machine, as their NFS clients see it."""

import os
import subprocess
from pathlib import Path

import pytest

from manila_lite import exception
from manila_lite.testing import models
from tests.fixtures.namespaces import info
from tests.functional.exports.rules import ip
from tests.functional.namespaces.helpers import kill, lives, pids, set_up, share_on


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_text("from a client")
    return path


def test_a_share_is_reached_at_its_servers_address_by_whom_the_rules_let_in(site, driver, source):
    server = set_up(driver, "10.9.0.10")
    share, location = share_on(driver, server, ip("10.9.0.100"), ip("10.9.0.101", "ro"))
    assert location.startswith("10.9.0.10:/")
    writer, reader, stranger = (site.client(f"10.9.0.{number}") for number in (100, 101, 102))

    assert writer.write(location, "file", source) == ""
    assert (site.root / "shares" / share["name"] / "file").read_text() == "from a client"
    assert reader.ls(location) == ["file"]
    assert "NFS4ERR_ROFS" in reader.write(location, "other", source)
    assert "NFS4ERR_NOENT" in stranger.ls(location)

    driver.update_access(None, share, [ip("10.9.0.102", "ro")], [], [], share_server=server)
    assert stranger.ls(location) == ["file"]
    assert "NFS4ERR_NOENT" in writer.ls(location)


def test_servers_serve_their_own_shares_only(site, driver):
    one, two = set_up(driver, "10.9.0.10"), set_up(driver, "10.9.0.11")
    everybody = ip("0.0.0.0/0")
    _, first = share_on(driver, one, everybody)
    _, second = share_on(driver, two, everybody)
    client = site.client("10.9.0.100")
    assert client.ls(first) == client.ls(second) == []
    assert "NFS4ERR_NOENT" in client.ls(first.replace("10.9.0.10:", "10.9.0.11:"))


def test_projects_in_vlans_may_use_the_same_address(site, driver, source):
    everybody = ip("0.0.0.0/0")
    locations = {}
    for vlan in (101, 102):
        server = set_up(driver, "10.9.0.10", vlan=vlan)
        locations[vlan] = share_on(driver, server, everybody)[1]
    clients = {vlan: site.client("10.9.0.100", vlan=vlan) for vlan in locations}
    assert clients[101].write(locations[101], "file", source) == ""
    assert clients[101].ls(locations[101]) == ["file"]
    assert clients[102].ls(locations[102]) == []
    assert "NFS4ERR_NOENT" in clients[102].ls(locations[101])


def test_a_snapshot_of_a_tenants_share_becomes_another_share(site, driver, source):
    server = set_up(driver, "10.9.0.10")
    share, location = share_on(driver, server, ip("10.9.0.100"))
    client = site.client("10.9.0.100")
    client.write(location, "then", source)
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot, share_server=server)
    client.write(location, "later", source)

    copy = models.share(share_server_id=server["id"])
    (other,) = driver.create_share_from_snapshot(None, copy, snapshot, share_server=server)
    driver.update_access(None, copy, [ip("10.9.0.100")], [], [], share_server=server)
    assert client.ls(other["path"]) == ["then"]
    driver.revert_to_snapshot(None, snapshot, [], [], share_server=server)
    assert client.ls(location) == ["then"]


def test_setting_up_again_changes_nothing(site, driver):
    server = set_up(driver, "10.9.0.10")
    _, location = share_on(driver, server, ip("10.9.0.100"))
    processes = pids(site, server)
    assert driver.setup_server(server["info"], metadata={}) == server["backend_details"]
    assert pids(site, server) == processes
    assert site.client("10.9.0.100").ls(location) == []


def test_tearing_down_leaves_nothing_and_may_be_repeated(site, driver):
    server = set_up(driver, "10.9.0.10")
    share, _ = share_on(driver, server, ip("10.9.0.100"))
    processes = pids(site, server)
    for _ in range(2):
        driver.teardown_server(server_details=server["backend_details"], security_services=[])
    assert not any(lives(process) for process in processes)
    assert not (site.directory / server["id"]).exists()
    assert not os.path.exists(f"/run/netns/{server['backend_details']['namespace']}")
    assert server["id"] not in Path("/proc/self/mountinfo").read_text()
    assert os.listdir(f"/sys/class/net/{site.bridge}/brif") == [], "no interface is left"
    driver.delete_share(None, share, share_server=server)
    driver.teardown_server(server_details={}, security_services=[])


def test_a_failed_set_up_says_what_has_to_be_cleared_up(site, driver, monkeypatch):
    def no_ganesha(server):
        raise exception.BackendBusy(reason="there is no room for it")

    monkeypatch.setattr(driver._servers._daemons, "_start_ganesha", no_ganesha)
    with pytest.raises(exception.BackendBusy) as caught:
        set_up(driver, "10.9.0.10")
    details = caught.value.detail_data["server_details"]
    assert os.path.exists(f"/run/netns/{details['namespace']}")
    driver.teardown_server(server_details=details, security_services=[])
    assert not os.path.exists(f"/run/netns/{details['namespace']}")
    assert list(site.directory.glob("[!.]*")) == []


@pytest.mark.parametrize(
    ("values", "error", "reason"),
    [
        ({"network_type": "vxlan", "network_allocations": [{"ip_address": "10.9.0.10"}]},
         exception.NetworkBadConfigurationException, "network_type vxlan is not supported"),
        ({"network_allocations": []},
         exception.NetworkBadConfigurationException, "no address was allocated"),
        ({"security_services": [{"type": "ldap"}]},
         exception.InvalidShareServer, r"security services \(ldap\)"),
        ({"server_id": "../x"}, exception.PathRefused, "Refused to use"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_up_is_refused_before_anything_is_made(
    site, driver, values, error, reason
):
    with pytest.raises(error, match=reason):
        set_up(driver, "10.9.0.10", **values)
    assert list(site.directory.glob("[!.]*")) == []


def test_everything_comes_back_after_a_restart_of_the_machine(site, driver):
    server = set_up(driver, "10.9.0.10")
    _, location = share_on(driver, server, ip("10.9.0.100"))
    client = site.client("10.9.0.100")
    for process in pids(site, server):
        kill(process)
    subprocess.run(["umount", *site.directory.glob("*/mounts/*")], check=True)
    subprocess.run(["ip", "netns", "delete", server["backend_details"]["namespace"]], check=True)

    again = site.start()
    again.get_share_stats(refresh=True)
    assert client.ls(location) == []


def test_a_server_that_died_is_back_with_the_next_report(site, driver):
    server = set_up(driver, "10.9.0.10")
    _, location = share_on(driver, server, ip("10.9.0.100"))
    kill(pids(site, server)[1])
    assert driver.get_share_stats(refresh=True)["storage_protocol"] == "NFS"
    assert site.client("10.9.0.100").ls(location) == []


def test_a_share_without_a_server_is_refused(driver):
    with pytest.raises(exception.InvalidShareServer, match="which is not set up"):
        driver.create_share(None, models.share(share_server_id="gone"))


def test_ipv6_addresses_stand_in_brackets(site, driver):
    network = info("2001:db8::10")
    network[0]["cidr"] = network[0]["network_allocations"][0]["cidr"] = "2001:db8::/64"
    network[0]["network_allocations"][0]["gateway"] = "2001:db8::1"
    details = driver.setup_server(network, metadata={})
    server = {"id": network[0]["server_id"], "backend_details": details}
    _, location = share_on(driver, server, ip("2001:db8::/32"))
    assert location.startswith("[2001:db8::10]:/")
