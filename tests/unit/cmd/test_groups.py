# SPDX-License-Identifier: Apache-2.0
"""manila-lite share-group, and the shares of a group."""

import pytest

from manila_lite import exception
from manila_lite.db import models, types
from manila_lite.db.writes import execute_writes
from tests.support import groups
from tests.support.shares import POOL


@pytest.fixture(autouse=True)
def driver(shell):
    groups.use(shell.site, groups.GroupDriver)
    shell.site.driver.answers["create_share_from_snapshot"] = ["10.0.0.1:/copy"]
    shell.serve_while_waiting()
    with shell.site.database.writer() as connection:
        specs = {"snapshot_support": "True", "create_share_from_snapshot_support": "True"}
        new = [types.new_type(name, specs, shell.clock.now()) for name in ("full", "other")]
        execute_writes(connection, new)
    return shell.site.driver


@pytest.fixture
def database(shell):
    """A group of one share."""
    made = shell.read("share-group", "create", "--name", "database", "--type", "full", "--wait")
    add(shell, "data")
    return made


def add(shell, name, *more, code=0):
    words = ("share", "create", "5", "--name", name, "--type", "full", "--share-group", "database")
    if code:
        return shell.refusal(*words, *more, code=code)
    return shell.read(*words, "--wait", *more)


@pytest.fixture
def monday(shell, database):
    return shell.read("share-group", "snapshot", "create", "database", "--name", "monday", "--wait")


def usage(shell, resource):
    return shell.site.rows(models.quota_usages, resource=resource)[0]["in_use"]


def test_a_group_is_made_listed_shown_and_deleted(shell):
    made = shell.read("share-group", "create", "--name", "empty", "--type", "full", "--wait")
    assert (made["status"], made["host"], made["shares"]) == ("available", POOL, [])
    [listed] = shell.read("share-group", "list", "--status", "available")
    assert (listed["name"], listed["shares"]) == ("empty", 0)
    assert shell.read("share-group", "show", "empty")["id"] == made["id"]
    assert usage(shell, "share_groups") == 1

    [gone] = shell.read("share-group", "delete", "empty", "--wait")
    assert gone["name"] == "empty"
    assert shell.read("share-group", "list") == []
    assert usage(shell, "share_groups") == 0


def test_a_share_is_made_in_a_group_where_the_group_is(shell, database):
    [share_id] = shell.read("share-group", "show", "database")["shares"]
    share = shell.read("share", "show", share_id)
    assert (share["share_group_id"], share["host"]) == (database["id"], POOL)


def test_a_group_takes_shares_of_its_types_only(shell, database):
    error = shell.refusal("share", "create", "5", "--type", "other", "--share-group", "database")
    assert "takes no shares of type" in error


def test_a_group_that_is_not_available_takes_no_shares(shell, database):
    with shell.site.database.writer() as connection:
        connection.execute(models.share_groups.update().values(status="error"))
    assert "'error'" in add(shell, "more", code=7)


def test_a_share_of_a_group_is_deleted_where_the_group_is_named(shell, database):
    assert "--share-group" in shell.refusal("share", "delete", "data")
    shell.read("share-group", "create", "--name", "another", "--type", "full", "--wait")
    wrong = shell.refusal("share", "delete", "data", "--share-group", "another")
    assert "does not belong" in wrong
    shell.read("share", "delete", "data", "--share-group", "database", "--wait")
    assert shell.read("share-group", "show", "database")["shares"] == []


def test_a_share_that_is_in_a_group_snapshot_is_not_deleted(shell, monday):
    error = shell.refusal("share", "delete", "data", "--share-group", "database")
    assert "in 1 group snapshots" in error


def test_a_group_that_is_not_empty_is_not_deleted(shell, monday):
    assert "has 1 shares" in shell.refusal("share-group", "delete", "database")


def test_a_group_snapshot_is_made_listed_shown_and_deleted(shell, monday):
    assert monday["status"] == "available"
    [member] = monday["members"]
    assert (member["size"], member["status"]) == (5, "available")
    listed = shell.read("share-group", "snapshot", "list", "--share-group", "database")
    assert [(row["name"], row["share_group_name"]) for row in listed] == [("monday", "database")]
    assert shell.read("share-group", "snapshot", "list", "--status", "error") == []
    assert shell.read("share-group", "snapshot", "show", "monday")["id"] == monday["id"]
    assert usage(shell, "share_group_snapshots") == 1

    shell.read("share-group", "snapshot", "delete", "monday", "--wait")
    assert shell.read("share-group", "snapshot", "list") == []
    assert usage(shell, "share_group_snapshots") == 0


def test_a_group_is_made_from_a_group_snapshot(shell, monday, driver):
    made = shell.read("share-group", "create", "--name", "copy", "--snapshot", "monday")
    assert (made["status"], made["source_share_group_snapshot_id"]) == ("creating", monday["id"])
    [share_id] = made["shares"]
    shell.site.run()
    assert shell.read("share-group", "show", "copy")["status"] == "available"
    assert shell.read("share", "show", share_id)["status"] == "available"


@pytest.mark.parametrize("state", ["extending", "error"])
def test_a_snapshot_needs_shares_that_are_available(shell, database, state):
    with shell.site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(status=state))
    error = shell.refusal("share-group", "snapshot", "create", "database")
    assert f"'{state}'" in error
    assert shell.read("share-group", "snapshot", "list") == []


def test_a_group_needs_a_snapshot_that_is_available(shell, monday):
    shell.read("share-group", "snapshot", "delete", "monday")
    error = shell.refusal("share-group", "create", "--snapshot", "monday")
    assert "'deleting'" in error
    again = shell.refusal("share-group", "snapshot", "delete", "monday")
    assert "'deleting'" in again


def test_a_failed_deletion_can_be_asked_for_again(shell, driver):
    shell.read("share-group", "create", "--name", "empty", "--type", "full", "--wait")
    driver.answers["delete_share_group"] = exception.ShareBackendException(msg="no")
    shell.read("share-group", "delete", "empty")
    shell.site.run()
    assert shell.read("share-group", "show", "empty")["status"] == "error"

    driver.answers["delete_share_group"] = None
    shell.read("share-group", "delete", "empty", "--wait")
    assert usage(shell, "share_groups") == 0


def test_a_limit_of_groups_is_kept(shell):
    with shell.site.database.writer() as connection:
        row = {"project_id": "admin", "resource": "share_groups", "hard_limit": 0, "deleted": 0}
        connection.execute(models.quotas.insert(), row)
    assert "share_groups" in shell.refusal("share-group", "create", "--type", "full")


@pytest.mark.parametrize(
    "words",
    [
        ("share-group", "show", "nothing"),
        ("share-group", "delete", "nothing"),
        ("share-group", "snapshot", "show", "nothing"),
        ("share-group", "snapshot", "create", "nothing"),
        ("share", "create", "1", "--type", "full", "--share-group", "nothing"),
    ],
)
def test_what_is_not_there_ends_with_3(shell, words):
    shell.refusal(*words, code=3)
