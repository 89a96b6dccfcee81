# SPDX-License-Identifier: Apache-2.0
"""Files that become volumes, and volumes that become files again."""

import os
import subprocess

import pytest

from manila_lite import exception
from manila_lite.testing import volume_models
from manila_lite.testing.volume_models import placed
from tests.support import volume_data as data

GIB = 1 << 30


@pytest.fixture
def driver(subject):
    return subject.start()


@pytest.fixture
def directory(subject):
    return subject.directories[0]


def image(path, image_format="raw", size="1G", *options):
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", image_format, *options, path, size], check=True
    )
    return path.name


def on_first(driver, **values):
    share = driver._mounted_shares[0]
    return volume_models.volume(host=f"{volume_models.HOST}#{share}", **values)


@pytest.mark.parametrize("image_format", ["raw", "qcow2"])
def test_a_file_becomes_a_volume_with_its_data(subject, driver, directory, image_format):
    name = image(directory / "disk.img", image_format)
    subprocess.run(
        ["qemu-io", "-f", image_format, "-c", "write -P 17 0 64k", directory / name],
        check=True,
        capture_output=True,
    )
    model, reference = on_first(driver), {"source-name": name}
    assert driver.manage_existing_get_size(model, reference) == 1
    update = driver.manage_existing(model, reference)
    assert update == {
        "provider_location": driver._mounted_shares[0],
        "admin_metadata": {"format": image_format},
    }
    placed(model, update)
    assert subject.files() == {model.name}
    assert data.connected(driver, model)[1] == image_format
    assert data.holds(driver, model, 17)


def test_a_reference_may_name_the_share(subject, driver):
    image(subject.directories[1] / "disk.img")
    share = driver._mounted_shares[1]
    model = on_first(driver)
    update = driver.manage_existing(model, {"source-name": f"{share}/disk.img"})
    assert update["provider_location"] == share


def test_managing_may_be_repeated(driver, directory):
    reference = {"source-name": image(directory / "disk.img")}
    model = on_first(driver)
    assert driver.manage_existing(model, reference) == driver.manage_existing(model, reference)


def test_a_file_with_a_part_of_a_gib_is_rounded_up(driver, directory):
    name = image(directory / "disk.img", size="1500M")
    model = on_first(driver)
    assert driver.manage_existing_get_size(model, {"source-name": name}) == 2
    model.size = 2
    placed(model, driver.manage_existing(model, {"source-name": name}))
    assert data.size_of(driver, model) == 2 * GIB


@pytest.mark.parametrize(
    "reference",
    [
        {},
        None,
        {"source-id": "x"},
        {"source-name": ""},
        {"source-name": 7},
        {"source-name": "missing.img"},
        {"source-name": "../disk.img"},
        {"source-name": "sub/disk.img"},
        {"source-name": "/etc/passwd"},
        {"source-name": ".hidden"},
        {"source-name": "sub"},
        {"source-name": "link.img"},
        {"source-name": "a\nb"},
    ],
)
def test_a_reference_that_means_no_file_of_a_share_is_refused(driver, directory, reference):
    (directory / "sub").mkdir()
    (directory / "link.img").symlink_to("/etc/passwd")
    for method in (driver.manage_existing_get_size, driver.manage_existing):
        with pytest.raises(exception.ManageExistingInvalidReference):
            method(on_first(driver), reference)


def test_the_file_of_another_volume_is_refused(driver):
    other = on_first(driver)
    placed(other, driver.create_volume(other))
    for method in (driver.manage_existing_get_size, driver.manage_existing):
        with pytest.raises(exception.ManageExistingAlreadyManaged):
            method(on_first(driver), {"source-name": other.name})
    assert data.holds(driver, other, 0)


def test_an_image_that_refers_to_another_file_is_refused_and_left_alone(driver, directory):
    image(directory / "base.img")
    options = ("-F", "raw", "-b", str(directory / "base.img"))
    name = image(directory / "disk.img", "qcow2", "1G", *options)
    with pytest.raises(exception.ImageUnacceptable):
        driver.manage_existing(on_first(driver), {"source-name": name})
    assert sorted(path.name for path in directory.iterdir() if path.name[0] != ".") == [
        "base.img",
        "disk.img",
    ]


def test_a_file_that_a_guest_has_open_is_refused(driver, directory):
    name = image(directory / "disk.img")
    # Where the driver sees it: locks may be of one mount.
    mount_point = driver._get_mount_point_for_share(driver._mounted_shares[0])
    guest = data.guest(os.path.join(mount_point, name), "raw")
    try:
        with pytest.raises(exception.VolumeIsBusy):
            driver.manage_existing(on_first(driver), {"source-name": name})
    finally:
        guest.communicate("quit\n", timeout=30)


def test_an_unmanaged_volume_keeps_its_data_and_can_be_managed_again(subject, driver, directory):
    model = on_first(driver)
    placed(model, driver.create_volume(model))
    data.write(driver, model, 0x11)
    driver.unmanage(model)
    driver.unmanage(model)
    name = f"unmanaged-{model.name}"
    assert subject.files() == {name}
    again = on_first(driver)
    placed(again, driver.manage_existing(again, {"source-name": name}))
    assert data.holds(driver, again, 0x11)


def test_a_volume_with_snapshots_is_not_unmanaged(driver):
    model = on_first(driver)
    placed(model, driver.create_volume(model))
    driver.create_snapshot(volume_models.snapshot(model))
    with pytest.raises(exception.InvalidVolume, match="snapshots"):
        driver.unmanage(model)
    assert os.path.exists(os.path.join(driver._local_volume_dir(model), model.name))
