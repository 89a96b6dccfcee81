# SPDX-License-Identifier: Apache-2.0
"""Thick volumes have their room from the first moment on, however they came about."""

import os

import pytest

from manila_lite.testing import volume_models
from manila_lite.testing.volume_models import placed
from tests.contract.volume_drivers.subjects import localfs
from tests.support import volume_data as data

GIB = 1 << 30


@pytest.fixture
def driver(tmp_path):
    return localfs(tmp_path, nas_volume_prov_type="thick").start()


def room_of(driver, volume):
    return os.stat(os.path.join(driver._local_volume_dir(volume), volume.name)).st_blocks * 512


def test_a_thick_volume_has_its_room_when_it_is_made_grows_and_is_cloned(driver):
    model, clone = volume_models.volume(), volume_models.volume()
    placed(model, driver.create_volume(model))
    data.write(driver, model, 0x11)
    assert room_of(driver, model) >= GIB
    placed(clone, driver.create_cloned_volume(clone, model))
    assert room_of(driver, clone) >= GIB
    assert data.holds(driver, clone, 0x11)
    driver.extend_volume(model, 2)
    assert room_of(driver, model) >= 2 * GIB
    assert data.holds(driver, model, 0x11)


def test_the_report_says_that_volumes_are_thick(driver):
    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    assert pool["thick_provisioning_support"] and not pool["thin_provisioning_support"]
