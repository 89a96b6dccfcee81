# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models, quotas


@pytest.fixture
def doomed(site, active):
    return site.add_replica(active, "deleting")


def delete(site, replica, **arguments):
    return site.on("delete_share_replica", replica, **arguments)


def is_gone(site, replica):
    return site.instance(replica)["deleted"] == replica["instance_id"]


def test_a_replica_goes_with_its_snapshots_and_the_share_stays(site, active, doomed):
    snapshot = site.add_snapshot(active, "available")
    copy = site.add_snapshot_instance(snapshot, doomed, "creating")
    assert delete(site, doomed)["state"] == "succeeded"
    assert is_gone(site, doomed)
    assert site.snapshot_instance(copy)["deleted"] == copy["instance_id"]
    assert site.snapshot_instance(snapshot)["status"] == "available"
    assert site.share(active)["deleted"] == "False"
    given = site.driver.argument("delete_replica", "replica_snapshots")
    assert [one["id"] for one in given] == [copy["instance_id"]]


def test_the_rules_of_the_share_stay_with_the_other_replicas(site, active, doomed):
    rule = site.add_rule(active)
    delete(site, doomed)
    assert site.rows(models.share_access_map, id=rule)[0]["deleted"] == "False"


def test_only_the_replica_is_taken_off_the_usages(site, doomed):
    before = site.usage(quotas.SHARES)
    with site.database.writer() as connection:
        owner = {"project_id": "project", "user_id": "user"}
        deltas = {quotas.REPLICAS: 2, quotas.REPLICA_GIGABYTES: 10}
        quotas.add_usage(connection, owner, "type", deltas, site.clock.now())
    delete(site, doomed)
    assert site.usage(quotas.REPLICAS) == (1, 1)
    assert site.usage(quotas.REPLICA_GIGABYTES) == (5, 5)
    assert site.usage(quotas.SHARES) == before


def test_a_deletion_that_fails_is_error_deleting_twice_and_leaves_the_snapshots(
    site, active, doomed
):
    copy = site.add_snapshot_instance(site.add_snapshot(active, "available"), doomed, "available")
    site.driver.answers["delete_replica"] = RuntimeError("broken")
    assert delete(site, doomed)["state"] == "failed"
    assert site.state(doomed) == ("error_deleting", "error_deleting")
    assert site.snapshot_instance(copy)["status"] == "available"
    assert site.messages(doomed["instance_id"]) == [("007", "001")]


def test_a_forced_deletion_goes_on_after_an_error(site, doomed):
    site.driver.answers["delete_replica"] = RuntimeError("broken")
    assert delete(site, doomed, force=True)["state"] == "succeeded"
    assert is_gone(site, doomed)


def test_a_replica_that_the_storage_does_not_have_is_deleted(site, doomed):
    error = exception.ShareResourceNotFound(share_id="x")
    site.driver.answers["delete_replica"] = error
    assert delete(site, doomed)["state"] == "succeeded"
    assert is_gone(site, doomed)


def test_the_active_replica_is_not_deleted_under_its_copies(site, active, doomed):
    site.force(active, "deleting")
    done = delete(site, active)
    assert "is the last one of its share, or its active one" in done["error"]
    assert site.state(active) == ("error_deleting", "active")
    assert site.driver.called("delete_replica") == 0


def test_the_last_replica_goes_with_its_share_when_forced(site, active):
    with site.database.writer() as connection:
        row = {"share_id": active["share_id"], "key": "a", "value": "b", "deleted": 0}
        connection.execute(models.share_metadata.insert(), row)
    delete(site, active, force=True)
    assert site.share(active)["deleted"] == active["share_id"]
    assert site.rows(models.share_metadata)[0]["deleted"] != 0
    assert site.usage(quotas.SHARES) == (0, 0)


def test_what_is_gone_already_is_skipped(site, doomed):
    delete(site, doomed)
    assert "already deleted" in delete(site, doomed)["result"]


def test_a_crash_in_the_driver_ends_with_the_deletion(site, doomed):
    uuid = site.crash_in(
        "delete_share_replica", "delete_replica", share_replica_id=doomed["instance_id"],
        share_id=doomed["share_id"],
    )  # fmt: skip
    site.run(1)
    assert site.operation(uuid)["state"] == "succeeded"
    assert is_gone(site, doomed)
