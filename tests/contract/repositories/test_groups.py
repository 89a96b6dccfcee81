# SPDX-License-Identifier: Apache-2.0
"""Share groups and group snapshots on each database, by their flows."""

import pytest

from manila_lite import states
from manila_lite.db import group_changes, group_creation, models, quotas, share_groups
from tests.contract.repositories.conftest import NOW
from tests.support import groups
from tests.support.shares import HOST


@pytest.fixture
def group_id(site):
    """A group of two shares."""
    group_id = groups.add_group(site, share_type_ids=["type"])
    for _ in range(2):
        groups.add_member(site, group_id)
    return group_id


@pytest.fixture
def snapshot_id(site, group_id):
    return groups.add_snapshot(site, group_id, "available")


def usage(site, resource):
    [row] = site.rows(models.quota_usages, resource=resource)
    assert row["share_type_id"] is None
    return row["in_use"]


def test_a_group_goes_all_its_way(site):
    groups.use(site, groups.GroupDriver)
    group_id = groups.add_group(site, "creating")
    assert site.do("create_share_group", share_group_id=group_id)["state"] == "succeeded"
    groups.add_member(site, group_id)
    snapshot_id = groups.add_snapshot(site, group_id)
    ours = {"share_group_snapshot_id": snapshot_id}
    [member] = groups.members(site, snapshot_id)
    update = {"id": member["id"], "provider_location": "there", "size": 4}
    site.driver.answers["create_share_group_snapshot"] = (None, [update])
    assert site.do("create_share_group_snapshot", **ours)["state"] == "succeeded"
    [member] = groups.members(site, snapshot_id)
    assert (member["status"], member["provider_location"]) == ("available", "there")
    copy = groups.add_copy(site, snapshot_id)
    [share] = groups.shares(site, copy)
    answer = (None, [{"id": share["id"], "export_locations": ["/copy"]}])
    site.driver.answers["create_share_group_from_share_group_snapshot"] = answer
    assert site.do("create_share_group", share_group_id=copy)["state"] == "succeeded"
    [share] = groups.shares(site, copy)
    assert (share["status"], share["export_location"]) == ("available", "/copy")
    assert site.do("delete_share_group_snapshot", **ours)["state"] == "succeeded"
    assert groups.snapshot_row(site, snapshot_id)["deleted"] == snapshot_id


def test_a_snapshot_is_read_with_its_group_and_its_members(read, group_id, snapshot_id):
    found = read(share_groups.get_group_snapshot, snapshot_id)

    assert found["share_group"]["share_types"][0]["share_type_id"] == "type"
    members = found["share_group_snapshot_members"]
    assert [member["share"]["share_group_id"] for member in members] == [group_id] * 2
    assert read(share_groups.get_group_snapshot, "unknown") is None


def test_what_is_deleted_is_not_read(read, write, group_id, snapshot_id):
    snapshot = read(share_groups.get_group_snapshot, snapshot_id)
    members = snapshot["share_group_snapshot_members"]
    assert read(share_groups.count_snapshots, group_id) == 1

    write(group_changes.delete_snapshot(snapshot_id, members, NOW))
    write(group_changes.delete_group(group_id, NOW))

    assert read(share_groups.get_group_snapshot, snapshot_id) is None
    assert read(share_groups.count_snapshots, group_id) == 0
    assert read(share_groups.get_group, group_id) is None
    # The lane outlives the row.
    found = read(share_groups.group_ids_of_snapshots, [snapshot_id, "unknown"])
    assert found == {snapshot_id: group_id}


def test_a_share_says_in_how_many_group_snapshots_it_is(read, write, site, group_id, snapshot_id):
    share_id = groups.shares(site, group_id)[0]["share_id"]
    assert read(share_groups.count_members_of_share, share_id) == 1

    write(group_changes.delete_snapshot(snapshot_id, groups.members(site, snapshot_id), NOW))

    assert read(share_groups.count_members_of_share, share_id) == 0


def test_rows_are_found_by_status_on_all_pools_of_a_back_end(read, site, group_id, snapshot_id):
    making = groups.add_group(site, "creating")
    elsewhere = groups.add_group(site, "creating", columns={"host": f"{HOST}2#pool"})
    whole = groups.add_group(site, "creating", columns={"host": HOST})

    found = read(share_groups.groups_by_status, HOST, [states.CREATING])
    assert {group["id"] for group in found} == {making, whole}
    assert elsewhere not in {group["id"] for group in found}
    [snapshot] = read(share_groups.snapshots_by_status, HOST, [states.AVAILABLE])
    assert snapshot["id"] == snapshot_id


def test_a_status_that_another_operation_wrote_is_left_alone(site, write, group_id):
    write(group_changes.move_group(group_id, states.AVAILABLE, states.DELETING, NOW))
    write(group_changes.move_group(group_id, states.CREATING, states.AVAILABLE, NOW))

    assert groups.group_row(site, group_id)["status"] == "deleting"


@pytest.mark.parametrize("kind", ["group", "snapshot"])
def test_a_deletion_begins_once_and_counts_once(site, change, group_id, snapshot_id, kind):
    table, row, resource = models.share_groups, groups.group_row(site, group_id), quotas.GROUPS
    if kind == "snapshot":
        table, resource = models.share_group_snapshots, quotas.GROUP_SNAPSHOTS
        row = groups.snapshot_row(site, snapshot_id)
    assert usage(site, resource) == 1

    begun = [change(group_creation.begin_deletion, table, row, resource, NOW) for _ in range(2)]

    assert begun == [True, False]
    assert usage(site, resource) == 0
    assert site.rows(table, id=row["id"])[0]["status"] == "deleting"
