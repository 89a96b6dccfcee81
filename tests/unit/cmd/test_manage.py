# SPDX-License-Identifier: Apache-2.0
"""manila-lite share manage, unmanage and revert; the same of snapshots."""

import pytest

from manila_lite.db import models, types
from manila_lite.db.writes import execute_writes
from tests.support.shares import EXPORT, POOL

OLD = "10.0.0.9:/old"


@pytest.fixture
def site(shell):
    answers = shell.site.driver.answers
    answers["manage_existing"] = {"size": 7, "export_locations": [EXPORT]}
    answers["manage_existing_snapshot"] = {"size": 5}
    return shell.site


@pytest.fixture
def music(shell, site):
    specs = {"snapshot_support": "True", "revert_to_snapshot_support": "True"}
    with site.database.writer() as connection:
        execute_writes(connection, [types.new_type("full", specs, shell.clock.now())])
    shell.read("share", "create", "5", "--name", "music", "--type", "full")
    site.run()
    return shell.read("share", "show", "music")


@pytest.fixture
def monday(shell, site, music):
    shell.read("snapshot", "create", "music", "--name", "monday")
    site.run()
    return shell.read("snapshot", "show", "monday")


def usage(site, resource):
    return {row["in_use"] for row in site.rows(models.quota_usages, resource=resource)}


def test_a_share_that_exists_is_managed_with_the_size_that_the_driver_finds(shell, site):
    made = shell.read(
        "share", "manage", OLD, "--name", "old", "--driver-option", "a=b", "--description", "note"
    )
    assert (made["status"], made["size"], made["host"]) == ("manage_starting", 0, POOL)
    assert (made["export_locations"], usage(site, "shares")) == ([OLD], set())
    site.run()
    shown = shell.read("share", "show", "old")
    assert (shown["status"], shown["size"], shown["export_locations"]) == ("available", 7, [EXPORT])
    assert site.driver.argument("manage_existing", "driver_options") == {"a": "b"}
    assert usage(site, "gigabytes") == {7}


def test_wait_tells_that_a_share_could_not_be_managed(shell, site):
    site.driver.answers["manage_existing"] = {}
    shell.serve_while_waiting()
    assert "size" in shell.refusal("share", "manage", OLD, "--wait", code=4)
    assert shell.read("share", "list")[0]["status"] == "manage_error"


def test_what_is_managed_already_is_refused(shell, site):
    made = shell.read("share", "manage", OLD)
    assert made["id"] in shell.refusal("share", "manage", OLD)
    assert len(shell.read("share", "list")) == 1


def test_another_back_end_may_have_the_same_path(shell, site):
    shell.read("share", "manage", OLD)
    shell.read("share", "manage", OLD, "--host", "host@other#pool")
    assert len(shell.read("share", "list")) == 2


def test_a_share_is_let_go_of_and_its_usage_is_freed(shell, site, music):
    shell.serve_while_waiting()
    said = shell.type("share", "unmanage", "music", "--wait").stdout
    assert "stay on the storage" in said
    assert shell.read("share", "list") == []
    assert site.driver.called("unmanage") == 1
    assert usage(site, "shares") == {0}


def test_a_share_with_snapshots_is_not_let_go_of(shell, monday):
    assert "1 snapshots" in shell.refusal("share", "unmanage", "music")


def test_a_share_that_could_not_be_managed_is_let_go_of(shell, site):
    site.driver.answers["manage_existing"] = {}
    shell.read("share", "manage", OLD, "--name", "old")
    site.run()
    shell.read("share", "unmanage", "old")
    assert shell.read("share", "show", "old")["status"] == "manage_error_unmanage_starting"
    site.run()
    assert shell.read("share", "list") == []


def test_a_share_that_is_busy_is_not_let_go_of(shell, music):
    shell.read("share", "unmanage", "music")
    assert "'unmanage_starting'" in shell.refusal("share", "unmanage", "music")


def test_a_share_goes_back_to_its_latest_snapshot(shell, site, monday):
    shell.read("share", "extend", "music", "8")
    site.run()
    shown = shell.read("share", "revert", "monday")
    assert (shown["status"], shown["size"]) == ("reverting", 8)
    assert shell.read("snapshot", "show", "monday")["status"] == "restoring"
    site.run()
    shown = shell.read("share", "show", "music")
    assert (shown["status"], shown["size"]) == ("available", 5)
    assert shell.read("snapshot", "show", "monday")["status"] == "available"
    assert usage(site, "gigabytes") == {5}


def test_a_share_goes_back_to_no_older_snapshot(shell, site, monday):
    shell.clock.advance(1)
    latest = shell.read("snapshot", "create", "music", "--name", "tuesday")
    site.run()
    assert latest["id"] in shell.refusal("share", "revert", "monday")


def test_a_share_that_is_busy_is_not_reverted(shell, monday):
    shell.read("share", "extend", "music", "8")
    assert "'extending'" in shell.refusal("share", "revert", "monday")
    assert shell.read("snapshot", "show", "monday")["status"] == "available"


def test_a_snapshot_that_is_busy_is_not_reverted_to(shell, monday):
    shell.read("snapshot", "delete", "monday")
    assert "'deleting'" in shell.refusal("share", "revert", "monday")


def test_a_share_whose_type_knows_no_revert_is_not_reverted(shell, site, monday):
    with site.database.writer() as connection:
        connection.execute(models.shares.update().values(revert_to_snapshot_support=False))
    assert "cannot be reverted" in shell.refusal("share", "revert", "monday")


def test_the_type_that_is_made_by_itself_knows_reverts(shell, site):
    with site.database.writer() as connection:
        connection.execute(models.share_types.update().values(deleted="gone"))
    shell.read("share", "create", "1", "--name", "plain")
    site.run()
    shell.read("snapshot", "create", "plain", "--name", "now")
    site.run()
    assert shell.read("share", "revert", "now")["status"] == "reverting"


def test_a_snapshot_that_exists_is_managed_and_let_go_of(shell, site, music):
    shell.serve_while_waiting()
    made = shell.read("snapshot", "manage", "music", "vol1@old", "--name", "old", "--wait")
    assert (made["status"], made["size"]) == ("available", 5)
    given = site.driver.argument("manage_existing_snapshot", "snapshot")
    assert given["provider_location"] == "vol1@old"
    assert usage(site, "snapshots") == {1}
    said = shell.type("snapshot", "unmanage", "old", "--wait").stdout
    assert "stay on the storage" in said
    assert shell.read("snapshot", "list") == []
    assert usage(site, "snapshots") == {0}


def test_a_snapshot_of_a_share_that_is_not_available_is_not_managed(shell, music):
    shell.read("share", "extend", "music", "8")
    assert "'extending'" in shell.refusal("snapshot", "manage", "music", "vol1@old")


def test_a_snapshot_that_is_busy_is_not_let_go_of(shell, monday):
    shell.read("snapshot", "delete", "monday")
    assert "'deleting'" in shell.refusal("snapshot", "unmanage", "monday")


@pytest.mark.parametrize("location", ["", "a\nb", "x" * 256])
def test_a_location_that_fits_no_column_is_refused(shell, music, location):
    shell.refusal("snapshot", "manage", "music", location, code=2)
