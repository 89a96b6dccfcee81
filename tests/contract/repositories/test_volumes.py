# SPDX-License-Identifier: Apache-2.0
"""Volumes: what drivers get to see, and what operations write."""

import datetime

import pytest

from manila_lite.db import (
    models,
    volume_attachments,
    volume_changes,
    volume_creation,
    volume_metadata,
    volume_types,
    volumes,
)
from manila_lite.states import InvalidStatusTransition
from tests.support.volume_rows import HOST, NOW, POOL, PROJECT, VolumeRows

LATER = NOW + datetime.timedelta(seconds=5)


@pytest.fixture
def rows(database):
    return VolumeRows(database)


@pytest.fixture
def volume(rows):
    return rows.add_volume(name="disk", metadata={"k": "v", "l": "w"})


def test_a_volume_shows_its_columns_and_its_names(volume):
    assert (volume.size, volume.display_name, volume.project_id) == (5, "disk", PROJECT)
    assert (volume.host, volume.pool, volume.status) == (POOL, "pool", "creating")
    assert volume.name_id == volume.id
    assert volume.name == f"volume-{volume.id}"
    assert volume.metadata == {"k": "v", "l": "w"}
    assert (volume.admin_metadata, volume.volume_glance_metadata) == ({}, {})
    assert volume.volume_attachment == []
    assert (volume.multiattach, volume.attach_status) == (False, "detached")


def test_the_name_follows_the_template_and_the_id_that_a_migration_left(rows, volume, read):
    rows.force(volume, _name_id="other")

    found = read(volumes.get_volume, volume.id, "disk_%s")

    assert (found.id, found.name_id, found.name) == (volume.id, "other", "disk_other")


def test_a_volume_without_a_type_gets_the_default_one(rows, volume, read):
    second = rows.add_volume()

    assert volume.volume_type.name == "__DEFAULT__"
    assert volume.volume_type.extra_specs == {}
    assert second.volume_type_id == volume.volume_type_id
    assert len(read(volume_types.list_types)) == 1


def test_a_volume_shows_the_extra_specs_of_its_type(rows, write, read):
    write(volume_types.new_type("fast", {"a": "1", "b": "2"}, NOW, "type-id"))
    kind = read(volume_types.get_type, "fast")

    volume = rows.add_volume(volume_type=kind)

    assert volume.volume_type_id == "type-id"
    assert volume.volume_type.extra_specs == {"a": "1", "b": "2"}
    assert read(volume_types.get_type, "type-id") == kind
    assert read(volume_types.get_type, "slow") is None


def test_a_deleted_or_unknown_volume_is_none(rows, volume, read, write):
    write(volume_changes.deleted(volume, LATER))

    assert read(volumes.get_volume, volume.id) is None
    assert read(volumes.get_volume, "unknown") is None
    row = rows.row(models.volumes, volume.id)
    assert (row.status, row.deleted, row.deleted_at) == ("deleted", True, LATER)
    assert row.terminated_at == LATER


def test_a_deleted_volume_takes_its_metadata_and_attachments_with_it(rows, volume, read, write):
    write(volume_attachments.new_attachment(volume.id, NOW, attachment_id="a"))

    write(volume_changes.deleted(rows.volume(volume.id), LATER))

    assert read(volume_metadata.of_volumes, [volume.id]) == {}
    assert read(volume_attachments.of_volumes, [volume.id]) == {}


def test_several_volumes_are_read_at_once(rows, read, volume):
    second = rows.add_volume(metadata={"k": "second"})

    found = read(volumes.get_volumes, [volume.id, second.id, "unknown"])

    assert set(found) == {volume.id, second.id}
    assert found[second.id].metadata == {"k": "second"}
    assert found[volume.id].metadata == {"k": "v", "l": "w"}


def test_the_volumes_of_a_back_end_come_in_pages_with_those_of_all_its_pools(rows, read):
    wanted = sorted(
        rows.add_volume(status, host=host).id
        for host in (HOST, POOL, f"{HOST}#other")
        for status in ("available", "deleting")
    )
    for host in ("host@nfs2#pool", "hostXnfs#pool", "host@nf_#pool"):
        rows.add_volume("available", host=host)

    first = read(volumes.list_of_host, HOST, most=4)
    rest = read(volumes.list_of_host, HOST, after=first[-1].id, most=4)
    deleting = read(volumes.list_of_host, HOST, statuses=["deleting"])

    assert [volume.id for volume in (*first, *rest)] == wanted
    assert len(first) == 4
    assert {volume.status for volume in deleting} == {"deleting"}
    assert len(deleting) == 3


def test_a_search_goes_by_host_status_and_project(rows, read):
    rows.add_volume("available", name="one")
    rows.add_volume("error", name="two", host="elsewhere@x#y")
    rows.add_volume("error", name="three", project_id="other")

    def names(**conditions):
        return {volume.display_name for volume in read(volumes.search, **conditions)}

    assert names() == {"one", "two", "three"}
    assert names(host=HOST) == {"one", "three"}
    assert names(host="elsewhere@x#y") == {"two"}
    assert names(status="error") == {"two", "three"}
    assert names(project_id="other", status="error") == {"three"}
    assert len(names(most=2)) == 2


def test_a_created_volume_is_available_with_what_the_driver_says_of_it(rows, volume, write):
    said = {"provider_location": "server:/export", "metadata": {"l": "new", "m": 1}, "odd": "x"}

    write(volume_changes.created(volume, said, LATER, bootable=True))

    found = rows.volume(volume.id)
    assert (found.status, found.provider_location) == ("available", "server:/export")
    assert (found.launched_at, found.bootable) == (LATER, True)
    assert found.metadata == {"k": "v", "l": "new", "m": "1"}


def test_what_a_driver_says_later_is_kept_without_touching_the_status(rows, volume, write):
    write(volume_changes.updated(volume, {"provider_location": "there", "status": "error"}, LATER))
    write(volume_changes.updated(volume, None, LATER))

    found = rows.volume(volume.id)
    assert (found.provider_location, found.status) == ("there", "creating")


def test_an_extended_volume_is_what_its_attachments_make_of_it(rows, write):
    free = rows.add_volume("extending")
    held = rows.add_volume("available")
    write(volume_attachments.attached(held, "attachment", NOW))
    rows.force(held, status="extending")
    held = rows.volume(held.id)

    write(volume_changes.extended(free, 7, LATER), volume_changes.extended(held, 9, LATER))

    assert (rows.volume(free.id).status, rows.volume(free.id).size) == ("available", 7)
    assert (rows.volume(held.id).status, rows.volume(held.id).size) == ("in-use", 9)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("creating", "error"),
        ("deleting", "error_deleting"),
        ("extending", "error_extending"),
        ("uploading", "available"),
        ("reverting", "error"),
    ],
)
def test_a_failed_operation_leaves_the_status_that_goes_with_it(rows, write, old, new):
    volume = rows.add_volume(old)

    write(volume_changes.failed(volume, old, LATER))

    assert rows.volume(volume.id).status == new


@pytest.mark.parametrize("forced", ["available", "error", "error_extending"])
def test_an_operation_writes_its_outcome_over_what_an_administrator_forced(rows, write, forced):
    volume = rows.add_volume("extending")
    rows.force(volume, status=forced)

    write(volume_changes.extended(volume, 8, LATER))

    assert rows.volume(volume.id).status == "available"


@pytest.mark.parametrize("other", ["deleting", "uploading", "in-use", "reserved"])
def test_an_operation_leaves_what_others_do_with_the_volume(rows, write, other):
    volume = rows.add_volume("extending")
    rows.force(volume, status=other)

    write(volume_changes.extended(volume, 8, LATER))

    found = rows.volume(volume.id)
    assert (found.status, found.size) == (other, 8)


def test_a_transition_that_no_operation_may_make_is_no_write(volume):
    with pytest.raises(InvalidStatusTransition):
        volume_changes.move(volume.id, "in-use", "deleting", NOW)


def test_a_volume_made_from_an_image_keeps_what_the_image_said(rows, volume, write):
    long = "x" * 5000

    write(volume_changes.imaged(volume, {"image_id": "i", "note": long}, LATER))

    found = rows.volume(volume.id)
    assert found.volume_glance_metadata == {"image_id": "i", "note": long}
    assert found.bootable is True


def test_a_begun_operation_remembers_the_status_before(rows, change):
    volume = rows.add_volume("available")

    assert change(volume_creation.begin_on_volume, volume.id, "extending", LATER)

    found = rows.volume(volume.id)
    assert (found.status, found.previous_status) == ("extending", "available")
    assert found.terminated_at is None


def test_a_second_operation_does_not_begin_while_the_first_is_under_way(rows, change):
    volume = rows.add_volume("available")

    assert change(volume_creation.begin_on_volume, volume.id, "deleting", LATER)
    assert not change(volume_creation.begin_on_volume, volume.id, "extending", LATER)
    assert not change(volume_creation.begin_on_volume, "unknown", "deleting", LATER)

    found = rows.volume(volume.id)
    assert (found.status, found.terminated_at) == ("deleting", LATER)


def test_an_operation_may_be_told_from_which_statuses_it_begins(rows, change):
    volume = rows.add_volume("in-use")
    begin = volume_creation.begin_on_volume

    assert not change(begin, volume.id, "uploading", LATER, ["available"])
    assert change(begin, volume.id, "uploading", LATER, ["available", "in-use"])
