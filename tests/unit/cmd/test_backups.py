# SPDX-License-Identifier: Apache-2.0
"""manila-lite share backup."""

import pytest

from manila_lite.db import models
from tests.support.shares import HOST

DONE = {"total_progress": "100"}


@pytest.fixture
def music(shell):
    shell.site.driver.answers.update(
        create_backup=None, create_backup_continue=DONE, delete_backup=None,
        restore_backup=None, restore_backup_continue=DONE,
    )  # fmt: skip
    shell.read("share", "create", "5", "--name", "music")
    shell.site.run()
    return shell.read("share", "show", "music")


@pytest.fixture
def monday(shell, music):
    shell.read("share", "backup", "create", "music", "--name", "monday")
    shell.site.run()
    return shell.read("share", "backup", "show", "monday")


def share_status(shell, name="music"):
    return shell.read("share", "show", name)["status"]


def test_a_backup_is_made_listed_and_deleted(shell, music):
    shell.serve_while_waiting()
    made = shell.read("share", "backup", "create", "music", "--name", "monday", "--wait")
    assert (made["status"], made["size"], made["share_id"]) == ("available", 5, music["id"])
    assert (made["host"], made["progress"]) == (HOST, "100")
    [listed] = shell.read("share", "backup", "list", "--share", "music", "--status", "available")
    assert (listed["id"], listed["share_name"], listed["progress"]) == (made["id"], "music", "100%")
    assert "monday" in shell.type("share", "backup", "list").stdout
    shell.read("share", "backup", "delete", "monday", "--wait")
    assert shell.read("share", "backup", "list") == []
    usages = shell.site.rows(models.quota_usages, resource="backup_gigabytes")
    assert [row["in_use"] for row in usages] == [0]


def test_while_a_backup_is_made_the_share_does_nothing_else(shell, music):
    shell.site.driver.answers["create_backup_continue"] = {"total_progress": "30"}
    shell.read("share", "backup", "create", "music", "--name", "monday")
    shell.site.run()

    assert share_status(shell) == "backup_creating"
    assert shell.read("share", "backup", "list")[0]["progress"] == "30%"
    assert "'backup_creating'" in shell.refusal("share", "backup", "create", "music")
    assert "'creating'" in shell.refusal("share", "backup", "delete", "monday")
    assert "'creating'" in shell.refusal("share", "backup", "restore", "monday")
    assert len(shell.read("share", "backup", "list")) == 1


def test_a_share_is_set_back_to_a_backup(shell, monday):
    shell.serve_while_waiting()
    shown = shell.read("share", "backup", "restore", "monday", "--wait")
    assert (shown["status"], shown["restore_progress"]) == ("available", "100")
    assert share_status(shell) == "available"


def test_another_share_gets_what_a_backup_holds(shell, monday):
    shell.site.driver.restore_to_target_support = True
    shell.read("share", "create", "6", "--name", "copy")
    shell.site.run()
    shell.read("share", "backup", "restore", "monday", "--share", "copy")
    assert share_status(shell, "copy") == "backup_restoring"
    assert share_status(shell) == "available"
    shell.site.run()
    assert share_status(shell, "copy") == "available"


def test_a_share_that_is_too_small_or_elsewhere_is_refused(shell, monday):
    shell.read("share", "create", "4", "--name", "small")
    shell.site.run()
    refusal = shell.refusal("share", "backup", "restore", "monday", "--share", "small")
    assert "5 GiB" in refusal
    with shell.site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(host="other@backend#pool"))
    assert "other@backend" in shell.refusal("share", "backup", "restore", "monday")
    assert shell.read("share", "backup", "show", "monday")["status"] == "available"


def test_a_backup_of_the_data_service_is_left_to_it(shell, monday):
    with shell.site.database.writer() as connection:
        connection.execute(models.share_backups.update().values(host="data"))
    assert "no back end" in shell.refusal("share", "backup", "delete", "monday")


def test_a_limit_holds(shell, music):
    with shell.site.database.writer() as connection:
        connection.execute(
            models.quotas.insert(),
            {"project_id": "admin", "resource": "backups", "hard_limit": 0, "deleted": 0},
        )
    assert "backups" in shell.refusal("share", "backup", "create", "music")
    assert share_status(shell) == "available"


def test_a_backup_that_is_not_there_ends_with_3(shell, music):
    shell.refusal("share", "backup", "show", "nothing", code=3)
    shell.refusal("share", "backup", "create", "no-share", code=3)


def test_what_the_driver_says_of_a_failure_is_shown(shell, music):
    shell.serve_while_waiting()
    shell.site.driver.answers["create_backup"] = RuntimeError("the tape is torn")
    shell.refusal("share", "backup", "create", "music", "--name", "monday", "--wait", code=4)
    shown = shell.read("share", "backup", "show", "monday")
    assert (shown["status"], "tape" in shown["fail_reason"]) == ("error", True)
    assert share_status(shell) == "available"


def test_a_share_with_backups_is_not_deleted_unless_it_has_to_be(shell, monday):
    assert "1 backups" in shell.refusal("share", "delete", "music")
    shell.serve_while_waiting()
    shell.read("share", "delete", "music", "--force", "--wait")
    shell.read("share", "backup", "delete", "monday", "--wait")
    assert shell.read("share", "backup", "list") == []
