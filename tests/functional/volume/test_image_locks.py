# SPDX-License-Identifier: Apache-2.0
"""Who holds an image, as qemu's own locks tell: raw and qcow2, held by a guest or only read."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from manila_lite.volume.qcow2 import image_locks
from manila_lite.volume.qcow2.image_locks import Holder
from tests.functional.volume.chain_site import Site

READY = 30.0


@contextlib.contextmanager
def held(path: str, image_format: str, *, read_only: bool = False) -> Iterator[None]:
    """Have a qemu-storage-daemon open an image, as a guest does."""
    if shutil.which("qemu-storage-daemon") is None:
        pytest.skip("qemu-storage-daemon (Debian: qemu-system-common) is not installed")
    node = {
        "driver": image_format,
        "node-name": "disk",
        "read-only": read_only,
        "file": {"driver": "file", "filename": path},
    }
    command = ["qemu-storage-daemon", "--blockdev", json.dumps(node)]
    command += ["--export", "vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path=s"]
    command[-1] += "" if read_only else ",writable=on"
    command += ["--chardev", "stdio,id=qmp", "--monitor", "chardev=qmp"]
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=directory
        )
        try:
            # It greets when everything is open.
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], READY)
            assert ready
            assert b"QMP" in process.stdout.readline()
            yield
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def image(site: Site) -> tuple[str, str]:
    """(path, format) of a base image."""
    name = site.volume.name
    return site.path(name), site.format_of(name)


def test_an_image_that_a_guest_has_is_held_by_a_writer(image):
    path, image_format = image
    assert image_locks.holder(path) is Holder.NOBODY
    with held(path, image_format):
        assert image_locks.holder(path) is Holder.WRITER
    assert image_locks.holder(path) is Holder.NOBODY


def test_an_image_that_is_only_read_has_no_writer(image):
    path, image_format = image
    with held(path, image_format, read_only=True):
        assert image_locks.holder(path) is Holder.READER


@pytest.mark.parametrize("read_only", [False, True], ids=["writer", "reader"])
def test_an_image_that_somebody_has_cannot_be_taken(image, read_only):
    path, image_format = image
    with (
        held(path, image_format, read_only=read_only),
        pytest.raises(image_locks.ImageInUse),
        image_locks.exclusive(path),
    ):
        pass


def test_asking_takes_no_lock(image):
    path, image_format = image
    image_locks.holder(path)
    with held(path, image_format):
        assert image_locks.holder(path) is image_locks.holder(path) is Holder.WRITER


def test_a_file_that_may_not_be_read_is_unknown(image, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    assert image_locks.holder(image[0]) is Holder.UNKNOWN
    with image_locks.exclusive(image[0]) as locked:
        assert not locked


def test_a_detached_volume_that_a_guest_has_after_all_is_left_alone(site):
    """An overlay would take the guest's disk from under it; a merge would mix two states."""
    snapshot = site.take()
    before = site.files()
    with held(site.path(site.active()), "qcow2"):
        for change in (site.take, lambda: site.driver.delete_snapshot(snapshot)):
            with pytest.raises(image_locks.ImageInUse, match="a guest writes to"):
                change()
    assert site.files() == before
    site.delete(snapshot)
    assert site.files() == {"", ".info"}
