# SPDX-License-Identifier: Apache-2.0
"""manila-lite share-server."""

import json

import pytest

from manila_lite import exception
from manila_lite.db import models, types
from manila_lite.db.writes import execute_writes
from tests.support.servers import ServerSite
from tests.unit.cmd.conftest import Shell


@pytest.fixture
def shell():
    made = Shell(ServerSite())
    made.site.add_security_service("ldap")
    # A share waits for its server: time has to pass where the engine is.
    made.clock.work = lambda: made.site.run(1)
    return made


@pytest.fixture
def empty(shell):
    """A server whose share is deleted."""
    share, server = shell.site.made()
    shell.site.do("delete_share_instance", share_instance_id=share["instance_id"])
    return server.id


def test_servers_are_listed_and_shown(shell, empty):
    share, _ = shell.site.made()

    [listed] = shell.read("share-server", "list", "--status", "active")
    shown = shell.read("share-server", "show", empty[:8])

    assert (listed["id"], listed["shares"], listed["addresses"]) == (empty, 1, ["10.0.0.1"])
    assert (shown["share_network_id"], shown["shares"]) == ("network", [share["share_id"]])
    assert shown["details"] == ["name", "security_service_ldap"]
    assert shell.read("share-server", "list", "--host", "other@one") == []
    assert "10.0.0.1" in shell.type("share-server", "list").stdout
    assert "No share servers." in shell.type("share-server", "list", "--status", "error").stdout


def test_no_secret_is_shown(shell, empty):
    for words in (("list",), ("show", empty)):
        assert "secret" not in shell.type("share-server", *words).stdout


def test_a_server_is_deleted(shell, empty):
    told = shell.type("share-server", "delete", empty, "--wait").stdout

    assert f"Deleted share server {empty}" in told
    assert shell.site.server(empty).deleted == empty
    assert "could not be found" in shell.refusal("share-server", "show", empty, code=3)


def test_a_server_in_use_is_not_deleted(shell):
    share, server = shell.site.made()

    told = shell.refusal("share-server", "delete", server.id)

    assert f"is in use: {share['share_id']}" in told
    assert f"is in use: {share['share_id']}" in shell.refusal("share-server", "unmanage", server.id)


@pytest.mark.parametrize("command", ["delete", "unmanage"])
def test_a_server_with_something_under_way_is_left_alone(shell, command):
    server = shell.site.add_server("creating")

    assert f"share server {server} is creating" in shell.refusal("share-server", command, server)


def test_a_server_is_managed_and_unmanaged(shell):
    answers = shell.site.driver.answers
    answers["get_share_server_network_info"] = ["10.0.0.7"]
    answers["manage_server"] = ("vs7", {"k": "v"})
    answers["unmanage_server"] = None
    words = ("share-server", "manage", "vs7", "--share-network", "network")

    made = shell.read(*words, "--driver-option", "o=1", "--wait")

    assert (made["status"], made["identifier"], made["addresses"]) == (
        "active",
        "vs7",
        ["10.0.0.7"],
    )
    assert made["is_auto_deletable"] is False
    assert shell.site.driver.argument("manage_server", "driver_options") == {"o": "1"}
    assert f"vs7 is share server {made['id']} already" in shell.refusal(*words)
    [gone] = shell.read("share-server", "unmanage", made["id"], "--wait")
    assert (gone["id"], gone["name"]) == (made["id"], "vs7")
    assert shell.site.server(made["id"]).status == "deleted"


def test_a_driver_that_cannot_unmanage_needs_force(shell, empty):
    shell.type("share-server", "unmanage", empty, "--wait", code=4)
    assert shell.site.server(empty).status == "unmanage_error"

    shell.type("share-server", "unmanage", empty, "--force", "--wait")

    assert shell.site.server(empty).status == "deleted"


def test_a_subnet_has_to_be_named_where_there_are_several(shell):
    shell.site.add_subnet("network", "second-subnet")
    words = ("share-server", "manage", "vs7", "--share-network", "network")

    assert "has 2 subnets in availability zone nova" in shell.refusal(*words)
    assert "has no subnet third" in shell.refusal(*words, "--subnet", "third")
    shell.site.driver.answers["get_share_server_network_info"] = exception.NetworkException()
    shell.type(*words, "--subnet", "second", "--wait", code=4)

    [mapping] = shell.site.rows(models.share_server_share_network_subnet_mappings)
    assert mapping["share_network_subnet_id"] == "second-subnet"


def test_a_network_that_is_not_there(shell):
    told = shell.refusal("share-server", "manage", "x", "--share-network", "none", code=3)

    assert "none could not be found" in told
    assert json.loads(shell.type("--json", "share-server", "list").stdout) == []


def test_a_share_is_made_on_a_share_network(shell):
    made = shell.read("share", "create", "5", "--share-network", "network", "--wait")

    [instance] = shell.site.rows(models.share_instances, share_id=made["id"])
    assert (made["status"], instance["share_network_id"]) == ("available", "network")
    assert shell.read("share-server", "list")[0]["shares"] == 1


def test_a_share_from_a_snapshot_is_on_its_network(shell):
    shell.site.driver.answers["create_share_from_snapshot"] = ["/copy"]
    specs = {"snapshot_support": "True", "create_share_from_snapshot_support": "True"}
    with shell.site.database.writer() as connection:
        execute_writes(connection, [types.new_type("full", specs, shell.clock.now())])
    words = ("share", "create", "5", "--type", "full", "--wait")
    shell.type(*words, "--name", "a", "--share-network", "network")
    shell.type("snapshot", "create", "a", "--name", "monday", "--wait")

    shell.type(*words, "--name", "b", "--snapshot", "monday")

    instances = shell.site.rows(models.share_instances)
    assert [row["share_network_id"] for row in instances] == ["network", "network"]
    assert len({row["share_server_id"] for row in instances}) == 1


def test_a_network_that_is_unknown_makes_no_share(shell):
    told = shell.refusal("share", "create", "5", "--share-network", "none", code=3)

    assert "none could not be found" in told
    assert shell.site.rows(models.shares) == []
