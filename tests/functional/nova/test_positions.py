# SPDX-License-Identifier: Apache-2.0
"""Snapshots of attached volumes, made and deleted at each place of the chain by the service."""

import struct

import pytest

from tests.fixtures.daemon import poll
from tests.functional.nova import checks, images

#: The beginning of a qcow2 image whose data lie in a file of the host.
HOSTILE = (
    struct.pack(">4sIQIIQIIQQII", b"QFI\xfb", 3, 112, 11, 16, 1 << 30, 0, 2, 3 << 16, 1 << 16, 1, 0)
    + struct.pack(">QQQQII", 0, 0, 0, 0, 4, 104)
    + bytes(8)
    + b"/etc/passwd"
).ljust(512, b"\0")


def test_snapshots_of_an_attached_volume_show_the_moment_of_each(site, volume, guest):
    made = site.three_snapshots(volume)
    assert checks.wrong(guest, volume.path, made) == []
    assert guest.files() == [volume.path.name, *(f"{volume.path.name}.{id_}" for id_ in made)]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["oldest", "middle", "active"])
def test_a_snapshot_is_deleted_under_a_guest_that_writes(site, volume, guest, place):
    made = site.three_snapshots(volume)
    site.delete(made.pop(place))
    guest.wait_writes()
    assert checks.wrong(guest, volume.path, made) == []
    assert len(guest.files()) == 3


@pytest.mark.parametrize("order", [(0, 0, 0), (2, 1, 0), (1, 1, 0)], ids=str)
def test_all_snapshots_are_deleted_one_after_the_other(site, volume, guest, order):
    made = site.three_snapshots(volume)
    for place in order:
        site.delete(made.pop(place))
        guest.wait_writes(10)
        assert checks.wrong(guest, volume.path, made) == []
    assert len(guest.files()) == 1
    again = site.snapshot(volume)
    guest.wait_writes(10)
    assert checks.wrong(guest, volume.path, [again]) == []


def test_after_the_guest_is_gone_the_rest_is_deleted_without_nova(site, volume, guest):
    made = site.three_snapshots(volume)
    site.delete(made.pop(1))
    site.detach(volume)
    asked = len(site.nova.requests)
    while made:
        site.delete(made.pop(0))
        active = volume.path.with_name(checks.info_of(volume.path).get("active", volume.path.name))
        kind = site.image_format if "." not in active.name else "qcow2"
        assert images.differences(guest.writer.picture, active, kind) == []
    assert len(site.nova.requests) == asked
    site.delete_volume(volume)
    assert list(volume.path.parent.glob(f"{volume.path.name}*")) == []


def test_nova_is_asked_once_for_each_and_sees_the_end_of_each_create(site, volume, guest):
    made = site.three_snapshots(volume)
    for snapshot_id in made:
        site.delete(snapshot_id)
    requests = [request for request in site.nova.requests if request.volume_id == volume.id]
    kinds = [(request.kind, request.snapshot_id) for request in requests]
    assert kinds == [("create", id_) for id_ in made] + [("delete", id_) for id_ in made]
    answers = [call.answer for call in site.nova.callbacks if call.snapshot_id in made]
    assert answers == [202] * 6
    poll(lambda: not any(map(site.nova.still_polls, made)), "the end of Nova's questions")


def test_a_guest_that_makes_its_disk_look_like_an_image_gets_nothing_of_the_host(raw_site):
    site = raw_site
    volume = site.create_volume()
    guest = site.attach(volume)
    guest.writer.write(0, HOSTILE)
    first = site.snapshot(volume)
    second = site.snapshot(volume)
    site.delete(first)
    assert checks.wrong(guest, volume.path, [second]) == []
    site.detach(volume)
    site.delete(second)
    assert images.differences(guest.writer.picture, volume.path, "raw") == []
    assert volume.path.read_bytes()[: len(HOSTILE)] == HOSTILE
