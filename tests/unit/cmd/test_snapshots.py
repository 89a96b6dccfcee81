# SPDX-License-Identifier: Apache-2.0
"""manila-lite snapshot, and shares that are made from one."""

import pytest

from manila_lite.db import types
from manila_lite.db.writes import execute_writes
from tests.support.shares import POOL


@pytest.fixture
def music(shell):
    shell.site.driver.answers["create_snapshot"] = None
    shell.site.driver.answers["delete_snapshot"] = None
    shell.site.driver.answers["create_share_from_snapshot"] = ["10.0.0.1:/copy"]
    specs = {"snapshot_support": "True", "create_share_from_snapshot_support": "<is> True"}
    with shell.site.database.writer() as connection:
        execute_writes(connection, [types.new_type("full", specs, shell.clock.now())])
    shell.read("share", "create", "5", "--name", "music", "--type", "full")
    shell.site.run()
    return shell.read("share", "show", "music")


@pytest.fixture
def monday(shell, music):
    shell.read("snapshot", "create", "music", "--name", "monday")
    shell.site.run()
    return shell.read("snapshot", "show", "monday")


def test_a_snapshot_is_made_listed_and_deleted(shell, music):
    shell.serve_while_waiting()
    made = shell.read("snapshot", "create", "music", "--name", "monday", "--wait")
    assert (made["status"], made["size"], made["share_id"]) == ("available", 5, music["id"])
    assert [row["share_name"] for row in shell.read("snapshot", "list")] == ["music"]
    assert shell.read("snapshot", "list", "--share", "music")[0]["id"] == made["id"]
    shell.read("snapshot", "delete", "monday", "--wait")
    assert shell.read("snapshot", "list") == []


def test_a_snapshot_of_a_share_that_is_not_available_is_refused(shell):
    shell.read("share", "create", "1", "--name", "new")
    assert "'creating'" in shell.refusal("snapshot", "create", "new")
    assert shell.read("snapshot", "list") == []


def test_a_snapshot_that_is_being_deleted_is_not_deleted_again(shell, monday):
    shell.read("snapshot", "delete", "monday")
    assert "'deleting'" in shell.refusal("snapshot", "delete", "monday")
    shell.read("snapshot", "delete", "monday", "--force")


def test_a_snapshot_that_is_not_there_ends_with_3(shell):
    shell.refusal("snapshot", "show", "nothing", code=3)
    shell.refusal("snapshot", "create", "no-share", code=3)


def test_a_share_from_a_snapshot_goes_where_the_snapshot_is(shell, monday):
    shell.serve_while_waiting()
    made = shell.read("share", "create", "6", "--snapshot", "monday", "--wait")
    assert (made["host"], made["snapshot_id"], made["status"]) == (POOL, monday["id"], "available")
    assert made["export_locations"] == ["10.0.0.1:/copy"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("4", "--snapshot", "monday"), "less than the snapshot's size"),
        (("5", "--snapshot", "monday", "--protocol", "CIFS"), "for NFS"),
    ],
)
def test_a_share_that_cannot_be_made_from_the_snapshot_is_refused(shell, monday, options, reason):
    assert reason in shell.refusal("share", "create", *options)
    assert len(shell.read("share", "list")) == 1


def test_a_snapshot_that_is_not_available_yet_is_no_source(shell, music):
    shell.read("snapshot", "create", "music", "--name", "fresh")
    assert "not available" in shell.refusal("share", "create", "5", "--snapshot", "fresh")


def test_what_the_share_type_does_not_support_is_refused(shell):
    shell.site.driver.answers["create_snapshot"] = None
    shell.read("share", "create", "5", "--name", "plain", "--type", "default")
    shell.site.run()
    shell.read("snapshot", "create", "plain", "--name", "one")
    shell.site.run()
    assert "no shares can be made" in shell.refusal("share", "create", "5", "--snapshot", "one")
