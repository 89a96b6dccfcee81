# SPDX-License-Identifier: Apache-2.0
"""Migrations that fail, are cancelled, lose their service, or have no operation behind them."""

import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share.flows.migration.progress import migration_get_progress
from manila_lite.share.flows.reconcile import find_stuck
from tests.support.migrations import DESTINATION, WISHES, Migrations
from tests.support.shares import Crash

RUNNING = ("migration_driver_in_progress", {"host": "migrating", "other": "migrating_to"})
PHASE1_DONE = ("migration_driver_phase1_done", RUNNING[1])
FAILED = ("migration_error", {"host": "available"})
CANCELLED = ("migration_cancelled", {"host": "available"})
SUCCESS = ("migration_success", {"other": "available"})


@pytest.fixture
def migration(site):
    return Migrations(site)


def test_a_first_phase_that_fails_leaves_the_share_as_it_was(site, migration):
    site.driver.answers["migration_continue"] = RuntimeError("mirror broken")

    migration.start()

    operation = migration.operation("_continue_migration")
    assert (operation["state"], operation["error"]) == ("failed", "mirror broken")
    assert migration.state() == FAILED
    assert site.driver.called("migration_cancel") == 1
    assert site.messages(migration.share["share_id"]) == [("005", "001")]


def test_trouble_that_may_pass_is_waited_out(site, migration):
    site.driver.answers["migration_continue"] = ConnectionRefusedError("busy")
    migration.start(seconds=120)
    assert migration.state() == RUNNING

    site.driver.answers["migration_continue"] = True
    site.run(61)

    assert migration.state() == PHASE1_DONE


# -- cancel -------------------------------------------------------------------------------------


def test_a_cancel_in_the_first_phase_answers_before_the_next_poll(site, migration):
    migration.start()
    calls = site.driver.called("migration_continue")

    assert migration.cast("migration_cancel")["state"] == "succeeded"

    assert migration.state() == CANCELLED
    assert site.driver.called("migration_cancel") == 1
    assert site.driver.called("migration_continue") == calls
    assert migration.operation("_continue_migration")["state"] == "cancelled"


def test_a_cancel_after_the_first_phase(site, migration):
    migration.phase1()

    assert migration.cast("migration_cancel")["state"] == "succeeded"

    assert migration.state() == CANCELLED


def test_an_operators_cancel_of_the_polling_is_a_cancel_of_the_migration(site, migration):
    migration.start()

    site.cancel(migration.operation("_continue_migration")["uuid"])

    assert migration.state() == CANCELLED


def test_a_driver_that_cannot_cancel_goes_on(site, migration):
    site.driver.answers["migration_cancel"] = NotImplementedError("no way back")
    migration.start()

    operation = migration.cast("migration_cancel")

    assert (operation["state"], operation["error"]) == ("failed", "no way back")
    assert migration.state() == RUNNING
    assert migration.operation("_continue_migration")["state"] == "waiting"
    site.driver.answers["migration_continue"] = True
    site.run(61)
    assert migration.state() == PHASE1_DONE


def test_there_is_no_way_back_from_the_second_phase(site, migration):
    migration.phase1()
    migration.set_task("migration_completing")

    operation = migration.cast("migration_cancel")

    assert "migration_completing" in operation["result"]
    assert not site.driver.called("migration_cancel")


# -- the second phase ---------------------------------------------------------------------------


def test_a_second_phase_that_comes_too_early_changes_nothing(site, migration):
    migration.start()

    operation = migration.cast("migration_complete")

    assert "skipped" in operation["result"]
    assert migration.state() == RUNNING
    assert not site.driver.called("migration_complete")


@pytest.mark.parametrize("answer", [RuntimeError("half way"), "done"])
def test_nobody_knows_where_the_data_are_after_a_second_phase_that_failed(site, migration, answer):
    site.add_snapshot(migration.share, "available")
    migration.phase1()
    site.driver.answers["migration_complete"] = answer

    operation = migration.cast("migration_complete")

    assert operation["state"] == "failed"
    assert migration.state() == ("migration_error", {"host": "error", "other": "error"})
    found = site.rows(models.share_snapshot_instances)
    assert {row["status"] for row in found} == {"available", "error"}
    site.driver.answers["migration_complete"] = None
    site.retry(operation["uuid"])
    assert migration.state() == SUCCESS
    assert len(site.rows(models.share_snapshot_instances, deleted="False")) == 1


# -- crashes ------------------------------------------------------------------------------------


def start_arguments(migration):
    return {"share_id": migration.share["share_id"], "dest_host": DESTINATION, **WISHES}


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_a_start_in_doubt_is_given_up_and_begun_afresh(site, migration, policy):
    site.settings = type(site.settings)(interrupted_operation_policy=policy)
    site.crash_in("migration_start", "migration_start", **start_arguments(migration))
    site.run()

    assert migration.state() == RUNNING
    names = [name for name, _ in site.driver.calls]
    assert names[1:4] == ["migration_start", "migration_cancel", "migration_start"]


def test_a_start_in_doubt_that_cannot_be_given_up_fails(site, migration):
    site.driver.answers["migration_cancel"] = NotImplementedError("x")
    site.crash_in("migration_start", "migration_start", **start_arguments(migration))
    site.run()

    assert migration.state() == FAILED
    assert site.driver.called("migration_start") == 1


def test_a_check_in_doubt_is_done_again(site, migration):
    on = "migration_check_compatibility"
    site.crash_in("migration_start", on, **start_arguments(migration))
    site.run()

    assert migration.state() == RUNNING
    assert len(site.rows(models.share_instances)) == 2


def test_the_first_phase_goes_on_after_a_crash(site, migration):
    migration.start()
    site.driver.answers["migration_continue"] = lambda *a, **k: crash()
    with pytest.raises(Crash):
        site.run(61)
    site.take_over()
    site.driver.answers["migration_continue"] = True
    site.run(61)

    assert migration.state() == PHASE1_DONE


def crash():
    raise Crash()


def test_a_second_phase_in_doubt_is_done_again(site, migration):
    migration.phase1()

    site.crash_in("migration_complete", "migration_complete", **migration.instances())
    site.run()

    assert migration.state() == SUCCESS
    assert site.driver.called("migration_complete") == 2


def test_a_cancel_in_doubt_is_done_again(site, migration):
    migration.phase1()

    site.crash_in("migration_cancel", "migration_cancel", **migration.instances())
    site.run()

    assert migration.state() == CANCELLED


# -- progress -----------------------------------------------------------------------------------


def ask(site, migration):
    return migration_get_progress(site.environment, None, **migration.instances())


def test_progress_goes_forward_and_never_says_100(site, migration):
    seen = []
    site.driver.answers["migration_get_progress"] = lambda *a, **k: {"total_progress": seen[-1]}
    for value in (0, 40.7, 30, 100, "?"):
        seen.append(value)
        migration.start() if len(seen) == 1 else site.run(61)
        shown = migration.operation("_continue_migration")["progress"]
        told = ask(site, migration)["total_progress"]
        seen[-1] = (value, shown, told)
    assert seen == [(0, "0%", 0), (40.7, "40%", 40), (30, "40%", 40), (100, "99%", 99),
                    ("?", "99%", 99)]  # fmt: skip


def test_a_driver_that_knows_no_progress_migrates_all_the_same(site, migration):
    migration.start(seconds=61)

    assert migration.operation("_continue_migration")["progress"] is None
    assert site.driver.called("migration_continue") == 2


@pytest.mark.parametrize("begin", ["phase1", "instances"])
def test_there_is_no_progress_outside_the_first_phase(site, migration, begin):
    getattr(migration, begin)()

    with pytest.raises(exception.InvalidShare, match="first phase"):
        ask(site, migration)


# -- reconciliation -----------------------------------------------------------------------------


def reconcile(site):
    site.clock.advance(1)
    with site.database.reader() as connection:
        found = find_stuck(connection, site.environment.host, site.clock.now())
    site.worker.journal.record(found)
    site.run()
    return [one.method for one in found]


def abandon(site, migration, task_state):
    """What a Manila that was killed leaves behind."""
    migration.start()
    with site.database.writer() as connection:
        connection.execute(models.lite.operations.delete())
    site.worker.runner.timers.clear()
    migration.set_task(task_state)


def test_a_first_phase_of_manilas_goes_on_here(site, migration):
    abandon(site, migration, "migration_driver_in_progress")
    site.driver.answers["migration_continue"] = True

    assert reconcile(site) == ["_continue_migration"]
    assert migration.state() == PHASE1_DONE
    assert reconcile(site) == []


@pytest.mark.parametrize(
    "task_state",
    ["migration_starting", "migration_in_progress", "migration_driver_starting", None],
)
def test_a_migration_that_came_no_further_than_its_start_is_given_up(site, migration, task_state):
    abandon(site, migration, task_state)

    assert reconcile(site) == ["_reconcile_migration"]
    assert migration.state() == FAILED
    assert reconcile(site) == []


def test_a_migration_without_a_destination_is_given_up(site, migration):
    assert reconcile(site) == ["_reconcile_migration"]
    assert migration.state() == FAILED


def test_an_abandoned_second_phase_is_done_again(site, migration):
    abandon(site, migration, "migration_completing")

    assert reconcile(site) == ["_reconcile_migration"]
    assert migration.state() == SUCCESS


def test_an_abandoned_second_phase_that_fails_leaves_both_in_error(site, migration):
    abandon(site, migration, "migration_completing")
    site.driver.answers["migration_complete"] = RuntimeError("x")

    reconcile(site)

    assert migration.state() == ("migration_error", {"host": "error", "other": "error"})


@pytest.mark.parametrize("task_state", ["migration_driver_phase1_done", "data_copying_in_progress"])
def test_migrations_that_wait_for_others_are_left_alone(site, migration, task_state):
    abandon(site, migration, task_state)

    assert reconcile(site) == []
