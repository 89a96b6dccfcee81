# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share import flows


@pytest.fixture
def share(site):
    return site.add_share("available")


def create(site, share, snapshot, seconds=0):
    return site.do(
        "create_snapshot",
        seconds=seconds,
        share_id=share["share_id"],
        snapshot_id=snapshot["snapshot_id"],
    )


def delete(site, snapshot, seconds=0, **options):
    return site.do(
        "delete_snapshot", seconds=seconds, snapshot_id=snapshot["snapshot_id"], **options
    )


def status(site, snapshot):
    return site.snapshot_instance(snapshot)["status"]


def snapshot_row(site, snapshot):
    return site.rows(models.share_snapshots, id=snapshot["snapshot_id"])[0]


def make_mountable(site):
    with site.database.writer() as connection:
        connection.execute(models.shares.update().values(mount_snapshot_support=True))


def test_a_new_snapshot_becomes_available_with_what_the_driver_says_of_it(site, share):
    snapshot = site.add_snapshot(share)
    site.driver.answers["create_snapshot"] = {"provider_location": "vol1@snap"}

    operation = create(site, share, snapshot)

    row = site.snapshot_instance(snapshot)
    assert operation["state"] == "succeeded"
    assert (row["status"], row["progress"]) == ("available", "100%")
    assert row["provider_location"] == "vol1@snap"


def test_the_driver_gets_the_snapshot_with_its_share(site, share):
    snapshot = site.add_snapshot(share)

    create(site, share, snapshot)

    given = site.driver.argument("create_snapshot", "snapshot")
    assert (given.id, given.snapshot_id) == (snapshot["instance_id"], snapshot["snapshot_id"])
    assert given.name == f"share-snapshot-{snapshot['instance_id']}"
    assert given.share_name == f"share-{share['instance_id']}"
    assert (given.share_size, given.size, given.share_proto) == (5, 5, "NFS")
    assert given["share"]["id"] == share["instance_id"]
    assert given["share"]["share_id"] == share["share_id"]


@pytest.mark.parametrize("mountable", [True, False])
def test_export_locations_are_kept_where_snapshots_can_be_mounted(site, share, mountable):
    if mountable:
        make_mountable(site)
    snapshot = site.add_snapshot(share)
    site.driver.answers["create_snapshot"] = {"export_locations": [{"path": "/snap"}]}

    create(site, share, snapshot)

    rows = site.rows(models.share_snapshot_instance_export_locations)
    assert [row["path"] for row in rows] == (["/snap"] if mountable else [])


def test_a_failure_puts_the_snapshot_into_error_and_tells_the_user(site, share):
    snapshot = site.add_snapshot(share)
    site.driver.answers["create_snapshot"] = exception.ShareBackendFull(reason="no room")

    operation = create(site, share, snapshot)

    assert (operation["state"], status(site, snapshot)) == ("failed", "error")
    assert site.messages(snapshot["snapshot_id"]) == [("002", "001")]
    assert site.rows(models.messages)[0]["resource_type"] == "SHARE_SNAPSHOT"
    assert site.status(share) == "available"


@pytest.mark.parametrize(
    "returned", [{"status": "error"}, {"status": "creating"}, 7, {"provider_location": "x" * 256}]
)
def test_an_answer_that_does_not_mean_available_is_a_failure(site, share, returned):
    snapshot = site.add_snapshot(share)
    site.driver.answers["create_snapshot"] = returned

    create(site, share, snapshot)

    assert status(site, snapshot) == "error"


def test_an_operators_retry_makes_the_snapshot(site, share):
    snapshot = site.add_snapshot(share)
    site.driver.answers["create_snapshot"] = RuntimeError("no")
    uuid = create(site, share, snapshot)["uuid"]
    site.driver.answers["create_snapshot"] = None

    site.retry(uuid)

    assert status(site, snapshot) == "available"


@pytest.mark.parametrize("found", ["available", "deleting"])
def test_a_snapshot_in_another_status_is_not_made(site, share, found):
    snapshot = site.add_snapshot(share, found)

    operation = create(site, share, snapshot)

    assert found in operation["result"]
    assert (status(site, snapshot), site.driver.calls) == (found, [])


def test_a_deleted_snapshot_leaves_the_storage_the_rows_and_the_usage(site, share):
    snapshot = site.add_snapshot(share, "deleting")
    assert (site.usage("snapshots"), site.usage("snapshot_gigabytes")) == ((1, 1), (5, 5))
    with site.database.writer() as connection:
        connection.execute(
            models.share_snapshot_metadata.insert(),
            {"share_snapshot_id": snapshot["snapshot_id"], "key": "k", "value": "v",
             "deleted": "False"},
        )  # fmt: skip

    operation = delete(site, snapshot)

    assert operation["state"] == "succeeded"
    assert site.driver.calls == [("delete_snapshot", snapshot["instance_id"])]
    row = site.snapshot_instance(snapshot)
    assert (row["status"], row["deleted"]) == ("deleted", snapshot["instance_id"])
    assert snapshot_row(site, snapshot)["deleted"] == snapshot["snapshot_id"]
    assert (site.usage("snapshots"), site.usage("snapshot_gigabytes")) == ((0, 0), (0, 0))
    pair = site.rows(models.share_snapshot_metadata)[0]
    assert pair["deleted"] == str(pair["id"])
    assert site.share(share)["deleted"] == "False"


@pytest.mark.parametrize(
    "error",
    [
        exception.SnapshotResourceNotFound(name="x"),
        exception.ShareSnapshotResourceNotFound(snapshot_id="x"),
    ],
)
def test_a_snapshot_that_is_not_on_the_storage_counts_as_deleted(site, share, error):
    snapshot = site.add_snapshot(share, "deleting")
    site.driver.answers["delete_snapshot"] = error

    assert delete(site, snapshot)["state"] == "succeeded"
    assert status(site, snapshot) == "deleted"


@pytest.mark.parametrize("force", [True, False])
def test_a_busy_snapshot_goes_back_to_available_even_when_forced(site, share, force):
    snapshot = site.add_snapshot(share, "deleting")
    site.driver.answers["delete_snapshot"] = exception.ShareSnapshotIsBusy(snapshot_name="x")

    operation = delete(site, snapshot, force=force)

    assert (operation["state"], status(site, snapshot)) == ("failed", "available")
    assert site.messages(snapshot["snapshot_id"]) == [("007", "001")]
    assert site.usage("snapshots") == (1, 1)


def test_a_failure_of_a_deletion_leaves_error_deleting(site, share):
    snapshot = site.add_snapshot(share, "deleting")
    site.driver.answers["delete_snapshot"] = RuntimeError("no")

    delete(site, snapshot)

    assert status(site, snapshot) == "error_deleting"


def test_force_deletes_the_rows_whatever_else_the_driver_says(site, share):
    snapshot = site.add_snapshot(share, "deleting")
    site.driver.answers["delete_snapshot"] = RuntimeError("no")

    assert delete(site, snapshot, force=True)["state"] == "succeeded"
    assert status(site, snapshot) == "deleted"


def test_a_snapshot_whose_share_is_gone_fails_clearly_and_can_be_forced(site, share):
    snapshot = site.add_snapshot(share, "deleting")
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="gone"))

    uuid = site.cast("delete_snapshot", snapshot_id=snapshot["snapshot_id"])
    site.run()
    assert status(site, snapshot) == "error_deleting"
    assert share["share_id"] in site.operation(uuid)["error"]

    delete(site, snapshot, force=True)
    assert status(site, snapshot) == "deleted"


def test_rules_of_a_mounted_snapshot_are_denied_first(site, share):
    snapshot = site.add_snapshot(share, "deleting")
    site.driver.answers["snapshot_update_access"] = None
    with site.database.writer() as connection:
        connection.execute(
            models.share_snapshot_access_map.insert(),
            {"id": "rule", "share_snapshot_id": snapshot["snapshot_id"], "access_type": "ip",
             "access_to": "10.0.0.2", "deleted": "False"},
        )  # fmt: skip
        connection.execute(
            models.share_snapshot_instance_access_map.insert(),
            {"id": "map", "share_snapshot_instance_id": snapshot["instance_id"],
             "access_id": "rule", "state": "active", "deleted": "False"},
        )  # fmt: skip

    delete(site, snapshot)

    assert [name for name, _ in site.driver.calls] == ["snapshot_update_access", "delete_snapshot"]
    rules = site.driver.argument("snapshot_update_access", "delete_rules")
    assert [(r["id"], r["access_to"]) for r in rules] == [("rule", "10.0.0.2")]
    assert site.rows(models.share_snapshot_access_map)[0]["deleted"] == "rule"
    assert site.rows(models.share_snapshot_instance_access_map)[0]["deleted"] == "map"


def test_a_deferred_deletion_of_a_snapshot_is_carried_out_later_and_counted_once(site, share):
    snapshot, other = site.add_snapshot(share, "deleting"), site.add_snapshot(share, "available")

    delete(site, snapshot, deferred_delete=True)

    assert (status(site, snapshot), site.driver.calls) == ("deferred_deleting", [])
    assert site.usage("snapshots") == (1, 1)
    assert flows.delete_deferred(site.environment, site.worker.journal) == 1
    site.run()
    assert (status(site, snapshot), status(site, other)) == ("deleted", "available")
    assert site.usage("snapshots") == (1, 1)


def test_a_deletion_that_comes_twice_is_no_error(site, share):
    snapshot = site.add_snapshot(share, "deleting")
    delete(site, snapshot)

    assert "already deleted" in delete(site, snapshot)["result"]


def test_snapshot_and_share_take_turns_on_one_lane(site, share):
    snapshot = site.add_snapshot(share)
    first = site.cast(
        "create_snapshot", share_id=share["share_id"], snapshot_id=snapshot["snapshot_id"]
    )
    second = site.cast("delete_share_instance", share_instance_id=share["instance_id"])

    assert len(site.worker.claim()) == 1
    assert site.operation(first)["state"] == "running"
    assert site.operation(second)["state"] == "queued"
