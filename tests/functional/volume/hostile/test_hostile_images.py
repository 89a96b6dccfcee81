# SPDX-License-Identifier: Apache-2.0
"""Images that point where they must not: refused with a reason, and nothing is opened.

qemu-img never sees any of them, and the files that they point to are watched.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from manila_lite import exception, process
from manila_lite.volume.qcow2 import chain, image_locks, qemu_img
from tests.functional.volume.chain_site import Site
from tests.functional.volume.hostile.crafted import qcow2, watched

SNAPSHOT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


class Recording:
    """Runs commands and remembers them."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []

    def __call__(self, *command, **kwargs):
        self.commands.append(tuple(str(part) for part in command))
        return process.execute(*command, **kwargs)

    def saw(self, path: str) -> bool:
        return any(path in command for command in self.commands)


@pytest.fixture
def victim(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of the host that no volume has to do with."""
    path = tmp_path_factory.mktemp("host") / "secret"
    path.write_bytes(b"secret" * 1000)
    return str(path)


def record(site: Site, active: str) -> None:
    """As if the image had been the active one for long."""
    values = {"active": active, SNAPSHOT: active}
    Path(site.path(f"{site.volume.name}.info")).write_text(json.dumps(values))


def hostile(site: Site, data: bytes) -> str:
    """Make the active image of the volume one with these bytes; return its path."""
    name = f"{site.volume.name}.{SNAPSHOT}"
    path = site.path(name)
    Path(path).write_bytes(data)
    record(site, name)
    return path


def every_way_in(site: Site) -> list:
    """What is asked about a volume that would make somebody open its images."""
    driver, snapshot = site.driver, site.snapshot(SNAPSHOT)
    clone = type(site.volume)(site.volume, id="c" * 8, name="volume-clone", status="creating")
    active = site.path(f"{site.volume.name}.{SNAPSHOT}")
    return [
        lambda: driver.get_active_image_from_info(site.volume),
        lambda: driver.create_snapshot(site.snapshot(OTHER)),
        lambda: driver.delete_snapshot(snapshot),
        lambda: driver.create_cloned_volume(clone, site.volume),
        lambda: driver.create_volume_from_snapshot(clone, snapshot),
        lambda: driver.copy_volume_to_image(None, site.volume, None, {"id": "i"}),
        lambda: driver.plan_online_deletion(snapshot),
        lambda: driver.prepare_online_snapshot(site.snapshot(OTHER)),
        lambda: driver._get_backing_chain_for_path(site.volume, active),
        lambda: driver._qemu_img_info(active, site.volume.name),
    ]


CRAFTED = {
    "an absolute path": (lambda s, v: qcow2(v), "outside of its directory"),
    "a path with dots": (lambda s, v: qcow2(f"../x/{s.volume.name}"), "outside of its directory"),
    "a directory under it": (
        lambda s, v: qcow2(f"{s.volume.name}/abc"),
        "outside of its directory",
    ),
    "another volume": (lambda s, v: qcow2("volume-other"), "no image of this volume"),
    "a longer name": (lambda s, v: qcow2(f"{s.volume.name}-1"), "no image of this volume"),
    "any character for a dot": (
        lambda s, v: qcow2(f"{s.volume.name}x{SNAPSHOT}"),
        "no image of this volume",
    ),
    "a line feed at the end": (lambda s, v: qcow2(f"{s.volume.name}\n"), "unprintable"),
    "no text": (lambda s, v: qcow2(b"\xff\xfe/" + v.encode()), "unprintable"),
    "json": (
        lambda s, v: qcow2(f"json:{json.dumps({'driver': 'file', 'filename': v})}"),
        "describes its backing file by json",
    ),
    "nbd over a socket": (lambda s, v: qcow2(f"nbd:unix:{v}"), "protocol nbd"),
    "an nbd URL": (lambda s, v: qcow2("nbd://192.0.2.1/x"), "protocol nbd"),
    "ssh": (lambda s, v: qcow2("ssh://root@192.0.2.1/x"), "protocol ssh"),
    "http": (lambda s, v: qcow2("http://192.0.2.1/x"), "protocol http"),
    "the file protocol": (lambda s, v: qcow2(f"file:{s.volume.name}"), "protocol file"),
    "a data file": (lambda s, v: qcow2(data_file=v, features=4), "lie in another file"),
    "a data file without its flag": (lambda s, v: qcow2(data_file=v), "lie in another file"),
    "json as a data file": (
        lambda s, v: qcow2(data_file='json:{"driver":"nbd"}', features=4),
        "lie in another file",
    ),
    "a feature of the future": (lambda s, v: qcow2(features=1 << 20), "features that nobody knows"),
    "encryption": (lambda s, v: qcow2(s.volume.name, encryption=1), "encrypted"),
    "a version of the future": (lambda s, v: qcow2(version=4), "version 4"),
    "a backing format of its own": (
        lambda s, v: qcow2(s.volume.name, backing_format="vmdk"),
        "the format 'vmdk'",
    ),
    "a name outside of the header": (
        lambda s, v: qcow2(s.volume.name, name_offset=1 << 40),
        "outside of its header",
    ),
    "half a header": (lambda s, v: qcow2(s.volume.name)[:40], "cut short"),
    "a VMDK descriptor": (
        lambda s, v: f'# Disk DescriptorFile\nversion=1\nRW 8 FLAT "{v}" 0\n'.encode(),
        "no qcow2 image",
    ),
    "a raw disk": (lambda s, v: bytes(1 << 16), "no qcow2 image"),
    "itself": (lambda s, v: qcow2(f"{s.volume.name}.{SNAPSHOT}"), "loop"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_crafted_image_is_refused_with_a_reason_and_opens_nothing(raw_site, victim, name):
    build, reason = CRAFTED[name]
    path = hostile(raw_site, build(raw_site, victim))
    execute = Recording()
    raw_site.driver.set_execute(execute)
    refused = 0
    with watched(victim) as opened:
        for ask in every_way_in(raw_site):
            try:
                ask()
            except exception.BackingFileRefused as error:
                refused += 1
                assert reason in str(error)
                assert path in str(error)
    # Looking at one image alone finds no loop, and nothing amiss with what it says of another.
    alone = name in ("itself", "a backing format of its own")
    assert refused == len(every_way_in(raw_site)) - alone
    assert opened == []
    assert alone or not execute.saw(path)


def test_the_report_of_a_hostile_image_tells_the_reason(raw_site, victim):
    path = hostile(raw_site, qcow2(victim))
    report = raw_site.driver.repair_volume(raw_site.volume, [SNAPSHOT], dry_run=False)
    assert [(f["kind"], f["path"], f["repair"]) for f in report["findings"]] == [
        ("refused_image", path, None)
    ]
    assert "outside of its directory" in report["findings"][0]["text"]
    assert os.path.exists(path)


def test_the_watch_sees_what_is_opened(victim):
    """Else the tests here would prove nothing."""
    with watched(victim) as opened, open(victim, "rb"):
        pass
    assert opened


@pytest.mark.parametrize("kind", ["fifo", "link", "directory", "socket"])
def test_a_base_that_is_no_file_is_not_opened(raw_site, victim, kind):
    """Opening a FIFO for reading would never end: that it ends is the proof."""
    base = Path(raw_site.path(raw_site.volume.name))
    hostile(raw_site, qcow2(raw_site.volume.name))
    base.unlink()
    if kind == "fifo":
        os.mkfifo(base)
    elif kind == "link":
        base.symlink_to(victim)
    elif kind == "directory":
        base.mkdir()
    else:
        os.mknod(base, 0o140600)
    with watched(victim) as opened:
        for ask in every_way_in(raw_site)[:8]:
            with pytest.raises(exception.BackingFileRefused, match="no ordinary file"):
                ask()
    assert opened == []


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_record_that_is_no_file_is_not_opened(raw_site, victim, kind):
    info = Path(raw_site.path(f"{raw_site.volume.name}.info"))
    if kind == "fifo":
        os.mkfifo(info)
    else:
        info.symlink_to(victim)
    with watched(victim) as opened:
        assert raw_site.driver.get_active_image_from_info(raw_site.volume) == raw_site.volume.name
    assert opened == []


def test_a_loop_of_two_images_is_refused(raw_site):
    first, second = f"{raw_site.volume.name}.{SNAPSHOT}", f"{raw_site.volume.name}.{OTHER}"
    Path(raw_site.path(second)).write_bytes(qcow2(first, backing_format="qcow2"))
    hostile(raw_site, qcow2(second, backing_format="qcow2"))
    with pytest.raises(exception.BackingFileRefused, match="loop"):
        raw_site.driver.delete_snapshot(raw_site.snapshot(SNAPSHOT))


def test_a_chain_without_end_is_refused(raw_site):
    previous = raw_site.volume.name
    for number in range(chain.MOST_IMAGES + 1):
        name = f"{raw_site.volume.name}.{number:08x}"
        form = "raw" if number == 0 else "qcow2"
        Path(raw_site.path(name)).write_bytes(qcow2(previous, backing_format=form))
        previous = name
    directory = raw_site.driver._image_directory(raw_site.volume)
    looked = lambda path: qemu_img.ImageInfo(path, "qcow2", 1 << 30, backing_file=_below(path))  # noqa: E731
    directory._look = looked
    with pytest.raises(exception.BackingFileRefused, match="more than 256 images"):
        list(chain.walk(directory, previous))


def _below(path: str) -> str:
    stem, number = path.rsplit(".", 1)
    below = int(number, 16) - 1
    return os.path.basename(stem) if below < 0 else f"{os.path.basename(stem)}.{below:08x}"


def test_a_guest_cannot_make_its_raw_disk_a_qcow2_image(raw_site, victim):
    """Not even where no overlay and no row records what the image is."""
    with open(raw_site.path(raw_site.volume.name), "r+b") as file:
        file.write(qcow2(victim))
    execute = Recording()
    raw_site.driver.set_execute(execute)
    with watched(victim) as opened:
        info = raw_site.driver._qemu_img_info(
            raw_site.path(raw_site.volume.name), raw_site.volume.name
        )
        raw_site.take()
        raw_site.delete(raw_site.snapshots[0])
    assert info.file_format == "raw"
    assert opened == []
    looks = [c for c in execute.commands if c[:2] == ("qemu-img", "info")]
    assert all("-f" in command for command in looks)


def test_every_command_names_the_format_of_what_it_opens(site):
    execute = Recording()
    site.driver.set_execute(execute)
    for _ in range(3):
        site.take()
    site.delete(site.snapshots[1])
    site.delete(site.snapshots[-1])
    commands = [c for c in execute.commands if c[0] == "qemu-img"]
    assert {c[1] for c in commands} >= {"info", "create", "commit", "rebase"}
    assert all("-f" in command for command in commands)
    assert all("-F" in command for command in commands if command[1] in ("create", "rebase"))


def test_an_image_that_is_held_cannot_be_locked(raw_site):
    """What keeps a guest from an overlay that is being removed keeps us from one it has."""
    path = raw_site.path(raw_site.volume.name)
    with image_locks.exclusive(path) as locked:
        assert locked
        with pytest.raises(image_locks.ImageInUse), image_locks.exclusive(path):
            pass
        with pytest.raises(exception.ProcessExecutionError, match="lock"):
            process.execute("qemu-io", "-f", "raw", "-c", "write 0 512", path)
    process.execute("qemu-io", "-f", "raw", "-c", "write 0 512", path)
