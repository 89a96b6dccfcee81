# SPDX-License-Identifier: Apache-2.0
"""Shares are managed, reverted, transferred, let go of: through the flows, on each database."""

import datetime

import pytest

from manila_lite import context as contexts
from manila_lite import exception
from manila_lite.db import models
from manila_lite.share import flows
from manila_lite.share.flows.transfer import transfer_accept
from tests.support.shares import EXPORT, HOST


def forget_usages(site):
    """The project has had nothing until now."""
    with site.database.writer() as connection:
        connection.execute(models.quota_usages.delete())


def test_what_exists_is_managed_used_and_let_go_of(site):
    share = site.add_share("manage_starting", columns={"launched_at": None})
    snapshot = site.add_snapshot(share, "manage_starting")
    forget_usages(site)
    site.add_rule(share)
    site.driver.answers["manage_existing"] = {"size": 8, "export_locations": [EXPORT]}
    site.driver.answers["manage_existing_snapshot"] = {"size": 3, "provider_location": "snap"}

    assert site.do("manage_share", share_id=share["share_id"], driver_options={})["state"] == (
        "succeeded"
    )
    assert (site.status(share), site.share(share).size) == ("available", 8)
    assert (site.usage("shares"), site.usage("gigabytes")) == ((1, 1), (8, 8))
    key = {"snapshot_id": snapshot["snapshot_id"]}
    assert site.do("manage_snapshot", **key, driver_options={})["state"] == "succeeded"
    assert (site.usage("snapshots"), site.usage("snapshot_gigabytes")) == ((1, 1), (3, 3))

    _begin(site, share, "reverting", snapshot, "restoring")
    assert site.do("revert_to_snapshot", **key, reservations=None)["state"] == "succeeded"
    assert (site.status(share), site.share(share).size) == ("available", 3)
    assert site.usage("gigabytes") == (3, 3)

    _begin(site, share, "available", snapshot, "unmanage_starting")
    assert site.do("unmanage_snapshot", **key)["state"] == "succeeded"
    site.force(share, "unmanage_starting")
    assert site.do("unmanage_share", share_id=share["share_id"])["state"] == "succeeded"
    for table in (models.shares, models.share_instances, models.share_snapshots):
        assert {row.deleted == row.id for row in site.rows(table)} == {True}
    for resource in ("shares", "gigabytes", "snapshots", "snapshot_gigabytes"):
        assert site.usage(resource) == (0, 0)
    assert site.rows(models.share_access_map)[0]["deleted"] != "False"
    assert site.rows(models.messages) == []


def _begin(site, share, status, snapshot, snapshot_status):
    site.force(share, status)
    table = models.share_snapshot_instances
    with site.database.writer() as connection:
        connection.execute(
            table.update()
            .where(table.c.id == snapshot["instance_id"])
            .values(status=snapshot_status)
        )


def test_what_cannot_be_managed_is_in_its_error_status_and_counts_for_nothing(site):
    share = site.add_share("manage_starting")
    snapshot = site.add_snapshot(share, "manage_starting")
    forget_usages(site)

    site.do("manage_share", share_id=share["share_id"], driver_options={})
    site.do("manage_snapshot", snapshot_id=snapshot["snapshot_id"], driver_options={})

    assert (site.status(share), site.share(share).size) == ("manage_error", 0)
    assert site.snapshot_instance(snapshot).status == "manage_error"
    assert site.rows(models.quota_usages) == []
    assert site.messages(share["share_id"]) == [("002", "001")]
    assert site.messages(snapshot["snapshot_id"]) == [("002", "001")]


def test_a_revert_that_fails_leaves_the_snapshot_as_it_was(site):
    share = site.add_share("reverting")
    snapshot = site.add_snapshot(share, "restoring")
    site.driver.answers["revert_to_snapshot"] = exception.ShareBackendException(msg="down")

    site.do("revert_to_snapshot", snapshot_id=snapshot["snapshot_id"])

    assert site.status(share) == "reverting_error"
    assert site.snapshot_instance(snapshot).status == "available"


def test_abandoned_reverts_and_unmanagings_are_carried_out_again(site):
    share, leaving = site.add_share("reverting"), site.add_share("unmanage_starting")
    snapshot = site.add_snapshot(share, "restoring")
    site.clock.advance(100)

    assert flows.reconcile(site.environment, site.worker.journal) == 3
    site.run()

    assert (site.status(share), site.status(leaving)) == ("available", "deleted")
    assert site.snapshot_instance(snapshot).status == "available"


@pytest.mark.parametrize("works", [True, False])
def test_rules_are_cleared_when_a_share_goes_over_to_another_project(site, works):
    share = site.add_share("awaiting_transfer")
    site.add_rule(share)
    asked = {"new_user": "user2", "new_project": "project2", "clear_rules": True}
    arguments = (site.environment, contexts.get_admin_context(), share["share_id"])

    if works:
        transfer_accept(*arguments, **asked)
    else:
        site.driver.answers["update_access"] = RuntimeError("no")
        with pytest.raises(RuntimeError):
            transfer_accept(*arguments, **asked)

    (mapping,) = site.rows(models.share_instance_access_map)
    assert mapping["state"] == ("deleted" if works else "error")


def test_what_is_over_is_found_by_its_time(site):
    binned, kept, offered = (
        site.add_share(status) for status in ("available", "available", "awaiting_transfer")
    )
    due = site.clock.now() + datetime.timedelta(seconds=60)
    shares, transfers = models.shares, models.transfers
    with site.database.writer() as connection:
        connection.execute(
            shares.update()
            .where(shares.c.id == binned["share_id"])
            .values(is_soft_deleted=True, scheduled_to_be_deleted_at=due)
        )
        connection.execute(
            transfers.insert(),
            {"id": "offer", "resource_id": offered["share_id"], "resource_type": "share",
             "expires_at": due, "deleted": "False"},
        )  # fmt: skip
    assert flows.delete_expired(site.environment, site.worker.journal) == 0
    assert flows.end_transfers(site.environment) == 0
    site.clock.advance(61)

    assert flows.delete_expired(site.environment, site.worker.journal) == 1
    assert flows.end_transfers(site.environment) == 1
    site.run()

    assert [site.status(share) for share in (binned, kept, offered)] == [
        "deleted", "available", "available",
    ]  # fmt: skip


def test_a_share_without_a_pool_gets_one_when_it_is_ensured(site):
    share = site.add_share("available")
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(host=HOST))
    site.driver.answers["get_pool"] = "gold"
    site.driver.answers["ensure_shares"] = None

    site.do("ensure_driver_resources", seconds=2)

    assert site.instance(share)["host"] == f"{HOST}#gold"
