# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import backups, models, quotas
from manila_lite.share import flows
from manila_lite.share.flows import backup_polls
from tests.support.shares import Site, Turns

GRACE = 61


@pytest.fixture(autouse=True)
def answers(site):
    """A driver that makes and restores backups at once."""
    give_answers(site)


def give_answers(site):
    done = {"total_progress": "100"}
    site.driver.answers.update(
        create_backup=None, create_backup_continue=done, delete_backup=None,
        restore_backup=None, restore_backup_continue=done,
    )  # fmt: skip


@pytest.fixture
def share(site):
    return site.add_share("backup_creating")


@pytest.fixture
def backup(site, share):
    return site.add_backup(share)


@pytest.fixture
def restored(site):
    """A share into which a backup is being restored."""
    return site.add_share("backup_restoring")


@pytest.fixture
def restoring(site, restored):
    return begin_restoring(site, restored)


def begin_restoring(site, share, of=None):
    backup_id = site.add_backup(of or share, "restoring")
    with site.database.writer() as connection:
        backups.set_source(connection, share["share_id"], backup_id)
    return backup_id


def at(*percents):
    return Turns([{"total_progress": percent} for percent in percents])


def restore(site, backup, share, **options):
    return site.do("restore_backup", backup_id=backup, share_id=share["share_id"], **options)


def usage(site):
    found = {row["resource"]: row["in_use"] for row in site.rows(models.quota_usages)}
    return found[quotas.BACKUPS], found[quotas.BACKUP_GIGABYTES]


def arguments(site, method):
    found = zip(site.driver.call_arguments, site.driver.calls, strict=True)
    return [args for args, (name, _) in found if name == method][-1]


# -- create ------------------------------------------------------------------------------------


def test_a_backup_is_begun_and_asked_after_until_it_is_made(site, share, backup):
    site.driver.answers["create_backup_continue"] = at("0", "40", "100")
    uuid = site.cast("create_backup", backup_id=backup)
    site.run(1)
    assert (site.status(share), site.backup(backup)["progress"]) == ("backup_creating", "40")
    assert site.operation(uuid)["progress"] == "40%"

    site.run(5)

    assert site.operation(uuid)["state"] == "succeeded"
    made = site.backup(backup)
    assert (made["status"], made["progress"], made["fail_reason"]) == ("available", "100", None)
    assert site.status(share) == "available"
    assert site.driver.called("create_backup") == 1
    (_, instance, row), options = arguments(site, "create_backup_continue")
    assert (instance["id"], row["id"]) == (share["instance_id"], backup)
    assert (row["name"], options) == (f"share-backup-{backup}", {"share_server": None})


def test_what_is_shown_never_goes_back_and_never_says_that_all_is_done(site, share, backup):
    site.driver.answers["create_backup_continue"] = at("70%", 30, 99.9, 100)
    site.cast("create_backup", backup_id=backup)
    seen = []
    for _ in range(4):
        site.run(1)
        seen.append(site.backup(backup)["progress"])

    assert seen == ["70", "99", "100", "100"]


def test_after_its_first_minute_the_driver_is_asked_as_often_as_the_option_says(
    site, share, backup
):
    site.driver.answers["create_backup_continue"] = {"total_progress": "10"}
    site.do("create_backup", seconds=70, backup_id=backup)
    before = site.driver.called("create_backup_continue")

    site.run(180)

    assert site.driver.called("create_backup_continue") == before + 3


@pytest.mark.parametrize(
    ("method", "answer", "reason"),
    [
        ("create_backup", exception.ShareBackendException(msg="down"), "down"),
        ("create_backup", NotImplementedError("no backups"), "no backups"),
        ("create_backup_continue", RuntimeError("x" * 300), "xxx"),
        ("create_backup_continue", {"total_progress": "half"}, "half"),
        ("create_backup_continue", "half", "half"),
    ],
)
def test_a_backup_that_fails_says_why_and_its_share_is_available(
    site, share, backup, method, answer, reason
):
    site.driver.answers[method] = answer

    operation = site.do("create_backup", backup_id=backup)

    assert operation["state"] == "failed"
    assert reason in operation["error"]
    made = site.backup(backup)
    assert made["status"] == "error"
    assert reason in made["fail_reason"]
    assert len(made["fail_reason"]) <= 255
    assert site.status(share) == "available"
    assert site.messages(backup) == [("002", "001")]
    assert usage(site) == (1, 5)


def test_a_driver_that_was_written_before_there_were_backups_has_none():
    with pytest.raises(NotImplementedError, match="create_backup"):
        backup_polls.start_creation(object(), share_server=None)
    assert not backup_polls.restores_elsewhere(object())


def test_an_operators_retry_makes_the_backup(site, share, backup):
    site.driver.answers["create_backup"] = RuntimeError("no")
    uuid = site.do("create_backup", backup_id=backup)["uuid"]
    site.driver.answers["create_backup"] = None

    site.retry(uuid)

    made = site.backup(backup)
    assert (made["status"], made["fail_reason"]) == ("available", None)
    assert site.status(share) == "available"


def test_a_retry_while_the_share_does_something_else_fails_and_leaves_it_alone(site, share, backup):
    site.driver.answers["create_backup"] = RuntimeError("no")
    uuid = site.do("create_backup", backup_id=backup)["uuid"]
    site.force(share, "deleting")

    site.retry(uuid)

    assert "'deleting'" in site.operation(uuid)["error"]
    assert (site.backup(backup)["status"], site.status(share)) == ("error", "deleting")


def test_a_backup_that_is_cancelled_is_in_error_and_its_share_available(site, share, backup):
    site.driver.answers["create_backup_continue"] = {"total_progress": "10"}
    uuid = site.do("create_backup", backup_id=backup)["uuid"]

    site.cancel(uuid)

    assert site.operation(uuid)["state"] == "cancelled"
    assert (site.backup(backup)["status"], site.status(share)) == ("error", "available")


@pytest.mark.parametrize("status", ["available", "deleting", "error_deleting"])
def test_a_backup_with_which_something_else_goes_on_is_not_made(site, share, status):
    backup = site.add_backup(share, status)

    operation = site.do("create_backup", backup_id=backup)

    assert "skipped" in operation["result"]
    assert (site.backup(backup)["status"], site.status(share)) == (status, "available")
    assert site.driver.calls == []


@pytest.mark.parametrize("method", ["create_backup", "delete_backup"])
def test_a_backup_that_is_gone_is_no_failure(site, backup, method):
    with site.database.writer() as connection:
        connection.execute(models.share_backups.update().values(deleted=backup))

    assert "deleted" in site.do(method, backup_id=backup)["result"]


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_a_crash_while_the_backup_is_begun(policy):
    site = Site(policy=policy)
    give_answers(site)
    share = site.add_share("backup_creating")
    backup = site.add_backup(share)

    site.crash_in("create_backup", "create_backup", backup_id=backup)
    site.run(5)

    expected = {"retry": "available", "error": "error"}[policy]
    assert (site.backup(backup)["status"], site.status(share)) == (expected, "available")


def test_a_crash_while_the_driver_is_asked_begins_nothing_again(site, share, backup):
    site.crash_in("create_backup", "create_backup_continue", backup_id=backup)
    site.run(5)

    assert (site.backup(backup)["status"], site.status(share)) == ("available", "available")
    assert site.driver.called("create_backup") == 1


# -- delete ------------------------------------------------------------------------------------


def test_a_deleted_backup_is_off_the_usages(site):
    share = site.add_share("available")
    backup = site.add_backup(share, "deleting")

    operation = site.do("delete_backup", backup_id=backup)

    assert operation["state"] == "succeeded"
    gone = site.backup(backup)
    assert (gone["status"], gone["deleted"]) == ("deleted", backup)
    assert usage(site) == (0, 0)
    (_, row, instance), _ = arguments(site, "delete_backup")
    assert (row["id"], instance["id"]) == (backup, share["instance_id"])


def test_a_backup_of_a_share_that_is_gone_is_deleted_all_the_same(site):
    share = site.add_share("available")
    backup = site.add_backup(share, "deleting")
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="gone"))

    site.do("delete_backup", backup_id=backup)

    assert site.backup(backup)["status"] == "deleted"
    assert arguments(site, "delete_backup")[0][2] is None


def test_a_backup_that_cannot_be_deleted_says_why_and_can_be_tried_again(site):
    backup = site.add_backup(site.add_share("available"), "deleting")
    site.driver.answers["delete_backup"] = RuntimeError("no")
    uuid = site.do("delete_backup", backup_id=backup)["uuid"]
    assert site.backup(backup)["status"] == "error_deleting"
    assert "no" in site.backup(backup)["fail_reason"]
    assert (site.messages(backup), usage(site)) == ([("007", "001")], (1, 5))
    site.driver.answers["delete_backup"] = None

    site.retry(uuid)

    assert (site.backup(backup)["status"], usage(site)) == ("deleted", (0, 0))


def test_a_backup_that_is_not_being_deleted_is_left_alone(site):
    backup = site.add_backup(site.add_share("available"), "restoring")

    assert "restoring" in site.do("delete_backup", backup_id=backup)["result"]
    assert site.driver.calls == []


# -- restore -----------------------------------------------------------------------------------


def test_a_restored_share_and_its_backup_are_available(site, restored, restoring):
    site.driver.answers["restore_backup_continue"] = at("20", "100")
    uuid = site.cast("restore_backup", backup_id=restoring, share_id=restored["share_id"])
    site.run()
    assert site.backup(restoring)["restore_progress"] == "20"
    assert site.status(restored) == "backup_restoring"

    site.run(2)

    backup = site.backup(restoring)
    assert site.operation(uuid)["state"] == "succeeded"
    assert (backup["status"], backup["restore_progress"]) == ("available", "100")
    assert site.status(restored) == "available"
    (_, row, instance), _ = arguments(site, "restore_backup_continue")
    assert (row["id"], instance["id"]) == (restoring, restored["instance_id"])


@pytest.mark.parametrize("method", ["restore_backup", "restore_backup_continue"])
def test_a_share_that_cannot_be_restored_is_in_error_and_the_backup_as_good_as_before(
    site, restored, restoring, method
):
    site.driver.answers[method] = exception.ShareBackendException(msg="down")

    operation = restore(site, restoring, restored)

    backup = site.backup(restoring)
    assert operation["state"] == "failed"
    assert (backup["status"], backup["restore_progress"]) == ("available", "0")
    assert site.status(restored) == "backup_restoring_error"
    assert site.messages(restored["share_id"]) == [("028", "001")]


def test_an_operators_retry_restores(site, restored, restoring):
    site.driver.answers["restore_backup"] = RuntimeError("no")
    uuid = restore(site, restoring, restored)["uuid"]
    site.driver.answers["restore_backup"] = None

    site.retry(uuid)

    assert (site.backup(restoring)["status"], site.status(restored)) == ("available", "available")


def test_a_restoration_that_has_begun_is_not_cancelled(site, restored, restoring):
    site.driver.answers["restore_backup_continue"] = at("20", *["50"] * 3, "100")
    uuid = restore(site, restoring, restored)["uuid"]

    site.cancel(uuid)
    assert site.status(restored) == "backup_restoring"

    site.run(10)
    assert site.operation(uuid)["state"] == "succeeded"
    assert (site.backup(restoring)["status"], site.status(restored)) == ("available", "available")


@pytest.mark.parametrize("supported", [True, False])
def test_only_some_drivers_restore_into_another_share(site, restored, supported):
    site.driver.restore_to_target_support = supported
    backup = begin_restoring(site, restored, of=site.add_share("available"))

    restore(site, backup, restored)

    assert site.backup(backup)["status"] == "available"
    if supported:
        assert site.status(restored) == "available"
    else:
        assert site.status(restored) == "backup_restoring_error"
        assert site.driver.calls == []
        assert site.messages(restored["share_id"]) == [("028", "032")]


def test_a_share_that_does_something_else_is_not_restored(site, restored, restoring):
    site.force(restored, "available")

    assert "skipped" in restore(site, restoring, restored)["result"]
    assert (site.backup(restoring)["status"], site.driver.calls) == ("available", [])


def test_a_backup_that_is_being_deleted_is_not_restored(site, restored, restoring):
    with site.database.writer() as connection:
        connection.execute(models.share_backups.update().values(status="deleting"))

    assert "deleting" in restore(site, restoring, restored)["result"]
    assert site.driver.calls == []


def test_a_share_whose_backup_is_gone_is_in_error(site, restored):
    operation = restore(site, "nobody", restored)

    assert "nobody" in operation["error"]
    assert site.status(restored) == "backup_restoring_error"


def test_a_share_that_is_gone_leaves_the_backup_available(site, restored, restoring):
    assert "deleted" in restore(site, restoring, {"share_id": "nobody"})["result"]
    assert site.backup(restoring)["status"] == "available"


@pytest.mark.parametrize("on", ["restore_backup", "restore_backup_continue"])
def test_a_crash_while_restoring_restores(site, restored, restoring, on):
    site.crash_in("restore_backup", on, backup_id=restoring, share_id=restored["share_id"])
    site.run(5)

    assert (site.backup(restoring)["status"], site.status(restored)) == ("available", "available")


# -- reconcile ---------------------------------------------------------------------------------


def reconcile(site, seconds=5):
    site.clock.advance(GRACE)
    count = flows.reconcile(site.environment, site.worker.journal)
    site.run(seconds)
    return count


def test_a_backup_that_manila_began_is_followed_to_its_end(site, share, backup):
    site.driver.answers["create_backup_continue"] = at("50", "100")

    assert reconcile(site) == 2

    assert (site.backup(backup)["status"], site.status(share)) == ("available", "available")
    assert site.driver.called("create_backup") == 0


def test_a_backup_that_the_driver_does_not_know_fails(site, share, backup):
    site.driver.answers["create_backup_continue"] = RuntimeError("unknown")

    reconcile(site)

    assert (site.backup(backup)["status"], site.status(share)) == ("error", "available")


def test_a_stuck_backup_of_a_share_that_waits_for_nothing_is_followed_too(site, share, backup):
    site.force(share, "available")

    assert reconcile(site) == 1

    assert (site.backup(backup)["status"], site.status(share)) == ("available", "available")


def test_a_stuck_backup_of_a_share_that_is_gone_fails(site, share, backup):
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="gone"))

    reconcile(site)

    assert site.backup(backup)["status"] == "error"


def test_a_share_that_waits_for_no_backup_is_available(site, share):
    assert reconcile(site) == 1
    assert site.status(share) == "available"


@pytest.mark.parametrize("host", ["host", None])
def test_what_the_data_service_makes_or_restores_is_left_to_it(
    site, share, backup, restored, restoring, host
):
    with site.database.writer() as connection:
        connection.execute(models.share_backups.update().values(host=host, topic="manila-data"))

    assert reconcile(site) == 0

    assert (site.status(share), site.status(restored)) == ("backup_creating", "backup_restoring")
    assert site.driver.calls == []


def test_a_stuck_deletion_is_carried_out(site):
    backup = site.add_backup(site.add_share("available"), "deleting")

    reconcile(site)

    assert site.backup(backup)["status"] == "deleted"
    assert usage(site) == (0, 0)


def test_a_stuck_restoration_is_followed_to_its_end(site, restored, restoring):
    assert reconcile(site) == 2

    assert (site.backup(restoring)["status"], site.status(restored)) == ("available", "available")
    assert site.driver.called("restore_backup") == 0


def test_a_stuck_restoration_that_fails_leaves_the_backup_available(site, restored, restoring):
    site.driver.answers["restore_backup_continue"] = RuntimeError("no")

    reconcile(site)

    assert site.backup(restoring)["status"] == "available"
    assert site.status(restored) == "backup_restoring_error"


def test_a_backup_that_is_restored_into_nothing_is_available(site):
    backup = site.add_backup(site.add_share("available"), "restoring")

    reconcile(site)

    assert (site.backup(backup)["status"], site.driver.calls) == ("available", [])


def test_a_share_into_which_nothing_is_restored_is_in_error(site, restored):
    reconcile(site)

    assert site.status(restored) == "backup_restoring_error"
    assert site.messages(restored["share_id"]) == [("028", "001")]


@pytest.mark.parametrize("status", ["deleting", "restoring", "creating"])
def test_a_deletion_that_fails_or_what_moved_on_meanwhile(site, status):
    backup = site.add_backup(site.add_share("available"), status)
    site.driver.answers["delete_backup"] = RuntimeError("no")
    site.clock.advance(GRACE)
    flows.reconcile(site.environment, site.worker.journal)
    if status != "deleting":
        with site.database.writer() as connection:
            connection.execute(models.share_backups.update().values(status="available"))

    site.run()

    expected = "error_deleting" if status == "deleting" else "available"
    assert site.backup(backup)["status"] == expected
