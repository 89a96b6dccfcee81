# SPDX-License-Identifier: Apache-2.0
"""Rows that stand in a transitional status with no operation behind them come to an end."""

import datetime

import pytest

from manila_lite import states
from manila_lite.db import messages, models
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import ALPHA, BETA
from tests.functional.service.rows import SIZE, now

LONG_AGO = datetime.timedelta(hours=1)
LOST = "ensure_share=ShareResourceNotFound"


@pytest.fixture
def stuck(rows):
    """A function that makes a share that has been in a status for an hour, with no cast."""

    def make(status, pool=ALPHA, **options):
        then = now() - LONG_AGO
        return rows.share(pool, status, created_at=then, updated_at=then, **options)

    return make


def wait_for(rows, resource, status):
    poll(lambda: rows.status(resource) == status, f"{status}, not {rows.status(resource)}")


def reason(rows, resource_id):
    """The error of the operation that brought the resource to its end."""
    (operation,) = [row for row in rows.operations(resource_id=resource_id) if row["error"]]
    return operation["error"]


@pytest.mark.parametrize("status", [states.CREATING, states.CREATING_FROM_SNAPSHOT])
def test_a_share_that_is_there_becomes_available(stuck, rows, status):
    share = stuck(status)
    wait_for(rows, share, states.AVAILABLE)
    assert rows.exports(share) == [f"null:/{share.name}"]
    assert rows.messages(share.share_id) == []


def test_a_share_that_is_not_there_becomes_an_error_with_the_reason(stuck, rows):
    share = stuck(states.CREATING, told=LOST)
    wait_for(rows, share, states.ERROR)
    assert f"Share {share.share_id} was found in 'creating'" in reason(rows, share.instance_id)
    expected = [(share.project_id, messages.ACTION_CREATE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(share.share_id) == expected


def test_a_directory_that_was_never_made_becomes_an_error(stuck, rows):
    share = stuck(states.CREATING, BETA)
    wait_for(rows, share, states.ERROR)
    assert rows.exports(share) == []


@pytest.mark.parametrize(
    ("status", "end", "action"),
    [
        (states.EXTENDING, states.EXTENDING_ERROR, messages.ACTION_EXTEND),
        (states.SHRINKING, states.SHRINKING_ERROR, messages.ACTION_SHRINK),
        (states.REVERTING, states.REVERTING_ERROR, messages.ACTION_REVERT_TO_SNAPSHOT),
        (states.MANAGE_STARTING, states.MANAGE_ERROR, messages.ACTION_CREATE),
    ],
)
def test_what_nobody_can_tell_becomes_an_error_with_the_reason(stuck, rows, status, end, action):
    share = stuck(status)
    wait_for(rows, share, end)
    assert f"found in '{status}' with no operation" in reason(rows, share.instance_id)
    expected = [(share.project_id, action, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(share.share_id) == expected


def test_a_share_that_was_being_ensured_is_available(stuck, rows):
    share = stuck(states.ENSURING)
    wait_for(rows, share, states.AVAILABLE)
    assert rows.messages(share.share_id) == []


def test_a_deletion_that_nobody_carried_out_is_carried_out(stuck, rows, service):
    share = stuck(states.DELETING)
    poll(lambda: rows.instance(share)["deleted"] == share.instance_id, "the deletion")
    assert service.called("delete_share", share.instance_id) == 1
    assert rows.usage(share)["gigabytes"][:2] == (0, 0)


@pytest.mark.parametrize(
    "status", [states.UNMANAGE_STARTING, states.MANAGE_ERROR_UNMANAGE_STARTING]
)
def test_an_unmanaging_that_nobody_carried_out_is_carried_out(stuck, rows, service, status):
    share = stuck(status)
    poll(lambda: rows.instance(share)["deleted"] == share.instance_id, "the end of the row")
    assert service.called("delete_share", share.instance_id) == 0


def test_a_revert_that_nobody_carried_out_is_carried_out(stuck, rows, service):
    share = stuck(states.AVAILABLE)
    snapshot = rows.snapshot(share, states.AVAILABLE)
    rows.database.run(lambda connection: begin_reverting(connection, share, snapshot))
    wait_for(rows, snapshot, states.AVAILABLE)
    wait_for(rows, share, states.AVAILABLE)
    assert service.called("revert_to_snapshot", snapshot.instance_id) == 1


def begin_reverting(connection, share, snapshot):
    for table, key, status in (
        (models.share_instances, share.instance_id, states.REVERTING),
        (models.share_snapshot_instances, snapshot.instance_id, states.RESTORING),
    ):
        values = {"status": status, "updated_at": now() - LONG_AGO}
        connection.execute(table.update().where(table.c.id == key).values(values))


def test_snapshots_are_brought_to_an_end_too(rows):
    then = now() - LONG_AGO
    share = rows.share(ALPHA, states.AVAILABLE)
    old = {"created_at": then, "updated_at": then}
    new = rows.snapshot(share, states.CREATING, **old)
    doomed = rows.snapshot(share, states.DELETING, **old)
    wait_for(rows, new, states.ERROR)
    poll(lambda: rows.of_snapshot(doomed)["deleted"] == doomed.instance_id, "the deletion")
    assert "Snapshot" in reason(rows, new.snapshot_id)
    expected = [(share.project_id, messages.ACTION_CREATE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(new.snapshot_id) == expected


def test_rows_of_the_last_minute_and_of_other_hosts_are_left_alone(stuck, rows, service):
    """The API writes its row before it casts."""
    fresh = rows.share(ALPHA)
    foreign = stuck(states.CREATING, "mbase@alphabet#pool")
    alike = stuck(states.CREATING, "mbase2@alpha#pool")
    marker = stuck(states.EXTENDING)
    wait_for(rows, marker, states.EXTENDING_ERROR)
    assert [rows.status(share) for share in (fresh, foreign, alike)] == [states.CREATING] * 3
    table = models.share_instances
    service.daemon.database.run(
        lambda c: c.execute(table.update().where(table.c.id == fresh.instance_id)
                            .values(status=states.ERROR))
    )  # fmt: skip


CASTS = 60


def test_casts_that_wait_in_the_queue_are_known_before_anything_counts_as_stuck(services, rabbitmq):
    """The daemon was away for an hour. What was cast meanwhile is work, the rest is lost."""
    service = services("sqlite", rabbitmq, ours={"rpc_batch_size": 1, "reconcile_interval": 1})
    rows = service.rows
    service.start()
    assert service.daemon.terminate() == 0
    then = now() - LONG_AGO
    old = {"created_at": then, "updated_at": then}
    lost = rows.share(ALPHA, told=LOST, **old)
    sender = service.raw()
    cast = [rows.share(ALPHA, told=LOST, **old) for _ in range(CASTS)]
    for share in cast:
        sender.cast("create_share_instance", share)
    service.start()
    wait_for(rows, lost, states.ERROR)
    service.daemon.wait_settled(CASTS + 3)
    assert {rows.status(share) for share in cast} == {states.AVAILABLE}
    reconciled = [row["resource_id"] for row in rows.operations(method="_reconcile_share")]
    assert reconciled == [lost.instance_id]


def test_without_a_broker_stuck_rows_come_to_an_end_at_once(services):
    service = services("sqlite", ours={"reconcile_interval": 3600})
    then = now() - LONG_AGO
    share = service.rows.share(ALPHA, states.EXTENDING, created_at=then, updated_at=then)
    service.start()
    wait_for(service.rows, share, states.EXTENDING_ERROR)
    assert service.rows.of_share(share)["size"] == SIZE
