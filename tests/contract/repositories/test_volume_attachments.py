# SPDX-License-Identifier: Apache-2.0
"""Attachments, and what they make of their volume."""

import datetime

import pytest

from manila_lite.db import models, volume_attachments
from manila_lite.states import InvalidStatusTransition
from tests.support.volume_rows import NOW, VolumeRows

LATER = NOW + datetime.timedelta(seconds=5)


@pytest.fixture
def rows(database):
    return VolumeRows(database)


@pytest.fixture
def volume(rows):
    return rows.add_volume("available", multiattach=True)


def word_of(rows, volume):
    found = rows.volume(volume.id)
    return found.status, found.attach_status


def attach(rows, write, volume, attachment_id, **columns):
    write(volume_attachments.attached(rows.volume(volume.id), attachment_id, NOW, **columns))


def test_an_attached_volume_is_in_use_and_says_where(rows, volume, write):
    attach(rows, write, volume, "a", mode="ro", instance_uuid="guest", mountpoint="/dev/vdb")

    assert word_of(rows, volume) == ("in-use", "attached")
    [found] = rows.volume(volume.id).volume_attachment
    assert (found.id, found.volume_id, found.attach_status) == ("a", volume.id, "attached")
    assert (found.instance_uuid, found.mountpoint, found.attach_mode) == (
        "guest", "/dev/vdb", "ro",
    )  # fmt: skip
    assert found.attach_time == NOW


def test_a_reserved_attachment_is_completed_and_not_made_twice(rows, volume, write, read):
    connector = {"host": "compute", "ip": "10.0.0.1"}
    write(volume_attachments.new_attachment(volume.id, NOW, attachment_id="a"))
    assert word_of(rows, volume) == ("reserved", "reserved")

    attach(rows, write, volume, "a", connector=connector, connection_info={"data": {"x": 1}})

    assert word_of(rows, volume) == ("in-use", "attached")
    found = read(volume_attachments.get_attachment, "a")
    assert (found.connector, found.connection_info) == (connector, {"data": {"x": 1}})
    assert len(rows.volume(volume.id).volume_attachment) == 1


def test_the_last_attachment_that_ends_makes_the_volume_available(rows, volume, write, read):
    attach(rows, write, volume, "a")
    attach(rows, write, volume, "b")

    write(volume_attachments.detached(volume.id, "a", LATER))
    assert word_of(rows, volume) == ("in-use", "attached")
    write(volume_attachments.detached(volume.id, "b", LATER))

    assert word_of(rows, volume) == ("available", "detached")
    assert read(volume_attachments.get_attachment, "b") is None
    row = rows.row(models.volume_attachment, "b")
    assert (row.attach_status, row.detach_time, row.deleted) == ("detached", LATER, True)


@pytest.mark.parametrize(("left", "status"), [("reserved", "reserved"), ("attaching", "attaching")])
def test_an_attachment_that_is_still_being_made_keeps_its_hold(rows, volume, write, left, status):
    attach(rows, write, volume, "a")
    write(volume_attachments.new_attachment(volume.id, NOW, attachment_id="b", status=left))
    assert word_of(rows, volume) == ("in-use", "attached")

    write(volume_attachments.detached(volume.id, "a", LATER))

    assert word_of(rows, volume) == (status, left)


def test_a_detachment_that_is_under_way_ends_in_use_while_others_have_the_volume(
    rows, volume, write
):
    attach(rows, write, volume, "a")
    attach(rows, write, volume, "b")
    rows.force(volume, status="detaching")

    write(volume_attachments.detached(volume.id, "a", LATER))

    assert word_of(rows, volume) == ("in-use", "attached")


@pytest.mark.parametrize("status", ["uploading", "extending", "error"])
def test_what_else_is_said_of_a_volume_is_left_when_it_is_detached(rows, volume, write, status):
    attach(rows, write, volume, "a")
    rows.force(volume, status=status)

    write(volume_attachments.detached(volume.id, "a", LATER))

    assert word_of(rows, volume) == (status, "detached")


def test_a_detachment_may_be_repeated_or_be_of_none(rows, volume, write):
    attach(rows, write, volume, "a")

    for attachment_id in ("a", "a", "unknown"):
        write(volume_attachments.detached(volume.id, attachment_id, LATER))

    assert word_of(rows, volume) == ("available", "detached")


@pytest.mark.parametrize("status", ["deleting", "creating", "reverting"])
def test_a_volume_that_is_not_to_be_had_is_not_attached(rows, status):
    with pytest.raises(InvalidStatusTransition):
        volume_attachments.attached(rows.add_volume(status), "a", NOW)


def test_a_volume_that_is_being_deleted_meanwhile_is_not_put_in_use(rows, volume, write):
    stale = rows.volume(volume.id)
    rows.force(volume, status="deleting")

    write(volume_attachments.attached(stale, "a", NOW))

    assert rows.volume(volume.id).status == "deleting"


def test_columns_of_an_attachment_are_changed_until_it_is_over(rows, volume, write, read):
    attach(rows, write, volume, "a")

    write(volume_attachments.updated("a", LATER, connector={"host": "h"}, mountpoint="/dev/vdc"))

    found = read(volume_attachments.get_attachment, "a")
    assert (found.connector, found.mountpoint) == ({"host": "h"}, "/dev/vdc")


def test_a_column_that_an_attachment_does_not_have_is_an_error(volume):
    with pytest.raises(TypeError, match="colour"):
        volume_attachments.new_attachment(volume.id, NOW, colour="red")
