# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.volume.flows import telling


class SnapshotIsBusy(Exception):
    """A driver's own class of that name."""


@pytest.fixture
def volume(site):
    return site.add_volume()


def test_a_snapshot_of_a_detached_volume_is_made_by_the_driver_alone(site, volume):
    snapshot = site.add_snapshot(volume)
    site.driver.answers["create_snapshot"] = {"provider_location": "there", "unknown": 1}

    assert site.do("create_snapshot", snapshot_id=snapshot)["state"] == "succeeded"

    assert site.words(snapshot) == ("available", "100%")
    assert site.snapshot(snapshot)["provider_location"] == "there"
    assert site.driver.calls == [("create_snapshot", snapshot)]
    assert site.nova.calls == []


def test_the_driver_gets_the_snapshot_with_its_volume_and_the_request(site, volume):
    snapshot = site.add_snapshot(volume)

    site.do("create_snapshot", snapshot_id=snapshot)

    given = site.driver.argument("create_snapshot", 0)
    assert given.volume.id == volume
    assert given.volume.status == "available"
    assert given.volume_name == f"volume-{volume}"
    assert given._context.request_id == "req-1"


@pytest.mark.parametrize("method", ["create_snapshot", "delete_snapshot"])
def test_a_volume_that_waits_for_being_extended_is_at_rest_for_the_driver(site, method):
    """The request to extend it came later, and stands behind this one in its lane."""
    volume = site.add_volume("extending")
    snapshot = site.add_snapshot(volume, "creating" if method == "create_snapshot" else "deleting")

    assert site.do(method, snapshot_id=snapshot)["state"] == "succeeded"

    assert site.driver.argument(method, 0).volume.status == "available"


def test_a_snapshot_that_fails_shows_it_and_tells_the_user(site, volume):
    snapshot = site.add_snapshot(volume)
    site.driver.answers["create_snapshot"] = exception.InvalidVolume(reason="attaching")

    site.do("create_snapshot", snapshot_id=snapshot)

    assert site.words(snapshot)[0] == "error"
    assert site.messages(snapshot) == [
        (telling.ACTION_SNAPSHOT_CREATE, telling.DETAIL_SNAPSHOT_CREATE)
    ]


def test_a_snapshot_of_a_bootable_volume_keeps_what_is_known_of_the_image(site, volume):
    row = {"volume_id": volume, "key": "image_id", "value": "i", "deleted": False}
    with site.database.writer() as connection:
        connection.execute(models.volume_glance_metadata.insert(), row)
    snapshot = site.add_snapshot(volume)

    site.do("create_snapshot", snapshot_id=snapshot)

    [kept] = site.rows(models.volume_glance_metadata, snapshot_id=snapshot)
    assert (kept["key"], kept["value"]) == ("image_id", "i")


def test_an_interrupted_snapshot_is_made_again(site, volume):
    snapshot = site.add_snapshot(volume)

    uuid = site.crash_in("create_snapshot", "create_snapshot", snapshot_id=snapshot)
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.called("create_snapshot") == 2


def test_a_snapshot_is_deleted(site, volume):
    snapshot = site.add_snapshot(volume, "deleting")

    site.do("delete_snapshot", snapshot_id=snapshot)

    assert site.snapshot(snapshot)["deleted"] is True
    assert site.driver.calls == [("delete_snapshot", snapshot)]


def test_a_snapshot_that_the_storage_does_not_have_counts_as_deleted(site, volume):
    snapshot = site.add_snapshot(volume, "deleting")
    site.driver.answers["delete_snapshot"] = exception.SnapshotNotFound(snapshot_id=snapshot)

    site.do("delete_snapshot", snapshot_id=snapshot)

    assert site.snapshot(snapshot)["deleted"] is True


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (exception.RemoteFSException("no"), "error_deleting", telling.DETAIL_SNAPSHOT_DELETE),
        (SnapshotIsBusy(), "available", telling.DETAIL_SNAPSHOT_BUSY),
    ],
)
def test_a_snapshot_that_stays_says_why(site, volume, error, status, detail):
    snapshot = site.add_snapshot(volume, "deleting")
    site.driver.answers["delete_snapshot"] = error

    assert site.do("delete_snapshot", snapshot_id=snapshot)["state"] == "failed"

    assert site.words(snapshot)[0] == status
    assert site.messages(snapshot) == [(telling.ACTION_SNAPSHOT_DELETE, detail)]


@pytest.mark.parametrize("status", ["deleting", "unmanaging"])
def test_an_unmanaged_snapshot_keeps_its_data(site, volume, status):
    snapshot = site.add_snapshot(volume, status)

    site.do("delete_snapshot", snapshot_id=snapshot, unmanage_only=True)

    assert site.driver.methods() == ["unmanage_snapshot"]
    assert site.snapshot(snapshot)["deleted"] is True


@pytest.mark.parametrize("waiting", ["extending", "uploading", "reverting"])
def test_what_comes_later_in_the_lane_does_not_count_yet(site, volume, waiting):
    snapshot = site.add_snapshot(volume)
    site.set(models.volumes, volume, status=waiting)
    site.attach(volume)

    site.cast("create_snapshot", snapshot_id=snapshot)
    site.run()

    assert site.driver.methods()[0] == "prepare_online_snapshot"


@pytest.mark.parametrize("method", ["create_snapshot", "delete_snapshot"])
def test_the_driver_sees_a_detached_volume_as_detached_whatever_comes_later(site, volume, method):
    snapshot = site.add_snapshot(volume, "creating" if method == "create_snapshot" else "deleting")
    site.set(models.volumes, volume, status="extending")

    site.do(method, snapshot_id=snapshot)

    assert site.driver.argument(method, 0).volume.status == "available"


def test_operations_of_a_volume_and_its_snapshots_come_one_after_the_other(site, volume):
    snapshot = site.add_snapshot(volume)
    site.driver.answers["create_snapshot"] = exception.BackendBusy(reason="wait")
    site.cast("create_snapshot", snapshot_id=snapshot)
    site.cast("delete_volume", volume_id=volume)
    site.run()

    assert site.driver.methods() == ["create_snapshot"]


def test_a_snapshot_whose_volume_is_gone_fails(site, volume):
    snapshot = site.add_snapshot(volume)
    site.set(models.volumes, volume, deleted=True)

    operation = site.do("create_snapshot", snapshot_id=snapshot)

    assert volume in operation["error"]
    assert site.words(snapshot)[0] == "error"


def test_an_operators_retry_is_shown_as_what_it_is(site, volume):
    snapshot = site.add_snapshot(volume)
    site.driver.answers["create_snapshot"] = exception.RemoteFSException("no")
    failed = site.do("create_snapshot", snapshot_id=snapshot)
    seen = []
    site.driver.answers["create_snapshot"] = lambda given: seen.append(site.words(snapshot)[0])

    site.retry(failed["uuid"])

    assert seen == ["creating"]
    assert site.words(snapshot) == ("available", "100%")
