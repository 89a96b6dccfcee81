# SPDX-License-Identifier: Apache-2.0
import datetime

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import POOL, Site


@pytest.fixture
def share(site):
    return site.add_share("reverting")


@pytest.fixture
def snapshot(site, share):
    return site.add_snapshot(share, "restoring")


def grow(site, share, size):
    """The share has become larger than its snapshot since."""
    table = models.shares
    with site.database.writer() as connection:
        connection.execute(table.update().where(table.c.id == share["share_id"]).values(size=size))
        usages = models.quota_usages
        connection.execute(
            usages.update().where(usages.c.resource == "gigabytes").values(in_use=size)
        )


def reserve(site, delta):
    made = []
    usages = site.rows(models.quota_usages, resource="gigabytes")
    with site.database.writer() as connection:
        for usage in usages:
            uuid = f"reservation-{usage['id']}"
            connection.execute(
                models.reservations.insert(),
                {"uuid": uuid, "usage_id": usage["id"], "project_id": "project",
                 "resource": "gigabytes", "delta": delta, "deleted": 0,
                 "expire": datetime.datetime(2030, 1, 1)},
            )  # fmt: skip
            made.append(uuid)
    return made


def revert(site, snapshot, seconds=0, **options):
    return site.do(
        "revert_to_snapshot", seconds=seconds, snapshot_id=snapshot["snapshot_id"], **options
    )


def statuses(site, share, snapshot):
    return site.status(share), site.snapshot_instance(snapshot)["status"]


def test_a_reverted_share_and_its_snapshot_are_available_again(site, share, snapshot):
    site.add_rule(share)

    operation = revert(site, snapshot, reservations=None)

    assert operation["state"] == "succeeded"
    assert statuses(site, share, snapshot) == ("available", "available")
    assert site.driver.calls == [("revert_to_snapshot", snapshot["instance_id"])]
    rules = site.driver.argument("revert_to_snapshot", "share_access_rules")
    assert [rule["access_to"] for rule in rules] == ["10.0.0.2"]
    assert site.driver.argument("revert_to_snapshot", "snapshot_access_rules") == []
    assert site.usage("gigabytes") == (5, 5)


def test_rules_that_do_not_hold_are_not_told(site, share, snapshot):
    site.add_rule(share)
    with site.database.writer() as connection:
        connection.execute(models.share_instance_access_map.update().values(state="error"))

    revert(site, snapshot)

    assert site.driver.argument("revert_to_snapshot", "share_access_rules") == []


@pytest.mark.parametrize("reserved", [True, False])
def test_a_share_gets_the_size_of_its_snapshot_back_and_its_usage_follows(
    site, share, snapshot, reserved
):
    grow(site, share, 8)
    uuids = reserve(site, -3) if reserved else None

    revert(site, snapshot, reservations=uuids)

    assert site.share(share)["size"] == 5
    assert site.usage("gigabytes") == (5, 5)
    assert all(row["deleted"] for row in site.rows(models.reservations))


@pytest.mark.parametrize(
    "error",
    [NotImplementedError("x"), exception.ShareBackendException(msg="down"), RuntimeError("no")],
)
@pytest.mark.parametrize("status", ["reverting", "reverting_to_snapshot"])
def test_a_failure_leaves_reverting_error_and_the_snapshot_as_it_was(
    site, share, snapshot, error, status
):
    site.force(share, status)
    grow(site, share, 8)
    site.driver.answers["revert_to_snapshot"] = error

    operation = revert(site, snapshot, reservations=reserve(site, -3))

    assert operation["state"] == "failed"
    assert statuses(site, share, snapshot) == ("reverting_error", "available")
    assert (site.share(share)["size"], site.usage("gigabytes")) == (8, (8, 8))
    assert all(row["deleted"] for row in site.rows(models.reservations))
    assert site.messages(share["share_id"]) == [("006", "001")]


def test_an_operators_retry_reverts(site, share, snapshot):
    grow(site, share, 8)
    site.driver.answers["revert_to_snapshot"] = RuntimeError("no")
    uuid = revert(site, snapshot, reservations=reserve(site, -3))["uuid"]
    site.driver.answers["revert_to_snapshot"] = None

    site.retry(uuid)

    assert statuses(site, share, snapshot) == ("available", "available")
    assert site.usage("gigabytes") == (5, 5)


@pytest.mark.parametrize(
    ("share_status", "snapshot_status"),
    [("available", "restoring"), ("deleting", "restoring"), ("reverting", "deleting")],
)
def test_what_something_else_goes_on_with_is_not_reverted(site, share_status, snapshot_status):
    share = site.add_share(share_status)
    snapshot = site.add_snapshot(share, snapshot_status)

    operation = revert(site, snapshot, reservations=reserve(site, -1))

    assert "skipped" in operation["result"]
    assert statuses(site, share, snapshot) == (share_status, snapshot_status)
    assert site.driver.calls == []
    assert all(row["deleted"] for row in site.rows(models.reservations))


def test_a_snapshot_or_a_share_that_is_gone_is_no_failure(site, share, snapshot):
    assert "deleted" in revert(site, {"snapshot_id": "nobody"})["result"]
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="gone"))

    assert "share is deleted" in revert(site, snapshot)["result"]


def test_on_a_share_server_the_driver_is_told_which(site, share, snapshot):
    with site.database.writer() as connection:
        connection.execute(
            models.share_servers.insert(),
            {"id": "server", "host": POOL, "status": "active", "deleted": "False"},
        )
        connection.execute(models.share_instances.update().values(share_server_id="server"))

    revert(site, snapshot)

    assert site.driver.argument("revert_to_snapshot", "share_server")["id"] == "server"


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_a_crash_while_reverting_reverts_again(policy):
    site = Site(policy=policy)
    share = site.add_share("reverting")
    snapshot = site.add_snapshot(share, "restoring")

    uuid = site.crash_in("revert_to_snapshot", "revert_to_snapshot",
                         snapshot_id=snapshot["snapshot_id"])  # fmt: skip
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert statuses(site, share, snapshot) == ("available", "available")
