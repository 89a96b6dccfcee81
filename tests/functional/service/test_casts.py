# SPDX-License-Identifier: Apache-2.0
"""Every cast of a share's life, from the broker to the rows, on each database.

Each is sent as recorded from a running Manila, and by our own client.
"""

import pytest

from manila_lite import states
from manila_lite.db import messages, models
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import ALPHA
from tests.functional.service.drivers import SECRET
from tests.functional.service.rows import SIZE


def held(shares=0, gigabytes=0, reserved=0, **others):
    """Usages by user and by type, and what is reserved for either."""
    plain = {"shares": (shares, 0), "gigabytes": (gigabytes, reserved)}
    plain.update({resource: (number, 0) for resource, number in others.items()})
    return {name: (used, used, kept, kept) for name, (used, kept) in plain.items()}


def test_a_share_is_created_and_can_be_used(do, rows, service):
    share = rows.share(ALPHA)
    operation = do("create_share_instance", share)
    assert (operation["state"], operation["error"]) == ("succeeded", None)
    instance = rows.instance(share)
    assert (instance["status"], instance["progress"]) == (states.AVAILABLE, "100%")
    assert instance["launched_at"] is not None
    zone = rows.one(models.availability_zones, id=instance["availability_zone_id"])
    assert zone["name"] == "nova"
    assert rows.exports(share) == [f"null:/{share.name}"]
    assert rows.usage(share) == held(1, SIZE)
    assert rows.messages(share.share_id) == []
    assert service.called("create_share", share.instance_id) == 1


def test_a_refused_creation_is_an_error_that_the_project_is_told(do, rows):
    share = rows.share(ALPHA, told="create_share=InvalidShare")
    operation = do("create_share_instance", share)
    assert operation["state"] == "failed"
    assert "create_share failed" in operation["error"]
    assert rows.status(share) == states.ERROR
    assert rows.exports(share) == []
    told = [(share.project_id, messages.ACTION_CREATE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(share.share_id) == told
    assert rows.usage(share) == held(1, SIZE)


def test_a_busy_back_end_is_asked_again(do, rows, service):
    share = rows.share(ALPHA, told="create_share=BackendBusy*2")
    assert do("create_share_instance", share)["state"] == "succeeded"
    assert rows.status(share) == states.AVAILABLE
    assert service.called("create_share", share.instance_id, "fail") == 2
    assert rows.messages(share.share_id) == []


def test_no_password_of_a_drivers_error_is_kept(do, rows, service):
    share = rows.share(ALPHA, told="create_share=InvalidShare")
    operation = do("create_share_instance", share)
    assert "password=***" in operation["error"]
    assert SECRET not in str(operation)
    assert SECRET not in service.log


def test_a_share_is_created_from_a_snapshot(do, rows, service):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE), states.AVAILABLE)
    share = rows.share(ALPHA, of=snapshot)
    operation = do("create_share_instance", share, snapshot_id=snapshot.snapshot_id)
    assert operation["state"] == "succeeded"
    assert rows.status(share) == states.AVAILABLE
    assert rows.exports(share) == [f"null:/{share.name}"]
    assert service.called("create_share_from_snapshot", share.instance_id) == 1
    assert service.called("create_share", share.instance_id) == 0


def test_a_copy_in_the_background_is_waited_for(do, rows, service):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE), states.AVAILABLE)
    share = rows.share(ALPHA, of=snapshot, told="copies")
    operation = do("create_share_instance", share, snapshot_id=snapshot.snapshot_id)
    assert (operation["state"], operation["progress"]) == ("succeeded", "50%")
    assert rows.status(share) == states.AVAILABLE
    assert service.called("get_share_status", share.instance_id) == 1


def test_a_failed_creation_from_a_snapshot_says_so(do, rows):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE), states.AVAILABLE)
    share = rows.share(ALPHA, of=snapshot, told="create_share_from_snapshot=InvalidShare")
    do("create_share_instance", share, snapshot_id=snapshot.snapshot_id)
    assert rows.status(share) == states.ERROR
    detail = messages.DETAIL_DRIVER_FAILED_CREATING_FROM_SNAP
    expected = [(share.project_id, messages.ACTION_CREATE, detail)]
    assert rows.messages(share.share_id) == expected


def test_an_extension_turns_its_reservations_into_usage(do, rows):
    share = rows.share(ALPHA, states.EXTENDING)
    reserved = rows.reserve(share, 3)
    assert rows.usage(share) == held(1, SIZE, 3)
    operation = do("extend_share", share, new_size=SIZE + 3, reservations=reserved)
    assert operation["state"] == "succeeded"
    assert rows.status(share) == states.AVAILABLE
    assert rows.of_share(share)["size"] == SIZE + 3
    assert rows.usage(share) == held(1, SIZE + 3)
    assert rows.reservations(reserved) == 0


def test_a_failed_extension_gives_its_reservations_back(do, rows):
    share = rows.share(ALPHA, states.EXTENDING, told="extend_share=ShareExtendingError")
    reserved = rows.reserve(share, 3)
    operation = do("extend_share", share, new_size=SIZE + 3, reservations=reserved)
    assert operation["state"] == "failed"
    assert rows.status(share) == states.EXTENDING_ERROR
    assert rows.of_share(share)["size"] == SIZE
    assert rows.usage(share) == held(1, SIZE)
    assert rows.reservations(reserved) == 0
    detail = messages.DETAIL_DRIVER_FAILED_EXTEND
    expected = [(share.project_id, messages.ACTION_EXTEND, detail)]
    assert rows.messages(share.share_id) == expected


def test_a_shrunken_share_frees_quota(do, rows):
    share = rows.share(ALPHA, states.SHRINKING)
    assert do("shrink_share", share, new_size=1)["state"] == "succeeded"
    assert rows.status(share) == states.AVAILABLE
    assert rows.of_share(share)["size"] == 1
    assert rows.usage(share) == held(1, 1)


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (
            "ShareShrinkingPossibleDataLoss",
            states.SHRINKING_POSSIBLE_DATA_LOSS_ERROR,
            messages.DETAIL_DRIVER_REFUSED_SHRINK,
        ),
        ("ShareShrinkingError", states.SHRINKING_ERROR, messages.DETAIL_DRIVER_FAILED_SHRINK),
    ],
    ids=["data in the way", "failure"],
)
def test_a_share_that_is_not_shrunk_keeps_size_and_usage(do, rows, error, status, detail):
    share = rows.share(ALPHA, states.SHRINKING, told=f"shrink_share={error}")
    do("shrink_share", share, new_size=1)
    assert rows.status(share) == status
    assert rows.of_share(share)["size"] == SIZE
    assert rows.usage(share) == held(1, SIZE)
    expected = [(share.project_id, messages.ACTION_SHRINK, detail)]
    assert rows.messages(share.share_id) == expected


def test_a_snapshot_is_created_with_what_the_driver_says_of_it(do, rows):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE))
    assert do("create_snapshot", snapshot)["state"] == "succeeded"
    row = rows.of_snapshot(snapshot)
    assert (row["status"], row["progress"]) == (states.AVAILABLE, "100%")
    assert row["provider_location"] == snapshot.name
    expected = held(1, SIZE, snapshots=1, snapshot_gigabytes=SIZE)
    assert rows.usage(snapshot.share) == expected


def test_a_failed_snapshot_is_an_error_that_the_project_is_told(do, rows):
    share = rows.share(ALPHA, states.AVAILABLE, told="create_snapshot=InvalidShareSnapshot")
    snapshot = rows.snapshot(share)
    assert do("create_snapshot", snapshot)["state"] == "failed"
    assert rows.status(snapshot) == states.ERROR
    expected = [(share.project_id, messages.ACTION_CREATE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(snapshot.snapshot_id) == expected
    assert rows.status(share) == states.AVAILABLE


def test_a_deleted_snapshot_frees_quota(do, rows):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE), states.DELETING)
    assert do("delete_snapshot", snapshot)["state"] == "succeeded"
    row = rows.of_snapshot(snapshot)
    assert row["deleted"] == row["id"]
    parent = rows.one(models.share_snapshots, id=snapshot.snapshot_id)
    assert parent["deleted"] == parent["id"]
    expected = held(1, SIZE, snapshots=0, snapshot_gigabytes=0)
    assert rows.usage(snapshot.share) == expected


def test_a_busy_snapshot_stays_available(do, rows):
    share = rows.share(ALPHA, states.AVAILABLE, told="delete_snapshot=ShareSnapshotIsBusy")
    snapshot = rows.snapshot(share, states.DELETING)
    assert do("delete_snapshot", snapshot)["state"] == "failed"
    assert rows.status(snapshot) == states.AVAILABLE
    expected = [(share.project_id, messages.ACTION_DELETE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(snapshot.snapshot_id) == expected


def test_a_forced_deletion_removes_a_snapshot_whatever_the_driver_says(do, rows):
    share = rows.share(ALPHA, states.AVAILABLE, told="delete_snapshot=InvalidShareSnapshot")
    snapshot = rows.snapshot(share, states.DELETING)
    assert do("delete_snapshot", snapshot, force=True)["state"] == "succeeded"
    assert rows.of_snapshot(snapshot)["deleted"] == snapshot.instance_id
    assert rows.messages(snapshot.snapshot_id) == []


def test_a_deleted_share_leaves_nothing_but_history(do, rows, service):
    share = rows.share(ALPHA)
    do("create_share_instance", share)
    rule, mapping = rows.rule(share)
    rows.begin(share, states.DELETING)
    assert do("delete_share_instance", share)["state"] == "succeeded"
    instance, parent = rows.instance(share), rows.of_share(share)
    assert (instance["deleted"], parent["deleted"]) == (share.instance_id, share.share_id)
    assert instance["deleted_at"] is not None
    assert instance["terminated_at"] is not None
    assert rows.exports(share) == []
    assert rows.all(models.share_metadata, share_id=share.share_id, deleted=0) == []
    assert rows.one(models.share_access_map, id=rule)["deleted"] == rule
    assert rows.one(models.share_instance_access_map, id=mapping)["deleted"] == mapping
    assert rows.usage(share) == held(0, 0)
    assert service.called("update_access", share.instance_id) == 1
    assert service.called("delete_share", share.instance_id) == 1


def test_a_failed_deletion_keeps_row_and_usage(do, rows):
    share = rows.share(ALPHA, states.DELETING, told="delete_share=InvalidShare")
    assert do("delete_share_instance", share)["state"] == "failed"
    instance = rows.instance(share)
    assert (instance["status"], instance["deleted"]) == (states.ERROR_DELETING, "False")
    assert rows.usage(share) == held(1, SIZE)
    expected = [(share.project_id, messages.ACTION_DELETE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(share.share_id) == expected


def test_a_forced_deletion_removes_a_share_whatever_the_driver_says(do, rows):
    share = rows.share(ALPHA, states.DELETING, told="delete_share=InvalidShare")
    assert do("delete_share_instance", share, force=True)["state"] == "succeeded"
    assert rows.instance(share)["deleted"] == share.instance_id
    assert rows.usage(share) == held(0, 0)
    assert rows.messages(share.share_id) == []


def test_a_deferred_deletion_frees_quota_at_once_and_storage_later(do_recorded, rows, service):
    share = rows.share(ALPHA, states.DELETING, told="delete_share=BackendBusy*1")
    operation = do_recorded("delete_share_instance", share, deferred_delete=True)
    assert operation["state"] == "succeeded"
    assert rows.usage(share) == held(0, 0)
    poll(lambda: rows.instance(share)["deleted"] == share.instance_id, "the deferred deletion")
    assert service.called("delete_share", share.instance_id) == 1
    first, second = rows.operations(resource_id=share.instance_id)
    assert (first["uuid"], second["state"]) == (operation["uuid"], "succeeded")
    assert rows.usage(share) == held(0, 0)


def test_a_deferred_deletion_that_fails_is_tried_again(do_recorded, rows, service):
    share = rows.share(ALPHA, states.DELETING, told="delete_share=InvalidShare*2")
    do_recorded("delete_share_instance", share, deferred_delete=True)
    poll(lambda: rows.instance(share)["deleted"] == share.instance_id, "the deferred deletion")
    assert service.called("delete_share", share.instance_id, "fail") == 2
    assert rows.usage(share) == held(0, 0)


def test_a_deferred_deletion_of_a_snapshot_ends_as_well(do_recorded, rows):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE), states.DELETING)
    do_recorded("delete_snapshot", snapshot, deferred_delete=True)
    expected = held(1, SIZE, snapshots=0, snapshot_gigabytes=0)
    assert rows.usage(snapshot.share) == expected
    deleted = lambda: rows.of_snapshot(snapshot)["deleted"] == snapshot.instance_id  # noqa: E731
    poll(deleted, "the deferred deletion")
    assert rows.usage(snapshot.share) == expected


def test_a_cast_that_comes_twice_is_carried_out_once(service, senders, rows):
    from tests.functional.service.casting import envelope, message_for

    share = rows.share(ALPHA)
    message = message_for("create_share_instance", share)
    message.update(_unique_id=f"twice-{share.instance_id}"[:32], _context_request_id=share.name)
    for _ in range(2):
        senders["recorded"].publish(envelope(message))
    service.ended(share.name)
    after = rows.share(ALPHA)
    service.ended(senders["recorded"].cast("create_share_instance", after))
    assert len(rows.operations(request_id=share.name)) == 1
    assert service.called("create_share", share.instance_id) == 1
