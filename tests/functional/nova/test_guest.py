# SPDX-License-Identifier: Apache-2.0
"""The guest of these tests does with real images what its picture says."""

import threading

import pytest

from tests.fixtures.daemon import poll
from tests.functional.nova import images, pictures
from tests.functional.nova.guest import Guest
from tests.functional.nova.images import qemu_img
from tests.functional.nova.qmp import JobFailed

SIZE = "16M"


@pytest.fixture(params=["raw", "qcow2"])
def image_format(request):
    return request.param


@pytest.fixture
def volume(tmp_path, image_format):
    path = tmp_path / "volume"
    qemu_img("create", "-q", "-f", image_format, path, SIZE)
    return path


@pytest.fixture
def guest(volume, image_format):
    with Guest(volume, image_format, seed=1) as started:
        yield started


@pytest.fixture
def take(guest, volume):
    """A function that takes a snapshot, as its two sides do: the overlay first."""

    def snapshot(name):
        lower = guest.chain[-1]
        overlay = volume.with_name(f"volume.{name}")
        qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", lower.path.name, "-F", lower.format,
                 overlay, SIZE)  # fmt: skip
        guest.snapshot(overlay.name, name)

    return snapshot


def names(guest):
    """File names of the chain, the base first, as it is on the disk."""
    active = guest.chain[-1]
    return [image.path.name for image in reversed(images.chain(active.path, active.format))]


def shown(guest, name):
    """What differs between a snapshot as its picture has it, and its image."""
    overlay = guest.files().index(f"volume.{name}")
    image = guest.chain[overlay - 1]
    return images.differences(guest.snapshots[name], image.path, image.format)


def test_what_the_guest_wrote_is_in_the_image(guest, volume, image_format):
    guest.writer.some(200)
    assert guest.differences() == []
    guest.stop()
    assert len(guest.writer.picture) > 20
    assert images.differences(guest.writer.picture, volume, image_format) == []


def test_a_byte_that_the_guest_did_not_write_is_found(guest, volume, image_format):
    guest.writer.some(20)
    guest.stop()
    number = max(guest.writer.picture)
    other = pictures.changed(guest.writer.picture, number * pictures.BLOCK, b"other")
    assert images.differences(other, volume, image_format) == [number]
    untouched = next(n for n in range(256) if n not in guest.writer.picture)
    more = pictures.changed(guest.writer.picture, untouched * pictures.BLOCK, b"more")
    assert images.differences(more, volume, image_format) == [untouched]


def test_a_snapshot_shows_the_moment_at_which_it_was_taken(guest, take):
    def writes():
        before = guest.writer.written
        poll(lambda: guest.writer.written > before + 20, "writes of the guest")

    guest.writer.run()
    for name in ("a", "b"):
        writes()
        take(name)
    writes()
    guest.writer.stop()
    assert names(guest) == guest.files() == ["volume", "volume.a", "volume.b"]
    assert [shown(guest, name) for name in ("a", "b")] == [[], []]
    assert guest.snapshots["a"] != guest.snapshots["b"] != guest.writer.picture


@pytest.mark.parametrize("base", [None, "volume", "volume.a"])
def test_pulling_leaves_what_the_disk_and_the_lower_snapshots_show(guest, take, base):
    for name in ("a", "b", "c"):
        guest.writer.some(30)
        take(name)
    guest.writer.run()
    guest.pull(base)
    guest.writer.stop()
    kept = {None: [], "volume": ["volume"], "volume.a": ["volume", "volume.a"]}[base]
    assert names(guest) == guest.files() == [*kept, "volume.c"]
    assert guest.differences() == []
    if base == "volume.a":
        assert shown(guest, "a") == []


@pytest.mark.parametrize(("top", "base"), [("volume.a", "volume"), ("volume.b", "volume.a")])
def test_committing_leaves_what_the_disk_and_the_other_snapshots_show(guest, take, top, base):
    for name in ("a", "b", "c"):
        guest.writer.some(30)
        take(name)
    guest.writer.run()
    guest.commit(top, base)
    guest.writer.stop()
    assert names(guest) == guest.files()
    assert top not in guest.files()
    assert guest.differences() == []
    remaining = {"a", "b", "c"} - {top[-1]}
    assert {name: shown(guest, name) for name in remaining} == dict.fromkeys(remaining, [])


def test_a_guest_that_is_killed_while_it_commits_shows_what_was_acknowledged(volume, image_format):
    guest = Guest(volume, image_format, seed=2, durable=True)
    guest.start()
    for name in ("a", "b"):
        guest.writer.some(40)
        lower = guest.chain[-1]
        qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", lower.path.name, "-F", lower.format,
                 volume.with_name(f"volume.{name}"), SIZE)  # fmt: skip
        guest.snapshot(f"volume.{name}", name)
    guest.writer.run()
    guest.monitor.execute(
        "block-commit", job_id="commit", device=guest.chain[-1].node, speed=pictures.BLOCK * 4,
        top_node=guest.chain[1].node, base_node=guest.chain[0].node, backing_file="volume",
    )  # fmt: skip
    poll(lambda: guest.monitor.job("commit")["current-progress"] > 0, "some progress")
    guest.kill()
    guest.restart(volume.with_name("volume.b"))
    assert guest.differences() == []
    assert guest.files() == ["volume", "volume.a", "volume.b"]
    assert shown(guest, "b") == []
    guest.commit("volume.a", "volume")
    assert guest.differences() == []
    guest.stop()


def test_a_job_that_is_cancelled_is_no_success(guest, take):
    guest.writer.some(40)
    take("a")
    guest.job_speed = pictures.BLOCK
    guest.writer.run()

    failed = []

    def pull():
        try:
            guest.pull(None)
        except JobFailed as error:
            failed.append(error)

    thread = threading.Thread(target=pull)
    thread.start()
    poll(lambda: guest.monitor.job("pull"), "the job")
    guest.monitor.execute("job-cancel", id="pull")
    thread.join(30)
    guest.writer.stop()
    assert len(failed) == 1
    assert names(guest) == guest.files() == ["volume", "volume.a"]
    assert guest.differences() == []
