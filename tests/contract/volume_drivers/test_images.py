# SPDX-License-Identifier: Apache-2.0
"""Images to volumes and volumes to images, with images in a directory."""

import subprocess

import pytest

from manila_lite import exception
from manila_lite.image import settings
from manila_lite.image.directory import DirectoryImageService
from manila_lite.testing import volume_models
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.volume_models import placed
from tests.support import volume_data as data

GIB = 1 << 30


@pytest.fixture
def driver(subject):
    return subject.start()


@pytest.fixture
def images(tmp_path):
    workspace = tmp_path / "conversion"
    workspace.mkdir()
    settings.use(settings.Settings(conversion_dir=str(workspace)))
    yield DirectoryImageService(str(tmp_path / "images"), ManualClock())
    assert list(workspace.rglob("*.img")) == []
    settings.use(None)


@pytest.fixture
def make(driver):
    def build(byte=None, size=1):
        model = volume_models.volume(size)
        placed(model, driver.create_volume(model))
        if byte is not None:
            data.write(driver, model, byte)
        return model

    return build


def image_of(images, tmp_path, byte, disk_format="raw", size="16M", *options):
    path = tmp_path / f"source.{disk_format}"
    command = ["qemu-img", "create", "-q", "-f", disk_format, *options, path, size]
    subprocess.run(command, check=True)
    subprocess.run(
        ["qemu-io", "-f", disk_format, "-c", f"write -P {byte} 0 64k", path],
        check=True,
        capture_output=True,
    )
    meta = {"name": "source", "disk_format": disk_format, "container_format": "bare"}
    with path.open("rb") as file:
        return images.create(None, meta, file)["id"]


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_a_volume_is_filled_with_an_image_and_keeps_its_size_and_format(
    subject, driver, make, images, tmp_path, disk_format
):
    model = make()
    driver.copy_image_to_volume(None, model, images, image_of(images, tmp_path, 0x11, disk_format))
    assert data.holds(driver, model, 0x11)
    assert data.size_of(driver, model) == GIB
    assert data.connected(driver, model)[1] == subject.image_format
    assert subject.files() == {model.name}


def test_filling_a_volume_may_be_repeated(driver, make, images, tmp_path):
    model, image_id = make(0x77), image_of(images, tmp_path, 0x11)
    driver.copy_image_to_volume(None, model, images, image_id)
    driver.copy_image_to_volume(None, model, images, image_id)
    assert data.holds(driver, model, 0x11)
    assert data.holds(driver, model, 0, block=1)


def test_an_image_that_is_too_large_is_refused_before_the_volume_is_touched(
    driver, make, images, tmp_path
):
    model = make(0x11)
    image_id = image_of(images, tmp_path, 0x22, "qcow2", "2G")
    with pytest.raises(exception.ImageUnacceptable):
        driver.copy_image_to_volume(None, model, images, image_id)
    assert data.holds(driver, model, 0x11)


def test_an_image_that_points_to_another_file_is_refused(driver, make, images, tmp_path):
    model = make(0x11)
    options = ("-u", "-F", "raw", "-b", "/etc/passwd")
    path = tmp_path / "hostile.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, path, "16M"], check=True)
    meta = {"name": "x", "disk_format": "qcow2", "container_format": "bare"}
    with path.open("rb") as file:
        image_id = images.create(None, meta, file)["id"]
    with pytest.raises(exception.ImageUnacceptable):
        driver.copy_image_to_volume(None, model, images, image_id)
    assert data.holds(driver, model, 0x11)


@pytest.mark.parametrize("snapshots", [0, 2])
def test_an_image_of_a_volume_has_its_present_data(driver, make, images, tmp_path, snapshots):
    model = make(0x11)
    for byte in (0x22, 0x33)[:snapshots]:
        driver.create_snapshot(volume_models.snapshot(model))
        data.write(driver, model, byte)
    meta = images.create(None, {"name": "copy", "disk_format": "qcow2", "container_format": "bare"})
    driver.copy_volume_to_image(None, model, images, meta)
    back = make()
    driver.copy_image_to_volume(None, back, images, meta["id"])
    assert data.holds(driver, back, {0: 0x11, 2: 0x33}[snapshots])
    assert images.show(None, meta["id"])["status"] == "active"
