# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.share import flows
from tests.support import groups
from tests.support.shares import Turns

GRACE = 60
FROM_SNAPSHOT = "create_share_group_from_share_group_snapshot"


@pytest.fixture(autouse=True)
def driver(site):
    groups.use(site, groups.GroupDriver)
    return site.driver


@pytest.fixture
def group_id(site):
    group_id = groups.add_group(site)
    groups.add_member(site, group_id)
    return group_id


def reconcile(site, wait=GRACE + 1):
    site.clock.advance(wait)
    count = flows.reconcile(site.environment, site.worker.journal)
    site.run()
    return count


def status(site, group_id):
    return groups.group_row(site, group_id)["status"]


def test_a_group_whose_creation_nobody_carries_out_goes_into_error(site):
    group_id = groups.add_group(site, "creating")

    assert reconcile(site) == 1

    assert status(site, group_id) == "error"
    assert site.messages(group_id) == [("002", "001")]
    assert site.driver.calls == []
    assert reconcile(site) == 0


def test_a_group_whose_deletion_nobody_carries_out_is_deleted(site):
    group_id = groups.add_group(site, "deleting")

    assert reconcile(site) == 1
    assert status(site, group_id) == "deleted"


def test_a_group_whose_deletion_fails_goes_into_error(site):
    group_id = groups.add_group(site, "deleting")
    site.driver.answers["delete_share_group"] = exception.ShareBackendException(msg="no")

    reconcile(site)

    assert status(site, group_id) == "error"


def test_a_group_from_a_snapshot_whose_shares_are_all_there_is_available(site, group_id):
    copy = groups.add_copy(site, groups.add_snapshot(site, group_id, "available"))
    site.driver.answers["ensure_share"] = ["/found"]

    # The share is no row of its own to bring to an end.
    assert reconcile(site) == 1

    assert status(site, copy) == "available"
    [share] = groups.shares(site, copy)
    assert (share["status"], share["export_location"]) == ("available", "/found")
    assert site.driver.called(FROM_SNAPSHOT) == 0


def test_a_group_from_a_snapshot_whose_shares_are_missing_goes_into_error(site, group_id):
    copy = groups.add_copy(site, groups.add_snapshot(site, group_id, "available"))
    site.driver.answers["ensure_share"] = exception.ShareResourceNotFound(share_id="x")

    reconcile(site)

    assert status(site, copy) == "error"
    assert [share["status"] for share in groups.shares(site, copy)] == ["error"]


def test_shares_are_left_to_the_group_that_is_being_made(site, group_id):
    copy = groups.add_copy(site, groups.add_snapshot(site, group_id, "available"))
    [share] = groups.shares(site, copy)
    update = {"id": share["id"], "status": "creating_from_snapshot", "export_locations": ["/x"]}
    site.driver.answers[FROM_SNAPSHOT] = (None, [update])
    site.driver.answers["get_share_status"] = {"status": "creating_from_snapshot"}
    operation = site.do("create_share_group", share_group_id=copy)

    assert operation["state"] == "waiting"
    assert reconcile(site, wait=3 * GRACE) == 0


def test_a_share_whose_group_is_made_is_brought_to_an_end_by_itself(site, group_id):
    copy = groups.add_copy(site, groups.add_snapshot(site, group_id, "available"), "available")

    assert reconcile(site) == 1
    assert [share["status"] for share in groups.shares(site, copy)] == ["error"]


def test_a_group_snapshot_whose_creation_nobody_carries_out_goes_into_error(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)

    assert reconcile(site) == 1

    assert groups.snapshot_row(site, snapshot_id)["status"] == "error"
    assert [member["status"] for member in groups.members(site, snapshot_id)] == ["error"]
    assert site.messages(group_id) == [("002", "001")]


def test_a_group_snapshot_whose_deletion_nobody_carries_out_is_deleted(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "deleting")

    assert reconcile(site) == 1
    assert groups.snapshot_row(site, snapshot_id)["status"] == "deleted"


def test_a_group_snapshot_whose_deletion_fails_goes_into_error(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "deleting")
    site.driver.answers["delete_share_group_snapshot"] = Turns(
        [exception.ShareBackendException(msg="no")]
    )

    reconcile(site)

    assert groups.snapshot_row(site, snapshot_id)["status"] == "error"
    assert [m["status"] for m in groups.members(site, snapshot_id)] == ["error_deleting"]


def test_rows_whose_operation_is_under_way_are_left_alone(site, group_id):
    groups.add_member(site, group_id, "available")
    snapshot_id = groups.add_snapshot(site, group_id)
    site.cast("create_share_group_snapshot", share_group_snapshot_id=snapshot_id)
    site.clock.advance(GRACE + 1)

    assert flows.reconcile(site.environment, site.worker.journal) == 0
