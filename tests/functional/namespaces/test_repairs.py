# SPDX-License-Identifier: Apache-2.0
"""Share servers of which something is lost, or too much is there, come back or go wholly."""

import contextlib
import os
import shutil
import subprocess

import pytest

from manila_lite import exception
from manila_lite.testing import models
from tests.fixtures.daemon import poll
from tests.fixtures.namespaces import info
from tests.functional.drivers.conftest import NOBODY
from tests.functional.exports.rules import ip
from tests.functional.namespaces.helpers import (
    assert_nothing_left,
    assert_up,
    command_line,
    kill,
    lives,
    pids,
    processes,
    set_up,
    share_on,
)

ADDRESS, CLIENT = "10.9.0.10", "10.9.0.100"


@pytest.fixture
def server(driver):
    return set_up(driver, ADDRESS)


@pytest.fixture
def location(driver, server):
    return share_on(driver, server, ip(CLIENT))[1]


def run(*command: object) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def lose_directory(site, server) -> None:
    for point in site.directory.glob("*/mounts/*"):
        run("umount", "-l", point)
    shutil.rmtree(site.directory)
    site.directory.mkdir()


# What the next report mends.


def test_a_namespace_that_lost_its_name_is_made_anew(site, driver, server, location):
    run("ip", "netns", "delete", server["backend_details"]["namespace"])
    driver.get_share_stats(refresh=True)
    assert_up(site, server)
    assert site.client(CLIENT).ls(location) == []


def test_a_ganesha_in_another_namespace_is_replaced(site, driver, server, location):
    namespace = server["backend_details"]["namespace"]
    run("ip", "netns", "delete", namespace)
    run("ip", "netns", "add", namespace)
    before = pids(site, server)[1]
    driver.get_share_stats(refresh=True)
    assert not lives(before)
    assert_up(site, server)
    assert site.client(CLIENT).ls(location) == []


def test_a_bridge_that_was_made_anew_has_its_servers_again(site, driver, server, location):
    before = pids(site, server)
    run("ip", "link", "delete", site.bridge)
    driver.get_share_stats(refresh=True)
    assert pids(site, server) == before
    assert site.client(CLIENT).ls(location) == []


def test_a_damaged_record_does_not_keep_other_servers_down(site, driver, server, location):
    other = set_up(driver, "10.9.0.11")
    (site.directory / other["id"] / "server.json").write_text("{")
    kill(pids(site, server)[1])
    driver.get_share_stats(refresh=True)
    assert site.client(CLIENT).ls(location) == []
    driver.teardown_server(server_details=other["backend_details"], security_services=[])
    assert_nothing_left(site, other)


# Processes whose ids were not written down: the service was killed before.


@pytest.mark.parametrize("name", ["bus", "ganesha"])
def test_a_process_that_was_not_written_down_is_found(site, driver, server, name):
    before = processes(site, server)
    (site.directory / server["id"] / f"{name}.pid").unlink()
    driver.get_share_stats(refresh=True)
    driver.setup_server(server["info"], metadata={})
    assert processes(site, server) == before

    driver.teardown_server(server_details=server["backend_details"], security_services=[])
    assert_nothing_left(site, server)


def test_a_second_process_does_not_stay(site, driver, server):
    directory = site.directory / server["id"]
    namespace = server["backend_details"]["namespace"]
    run("nsenter", f"--net=/run/netns/{namespace}", "ganesha.nfsd", "-f",
        directory / "ganesha.conf", "-L", directory / "other.log", "-p", directory / "other.pid",
        )  # fmt: skip
    poll((directory / "other.pid").exists, "the second process")
    driver.setup_server(server["info"], metadata={})
    assert_up(site, server)


def test_a_users_process_that_looks_alike_is_left_alone(site, driver, server):
    configuration = site.directory / server["id"] / "ganesha.conf"
    with contextlib.ExitStack() as stack:
        stranger = subprocess.Popen(["tail", "-f", "/dev/null", configuration], user=NOBODY)
        stack.callback(stranger.wait)
        stack.callback(stranger.kill)
        poll(lambda: command_line(stranger.pid).startswith(b"tail"), "the stranger's command line")
        driver.teardown_server(server_details=server["backend_details"], security_services=[])
        assert stranger.poll() is None
    assert_nothing_left(site, server)


def test_a_ganesha_that_ends_at_once_is_not_waited_for(site, driver, server):
    (site.directory / server["id"] / "export.d" / "INDEX.conf").write_text("EXPORT { no")
    kill(pids(site, server)[1])
    with pytest.raises(exception.ShareBackendException, match=r"has ended; .*ganesha\.log says"):
        driver.setup_server(server["info"], metadata={})


# Directories that were lost, or never were whole.


def test_a_directory_that_is_lost_while_the_service_runs_fails_no_report(site, driver, server):
    lose_directory(site, server)
    site.directory.rmdir()
    assert driver.get_share_stats(refresh=True)["storage_protocol"] == "NFS"
    driver.teardown_server(server_details=server["backend_details"], security_services=[])
    assert_nothing_left(site, server)


def test_a_server_is_torn_down_without_its_directory(site, driver, server, location):
    lose_directory(site, server)
    driver.teardown_server(server_details=server["backend_details"], security_services=[])
    assert_nothing_left(site, server)


@pytest.mark.parametrize("dead", [False, True])
def test_ensuring_a_share_sets_its_lost_server_up_again(site, driver, dead):
    server = set_up(driver, ADDRESS, vlan=101)
    share, location = share_on(driver, server, ip(CLIENT))
    before = driver.get_backend_info(None)
    if dead:
        for process in pids(site, server):
            kill(process)
    lose_directory(site, server)
    again = site.start()
    assert again.get_backend_info(None) != before, "which is why shares are ensured"

    (found,) = again.ensure_share(None, share, share_server=server)
    assert found["path"] == location
    assert_up(site, server)
    assert site.client(CLIENT, vlan=101).ls(location) == []
    assert site.client("10.9.0.101", vlan=101).ls(location) != []


def test_what_the_database_keeps_of_a_server_is_short(server):
    assert all(len(text) <= 1023 for text in server["backend_details"].values())


def test_a_set_up_on_a_full_disk_says_what_has_to_be_cleared_up(site, driver, monkeypatch):
    def no_space(server):
        os.mkdir(server.directory)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(driver._records, "write", no_space)
    with pytest.raises(OSError, match="No space left") as caught:
        set_up(driver, ADDRESS)
    details = caught.value.detail_data["server_details"]
    driver.teardown_server(server_details=details, security_services=[])
    assert list(site.directory.glob("[!.]*")) == []


# Networks that cannot be made.


def test_what_is_no_bridge_is_named(site, driver):
    run("ip", "link", "add", site.bridge, "type", "veth", "peer", "name", f"p{site.bridge}")
    with pytest.raises(exception.ShareBackendException, match=f"{site.bridge}, .* is no bridge"):
        set_up(driver, ADDRESS)


def test_a_bridge_that_cannot_be_made_is_what_the_error_names(site, driver, monkeypatch):
    def refuse_bridges(*command, **settings):
        if command[-2:] == ("type", "bridge"):
            command = ("ip", "link", "add", "name", site.bridge, "type", "nonsense")
        return execute(*command, **settings)

    execute = driver._execute
    driver.set_execute(refuse_bridges)
    with pytest.raises(exception.ProcessExecutionError, match=f"link add name {site.bridge}"):
        set_up(driver, ADDRESS)


# Which server counts.


def test_the_server_that_a_method_is_called_with_counts(site, driver, server):
    share = models.share(share_server_id=None)
    snapshot, rules = models.snapshot(share), [ip(CLIENT)]
    given = {"share_server": server}
    (created,) = driver.create_share(None, share, **given)
    assert created["path"].startswith(f"{ADDRESS}:/")
    assert driver.ensure_share(None, share, **given) == [created]
    assert driver.get_share_status(share, **given)["export_locations"] == [created]
    driver.update_access(None, share, rules, rules, [], **given)
    taken = driver.create_snapshot(None, snapshot, **given)
    driver.snapshot_update_access(None, snapshot, rules, rules, [], **given)
    copy = models.share(share_server_id="another")
    driver.create_share_from_snapshot(None, copy, snapshot, **given)
    driver.revert_to_snapshot(None, snapshot, [], [], **given)

    client = site.client(CLIENT)
    for (export,) in ([created], taken["export_locations"]):
        assert client.ls(export["path"]) == []
    driver.extend_share(share, 2, **given)
    driver.shrink_share(share, 1, **given)
    driver.delete_snapshot(None, snapshot, **given)
    for made in (share, copy):
        driver.delete_share(None, made, **given)
    assert isinstance(client.ls(created["path"]), str)


def test_a_share_says_itself_where_no_server_is_given(driver, server):
    share = models.share(share_server_id=server["id"], share_server=server)
    (created,) = driver.create_share(None, share)
    updates = driver.ensure_shares(None, [share])
    assert updates == {share["id"]: {"export_locations": [created]}}


def test_a_share_can_be_managed_on_another_server(site, driver, server):
    share, location = share_on(driver, server, ip(CLIENT))
    snapshot, client = models.snapshot(share), site.client(CLIENT)
    kept = driver.create_snapshot(None, snapshot, share_server=server)
    driver.unmanage_snapshot_with_server(snapshot, share_server=server)
    driver.unmanage_with_server(share, share_server=server)
    assert client.ls(location) == []

    other = set_up(driver, "10.9.0.11")
    known = models.share(share_server_id=other["id"], export_locations=[{"path": location}])
    update = driver.manage_existing_with_server(known, {}, share_server=other)
    (export,) = update["export_locations"]
    driver.update_access(None, known, [ip(CLIENT)], [], [], share_server=other)
    assert export["path"].startswith("10.9.0.11:/")
    assert client.ls(export["path"]) == []
    assert isinstance(client.ls(location), str)

    again = models.snapshot(known, provider_location=kept["provider_location"])
    found = driver.manage_existing_snapshot_with_server(again, {}, share_server=other)
    assert found["export_locations"][0]["path"].startswith("10.9.0.11:/")


def test_a_name_in_the_details_that_is_no_name_is_refused(driver):
    with pytest.raises(exception.PathRefused):
        driver.teardown_server(server_details={"server_id": "../x"}, security_services=[])
    with pytest.raises(exception.PathRefused):
        driver.setup_server(info(ADDRESS, server_id="a/b"), metadata={})
