# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes: their order, their statuses, and Nova's word about them."""

import datetime

import pytest

from manila_lite.db import (
    models,
    volume_changes,
    volume_creation,
    volume_snapshots,
    volumes,
)
from manila_lite.states import InvalidStatusTransition
from tests.support.volume_rows import HOST, NOW, VolumeRows

LATER = NOW + datetime.timedelta(seconds=5)


@pytest.fixture
def rows(database):
    return VolumeRows(database)


@pytest.fixture
def volume(rows):
    return rows.add_volume("available", name="disk")


@pytest.fixture
def snapshot(rows, volume):
    return rows.add_snapshot(volume, name="monday", metadata={"k": "v"})


def test_a_snapshot_shows_its_columns_its_names_and_its_volume(volume, snapshot):
    assert (snapshot.display_name, snapshot.status, snapshot.progress) == (
        "monday", "creating", "0%",
    )  # fmt: skip
    assert snapshot.name == f"snapshot-{snapshot.id}"
    assert (snapshot.volume_id, snapshot.volume_size) == (volume.id, 5)
    assert snapshot.volume == volume
    assert snapshot.volume_name == volume.name
    assert snapshot.metadata == {"k": "v"}
    assert (snapshot.project_id, snapshot.user_id) == (volume.project_id, volume.user_id)
    assert snapshot._context is None


def test_names_follow_the_templates(snapshot, read):
    found = read(volume_snapshots.get_snapshot, snapshot.id, "s_%s", "v_%s")

    assert (found.name, found.volume.name) == (f"s_{snapshot.id}", f"v_{snapshot.volume_id}")
    assert found.volume_name == found.volume.name


def test_a_deleted_or_unknown_snapshot_is_none(rows, snapshot, read, write):
    write(volume_snapshots.snapshot_deleted(snapshot, LATER))

    assert read(volume_snapshots.get_snapshot, snapshot.id) is None
    assert read(volume_snapshots.get_snapshot, "unknown") is None
    assert read(volume_snapshots.status_of, snapshot.id) is None
    row = rows.row(models.snapshots, snapshot.id)
    assert (row.status, row.deleted, row.deleted_at) == ("deleted", True, LATER)


def test_a_snapshot_whose_volume_is_deleted_has_none(rows, volume, snapshot, write):
    write(volume_changes.deleted(volume, LATER))

    found = rows.snapshot(snapshot.id)
    assert (found.volume, found.volume_name, found.volume_id) == (None, None, volume.id)


def test_a_snapshot_comes_with_the_host_of_its_volume_in_one_query(volume, snapshot, read, write):
    found = read(volume_snapshots.with_host, snapshot.id)
    assert (found.id, found.status, found.host) == (snapshot.id, "creating", volume.host)
    assert (found.display_name, found.progress) == ("monday", "0%")

    write(volume_changes.deleted(volume, LATER))
    assert read(volume_snapshots.with_host, snapshot.id) is None
    assert read(volume_snapshots.with_host, "unknown") is None


def test_snapshots_made_in_the_same_moment_keep_their_order(rows, volume, read):
    made = [rows.add_snapshot(volume, snapshot_id=f"{9 - number}") for number in range(4)]
    rows.add_snapshot(rows.add_volume())

    found = read(volume_snapshots.list_of_volume, volume.id)

    assert [snapshot.id for snapshot in found] == [snapshot.id for snapshot in made]
    assert all(snapshot.volume == volume for snapshot in found)


def test_the_lane_of_a_snapshot_is_found_even_when_it_is_deleted(volume, snapshot, read, write):
    write(volume_snapshots.snapshot_deleted(snapshot, LATER))

    found = read(volumes.volume_ids_of_snapshots, [snapshot.id, "unknown"])

    assert found == {snapshot.id: volume.id}


def test_the_snapshots_of_a_back_end_are_found_by_status(rows, volume, snapshot, read):
    rows.add_snapshot(volume, "available")
    rows.add_snapshot(rows.add_volume(host="elsewhere@x#y"))

    assert read(volume_snapshots.ids_of_host, HOST, ["creating", "deleting"]) == [snapshot.id]
    assert read(volume_snapshots.ids_of_host, HOST, ["creating"], after=snapshot.id) == []


def test_a_search_goes_by_volume_and_status_and_names_the_volume(rows, volume, snapshot, read):
    rows.add_snapshot(rows.add_volume(), "available", name="tuesday")

    [found] = read(volume_snapshots.search, volume_id=volume.id)
    assert (found.display_name, found.volume_display_name) == ("monday", "disk")
    [found] = read(volume_snapshots.search, status="available")
    assert found.display_name == "tuesday"
    assert len(read(volume_snapshots.search, most=1)) == 1


def test_a_created_snapshot_is_available_and_keeps_what_its_volume_knows_of_its_image(
    rows, volume, write, read
):
    write(volume_changes.imaged(volume, {"image_id": "i"}, NOW))
    snapshot = rows.add_snapshot(rows.volume(volume.id))

    said = {"provider_location": "/there", "status": "error"}
    write(volume_snapshots.snapshot_created(snapshot, said, LATER))

    found = rows.snapshot(snapshot.id)
    assert (found.status, found.progress) == ("available", "100%")
    assert found.provider_location == "/there"
    table = models.volume_glance_metadata
    with rows.database.reader() as connection:
        [kept] = connection.execute(table.select().filter_by(snapshot_id=snapshot.id))
    assert (kept.key, kept.value, kept.volume_id) == ("image_id", "i", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("creating", "error"),
        ("deleting", "error_deleting"),
        ("unmanaging", "error_deleting"),
        ("restoring", "available"),
    ],
)
def test_a_failed_operation_leaves_the_status_that_goes_with_it(rows, volume, write, old, new):
    snapshot = rows.add_snapshot(volume, old)

    write(volume_snapshots.snapshot_failed(snapshot.id, old, LATER))

    assert rows.snapshot(snapshot.id).status == new


def test_an_operation_leaves_the_status_of_another_one_alone(rows, snapshot, write):
    rows.force(snapshot, status="deleting")

    write(volume_snapshots.snapshot_created(snapshot, None, LATER))

    assert rows.snapshot(snapshot.id).status == "deleting"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("creating", "creating"),
        ("creating", "available"),
        ("creating", "error"),
        ("deleting", "deleting"),
        ("deleting", "error_deleting"),
    ],
)
def test_novas_word_is_kept(rows, volume, read, write, old, new):
    snapshot = rows.add_snapshot(volume, old)

    write(volume_snapshots.report_progress(snapshot.id, new, "90%", LATER))

    assert read(volume_snapshots.status_of, snapshot.id) == (new, "90%")


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("available", "creating"),
        ("available", "deleting"),
        ("creating", "deleting"),
        ("creating", "error_deleting"),
        ("deleting", "error"),
        ("error_deleting", "deleting"),
        ("error", "available"),
    ],
)
def test_novas_word_comes_too_late_for_what_is_over(rows, volume, read, write, old, said):
    snapshot = rows.add_snapshot(volume, old)

    write(volume_snapshots.report_progress(snapshot.id, said, "90%", LATER))

    assert read(volume_snapshots.status_of, snapshot.id) == (old, "0%")


def test_a_word_without_a_progress_keeps_the_one_before(rows, volume, read, write):
    snapshot = rows.add_snapshot(volume, "deleting", progress="90%")

    write(volume_snapshots.report_progress(snapshot.id, "error_deleting", None, LATER))

    assert read(volume_snapshots.status_of, snapshot.id) == ("error_deleting", "90%")


@pytest.mark.parametrize("said", ["deleted", "in-use", "", "x'; DROP TABLE snapshots"])
def test_a_status_that_nova_may_never_report_is_refused(snapshot, said):
    with pytest.raises(InvalidStatusTransition):
        volume_snapshots.report_progress(snapshot.id, said, "90%", LATER)


@pytest.mark.parametrize(("status", "left"), [("deleting", "0%"), ("available", "90%")])
def test_an_earlier_progress_is_forgotten_only_while_something_is_under_way(
    rows, volume, read, write, status, left
):
    snapshot = rows.add_snapshot(volume, status, progress="90%")

    write(volume_snapshots.progress_cleared(snapshot.id, LATER))

    assert read(volume_snapshots.status_of, snapshot.id) == (status, left)


def test_what_a_driver_says_later_is_kept_without_touching_the_status(rows, snapshot, write):
    said = {"provider_location": "/there", "status": "error"}

    write(volume_snapshots.snapshot_updated(snapshot.id, said, LATER))
    write(volume_snapshots.snapshot_updated(snapshot.id, None, LATER))

    found = rows.snapshot(snapshot.id)
    assert (found.provider_location, found.status) == ("/there", "creating")


def test_a_begun_deletion_does_not_begin_twice(rows, volume, change):
    snapshot = rows.add_snapshot(volume, "available")

    assert change(volume_creation.begin_on_snapshot, snapshot.id, "deleting", LATER)
    assert not change(volume_creation.begin_on_snapshot, snapshot.id, "deleting", LATER)

    assert rows.snapshot(snapshot.id).status == "deleting"
