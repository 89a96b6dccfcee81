# SPDX-License-Identifier: Apache-2.0
"""How many SQL statements each flow costs, from the cast to the last row, the engine's included.

Manila's manager needs 52 for create_snapshot and 365 for delete_share_instance.
"""

import pytest

from tests.support.shares import EXPORT
from tests.support.statements import count_statements


def counted(site, method, **arguments):
    with count_statements(site.database) as sent:
        operation = site.do(method, **arguments)
    assert operation["state"] == "succeeded"
    return len(sent)


@pytest.fixture
def used(site):
    """The first operation of a worker also looks up what it keeps from then on."""
    share = site.add_share("extending")
    site.do("extend_share", share_id=share["share_id"], new_size=6)
    site.environment.zone_id()
    return site


def test_create_snapshot(used):
    share = used.add_share("available")
    snapshot = used.add_snapshot(share)

    assert (
        counted(
            used, "create_snapshot", share_id=share["share_id"], snapshot_id=snapshot["snapshot_id"]
        )
        <= 22
    )


def test_delete_share_instance(used):
    share = used.add_share("deleting", metadata={"k": "v"})
    used.add_rule(share)

    assert counted(used, "delete_share_instance", share_instance_id=share["instance_id"]) <= 37


def test_manage_share(used):
    share = used.add_share("manage_starting")
    used.driver.answers["manage_existing"] = {"size": 7, "export_locations": [EXPORT]}

    assert counted(used, "manage_share", share_id=share["share_id"], driver_options={}) <= 30


def test_unmanage_share(used):
    share = used.add_share("unmanage_starting", metadata={"k": "v"})
    used.add_rule(share)

    assert counted(used, "unmanage_share", share_id=share["share_id"]) <= 30


def test_manage_snapshot(used):
    snapshot = used.add_snapshot(used.add_share("available"), "manage_starting")
    used.driver.answers["manage_existing_snapshot"] = {"size": 7}

    assert (
        counted(used, "manage_snapshot", snapshot_id=snapshot["snapshot_id"], driver_options={})
        <= 30
    )


def test_unmanage_snapshot(used):
    snapshot = used.add_snapshot(used.add_share("available"), "unmanage_starting")

    assert counted(used, "unmanage_snapshot", snapshot_id=snapshot["snapshot_id"]) <= 28


def test_revert_to_snapshot(used):
    share = used.add_share("reverting")
    snapshot = used.add_snapshot(share, "restoring")
    used.add_rule(share)

    assert (
        counted(used, "revert_to_snapshot", snapshot_id=snapshot["snapshot_id"], reservations=None)
        <= 28
    )


def test_backups(used):
    done = {"total_progress": "100"}
    used.driver.answers.update(
        create_backup=None, create_backup_continue=done, delete_backup=None,
        restore_backup=None, restore_backup_continue=done,
    )  # fmt: skip
    share, restored = (used.add_share(s) for s in ("backup_creating", "backup_restoring"))
    made, back = used.add_backup(share), used.add_backup(restored, "restoring")
    gone = used.add_backup(share, "deleting")

    assert counted(used, "create_backup", backup_id=made) <= 24
    assert counted(used, "restore_backup", backup_id=back, share_id=restored["share_id"]) <= 24
    assert counted(used, "delete_backup", backup_id=gone) <= 24
