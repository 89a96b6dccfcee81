# SPDX-License-Identifier: Apache-2.0
"""Images made by the real qemu-img, in a directory service of their own."""

import os
import shutil
import subprocess

import pytest

from manila_lite.clock import SystemClock
from manila_lite.image import settings
from manila_lite.image.directory import DirectoryImageService

MIB = 1024 * 1024


def qemu_img(*arguments):
    """Run qemu-img for a test's own purposes; return what it says."""
    if shutil.which("qemu-img") is None:
        pytest.skip("this machine has no qemu-img")
    done = subprocess.run(
        ["qemu-img", *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return done.stdout


def contents(size=3 * MIB):
    """Bytes of which some are zeros, as on a disk."""
    return os.urandom(size // 4) + bytes(size // 2) + os.urandom(size - size // 4 - size // 2)


@pytest.fixture(autouse=True)
def conversion_dir(tmp_path):
    """Where files are converted; at the end of each test nothing is left of them."""
    directory = tmp_path / "conversion"
    settings.use(settings.Settings(str(directory), timeout=60.0))
    yield directory
    settings.use(None)
    assert [path for path in directory.rglob("*") if path.is_file() and path.name != ".lock"] == []


@pytest.fixture
def service(tmp_path):
    return DirectoryImageService(str(tmp_path / "images"), SystemClock())


@pytest.fixture
def image(service):
    """A function that puts a file into the image service and returns the image's id."""

    def add(path, disk_format, **meta):
        with open(path, "rb") as file:
            return service.create(None, {"disk_format": disk_format, **meta}, file)["id"]

    return add


@pytest.fixture
def made(tmp_path):
    """A function that writes bytes as an image of some format, by qemu-img's name."""

    def make(data, image_format, *options):
        raw = tmp_path / "made.raw"
        raw.write_bytes(data)
        path = tmp_path / f"made.{image_format}"
        if image_format != "raw":
            qemu_img("convert", "-f", "raw", "-O", image_format, *options, raw, path)
        return path

    return make
