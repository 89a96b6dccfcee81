# SPDX-License-Identifier: Apache-2.0
"""Backups of shares on each database, by their flows."""

import pytest

from manila_lite.db import backups, models, quotas
from tests.support.shares import HOST


@pytest.fixture
def share(site):
    return site.add_share("backup_creating")


def in_use(site, resource):
    [row] = site.rows(models.quota_usages, resource=resource)
    assert row["share_type_id"] is None
    return row["in_use"]


def test_a_backup_goes_all_its_way(site, share, change):
    answers = site.driver.answers
    answers.update(create_backup=None, restore_backup=None, delete_backup=None)
    answers["create_backup_continue"] = {"total_progress": "40"}
    backup_id = site.add_backup(share)
    site.do("create_backup", backup_id=backup_id)
    assert site.backup(backup_id)["progress"] == "40"
    answers["create_backup_continue"] = {"total_progress": "100"}
    site.run(2)
    assert (site.backup(backup_id)["status"], site.status(share)) == ("available", "available")
    assert (in_use(site, quotas.BACKUPS), in_use(site, quotas.BACKUP_GIGABYTES)) == (1, 5)

    site.force(share, "backup_restoring")
    assert change(backups.begin, backup_id, "restoring", site.clock.now())
    change(backups.set_source, share["share_id"], backup_id)
    answers["restore_backup_continue"] = {"total_progress": "100"}
    site.do("restore_backup", backup_id=backup_id, share_id=share["share_id"])
    restored = site.backup(backup_id)
    assert (restored["status"], restored["restore_progress"]) == ("available", "100")
    assert site.status(share) == "available"

    assert change(backups.begin, backup_id, "deleting", site.clock.now())
    site.do("delete_backup", backup_id=backup_id)
    assert (in_use(site, quotas.BACKUPS), in_use(site, quotas.BACKUP_GIGABYTES)) == (0, 0)


def test_backups_are_found_by_what_is_done_with_them(site, share, read, change):
    made, restored = site.add_backup(share), site.add_backup(share, "restoring")
    other = site.add_share("backup_restoring")
    change(backups.set_source, other["share_id"], restored)

    assert read(backups.being_made, share["share_id"]) == {"id": made, "host": HOST}
    assert read(backups.being_made, other["share_id"]) is None
    assert read(backups.being_restored, other["share_id"]) == {"id": restored, "host": HOST}
    assert read(backups.being_restored, share["share_id"]) is None
    assert read(backups.share_to_restore, restored) == other["share_id"]
    assert read(backups.share_to_restore, made) is None
    assert [row["id"] for row in read(backups.by_status, HOST, ["creating"])] == [made]
    assert read(backups.by_status, "elsewhere", ["creating"]) == []
    assert read(backups.count_of_share, share["share_id"]) == 2


def test_a_deleted_backup_is_found_by_its_lane_only(site, share, read, write):
    backup_id = site.add_backup(share, "deleting")
    write(backups.deleted(read(backups.get_backup, backup_id), site.clock.now()))

    assert read(backups.get_backup, backup_id) is None
    assert read(backups.share_ids_of_backups, [backup_id]) == {backup_id: share["share_id"]}


def test_a_status_that_does_not_lead_there_is_left(site, share, change):
    backup_id = site.add_backup(share, "creating")

    assert not change(backups.begin, backup_id, "deleting", site.clock.now())
    assert site.backup(backup_id)["status"] == "creating"
