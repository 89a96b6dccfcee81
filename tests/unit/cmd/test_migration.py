# SPDX-License-Identifier: Apache-2.0
"""manila-lite share migrate and share migration."""

import pytest

from manila_lite.db import models, services, types
from manila_lite.db.writes import execute_writes
from tests.support.migrations import ALL, DESTINATION, OTHER
from tests.support.shares import POOL


@pytest.fixture
def music(shell):
    shell.site.driver.answers.update(
        migration_check_compatibility=ALL, migration_start=None, migration_continue=False,
        migration_get_progress={"total_progress": 40}, migration_complete=None,
        migration_cancel=None,
    )  # fmt: skip
    with shell.site.database.writer() as connection:
        services.register(connection, OTHER, "nova", shell.site.clock.now())
    shell.read("share", "create", "5", "--name", "music")
    shell.site.run()
    return shell.read("share", "show", "music")


def progress(shell):
    found = shell.read("share", "migration", "progress", "music")
    return found["task_state"], found["progress"]


def test_a_share_is_migrated(shell, music):
    begun = shell.read("share", "migrate", "music", DESTINATION, "--writable")
    assert (begun["task_state"], begun["status"]) == ("migration_starting", "migrating")
    shell.site.run()
    assert shell.site.driver.called("migration_start") == 1
    assert progress(shell) == ("migration_driver_in_progress", "40%")
    assert "phase1_done" in shell.refusal("share", "migration", "complete", "music")
    assert "in a migration" in shell.refusal("share", "migrate", "music", DESTINATION)

    shell.site.driver.answers["migration_continue"] = True
    shell.site.run(61)
    assert progress(shell) == ("migration_driver_phase1_done", None)

    shell.serve_while_waiting()
    done = shell.read("share", "migration", "complete", "music", "--wait")
    assert (done["task_state"], done["status"]) == ("migration_success", "available")
    assert done["host"] == DESTINATION
    assert "migration_success" in shell.refusal("share", "migration", "cancel", "music")


def test_a_migration_is_cancelled(shell, music):
    shell.site.driver.answers["migration_continue"] = True
    shell.read("share", "migrate", "music", DESTINATION)
    shell.site.run()

    shell.read("share", "migration", "cancel", "music")
    shell.site.run(2)

    assert progress(shell) == ("migration_cancelled", None)
    assert shell.read("share", "show", "music")["host"] == POOL


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((POOL,), "already"),
        (("nowhere@backend#pool",), "nowhere@backend#pool"),
        ((DESTINATION, "--type", "gone"), "gone"),
    ],
)
def test_what_makes_no_sense_is_refused(shell, music, words, said):
    assert said in shell.refusal("share", "migrate", "music", *words)
    assert shell.read("share", "show", "music")["status"] == "available"


def test_a_share_with_rules_in_error_is_refused(shell, music):
    with shell.site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(access_rules_status="error"))

    assert "in error" in shell.refusal("share", "migrate", "music", DESTINATION)


def test_a_new_type_is_counted_until_the_end(shell, music):
    with shell.site.database.writer() as connection:
        now = shell.site.clock.now()
        execute_writes(connection, [types.new_type("gold", {}, now, "gold-id")])
    shell.site.driver.answers["migration_continue"] = True
    shell.read("share", "migrate", "music", DESTINATION, "--type", "gold")
    shell.site.run()
    assert in_use(shell)["gold-id"] == 5

    shell.read("share", "migration", "cancel", "music")
    shell.site.run(2)

    assert in_use(shell)["gold-id"] == 0


def in_use(shell):
    found = shell.site.rows(models.quota_usages, resource="gigabytes")
    return {row["share_type_id"]: row["in_use"] for row in found}
