# SPDX-License-Identifier: Apache-2.0
"""The whole life of shares and snapshots, through the flows, on each database."""

import pytest

from manila_lite import exception
from manila_lite.db import creation, models, snapshots
from manila_lite.share import flows
from tests.support.shares import EXPORT


def create(site, share, **options):
    return site.do(
        "create_share_instance",
        share_instance_id=share["instance_id"],
        request_spec={"share_id": share["share_id"]},
        filter_properties={},
        **options,
    )


def test_a_share_and_its_snapshot_from_the_first_cast_to_the_last(site):
    share = site.add_share(metadata={"k": "v"})
    assert create(site, share)["state"] == "succeeded"
    snapshot = site.add_snapshot(share)
    assert site.do("create_snapshot", **_both(share, snapshot))["state"] == "succeeded"
    clone = site.add_share(snapshot_id=snapshot["snapshot_id"])
    site.driver.answers["create_share_from_snapshot"] = [EXPORT]
    assert create(site, clone, snapshot_id=snapshot["snapshot_id"])["state"] == "succeeded"
    _resize(site, share, "extending", "extend_share", 9)
    assert site.usage("gigabytes") == (14, 14)
    _resize(site, share, "shrinking", "shrink_share", 2)
    assert site.usage("gigabytes") == (7, 7)

    site.do("delete_snapshot", snapshot_id=snapshot["snapshot_id"])
    for one in (share, clone):
        site.do("delete_share_instance", share_instance_id=one["instance_id"])

    assert {row.deleted == row.id for row in site.rows(models.share_instances)} == {True}
    assert {row.deleted == row.id for row in site.rows(models.shares)} == {True}
    assert {row.deleted == row.id for row in site.rows(models.share_snapshots)} == {True}
    for resource in ("shares", "gigabytes", "snapshots", "snapshot_gigabytes"):
        assert site.usage(resource) == (0, 0)
    assert site.rows(models.messages) == []


def _both(share, snapshot):
    return {"share_id": share["share_id"], "snapshot_id": snapshot["snapshot_id"]}


def _resize(site, share, status, method, size):
    site.force(share, status)
    operation = site.do(method, share_id=share["share_id"], new_size=size)
    assert operation["state"] == "succeeded"
    assert (site.status(share), site.share(share).size) == ("available", size)


def test_what_fails_is_in_its_error_status_with_a_message(site):
    share = site.add_share()
    for method in ("create_share", "delete_share", "create_snapshot", "delete_snapshot"):
        site.driver.answers[method] = exception.ShareBackendFull(reason="no room")
    create(site, share)
    assert site.status(share) == "error"
    snapshot = site.add_snapshot(share)
    site.do("create_snapshot", **_both(share, snapshot))
    assert site.snapshot_instance(snapshot).status == "error"
    site.do("delete_snapshot", snapshot_id=snapshot["snapshot_id"])
    assert site.snapshot_instance(snapshot).status == "error_deleting"
    site.do("delete_share_instance", share_instance_id=share["instance_id"])
    assert site.status(share) == "error_deleting"

    assert sorted(site.messages(share["share_id"])) == [("002", "001"), ("007", "001")]
    assert sorted(site.messages(snapshot["snapshot_id"])) == [("002", "001"), ("007", "001")]


def test_stuck_rows_are_found_and_brought_to_an_end(site):
    made, doomed = site.add_share(), site.add_share("deleting")
    snapshot = site.add_snapshot(made, "deleting")
    site.driver.answers["ensure_share"] = [EXPORT]
    site.clock.advance(100)

    assert flows.reconcile(site.environment, site.worker.journal) == 3
    site.run()

    assert (site.status(made), site.status(doomed)) == ("available", "deleted")
    assert site.snapshot_instance(snapshot).status == "deleted"


@pytest.mark.parametrize("bulk", [True, False])
def test_export_locations_are_replaced_when_shares_are_ensured(site, bulk):
    shares = [site.add_share("available") for _ in range(3)]
    site.driver.answers["ensure_share"] = ["/new"]
    if bulk:
        site.driver.answers["ensure_shares"] = lambda context, found: {
            share["id"]: {"export_locations": ["/new"]} for share in found
        }

    operation = site.do("ensure_driver_resources", seconds=2)

    assert operation["state"] == "succeeded"
    assert [site.exports(share) for share in shares] == [["/new"]] * 3


def test_a_deferred_deletion_runs_its_course(site):
    share = site.add_share("deleting")
    key = share["instance_id"]
    site.do("delete_share_instance", share_instance_id=key, deferred_delete=True)
    assert (site.status(share), site.usage("shares")) == ("deferred_deleting", (0, 0))

    flows.delete_deferred(site.environment, site.worker.journal)
    site.run()

    assert (site.status(share), site.usage("shares")) == ("deleted", (0, 0))


@pytest.mark.parametrize(
    ("found", "status", "begun"),
    [
        ("available", "deleting", True),
        ("error_deleting", "deleting", True),
        ("available", "extending", True),
        ("creating", "deleting", False),
        ("deleting", "extending", False),
        ("error", "extending", False),
    ],
)
def test_the_command_line_begins_only_what_the_status_allows(site, change, found, status, begun):
    share = site.add_share(found)
    now = site.clock.now()

    assert change(creation.begin_on_share, share["instance_id"], status, now) is begun
    assert site.status(share) == (status if begun else found)


def test_the_command_line_deletes_a_snapshot_only_when_nothing_happens_to_it(site, change):
    snapshot = site.add_snapshot(site.add_share("available"), "available")
    now = site.clock.now()

    assert change(creation.begin_on_snapshot, snapshot["instance_id"], "deleting", now) is True
    assert change(creation.begin_on_snapshot, snapshot["instance_id"], "deleting", now) is False


def test_lanes_of_snapshots_are_found_deleted_ones_too(site, read):
    share = site.add_share("available")
    snapshot = site.add_snapshot(share, "deleting")
    site.do("delete_snapshot", snapshot_id=snapshot["snapshot_id"])

    found = read(snapshots.share_ids_of_snapshots, [snapshot["snapshot_id"], "unknown"])

    assert found == {snapshot["snapshot_id"]: share["share_id"]}
    assert read(snapshots.get_snapshot, snapshot["snapshot_id"]) is None


def test_a_snapshot_has_the_status_of_its_instance(site, read):
    snapshot = site.add_snapshot(site.add_share("available"), "available")

    found = read(snapshots.get_snapshot, snapshot["snapshot_id"])

    assert (found.status, found.progress, found.size) == ("available", "0%", 5)
    assert found.instance.id == snapshot["instance_id"]
