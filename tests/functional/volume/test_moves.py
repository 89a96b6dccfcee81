# SPDX-License-Identifier: Apache-2.0
"""A move that is half finished can only be finished where it went."""

import pytest

from manila_lite import exception
from manila_lite.conf.localfs import localfs_opts
from manila_lite.testing import kills, volume_models
from manila_lite.testing.volume_models import placed
from manila_lite.volume.drivers.localfs import LocalFsDriver
from tests.support import volume_data as data


@pytest.fixture
def start(tmp_path):
    def build():
        driver = volume_models.driver(
            LocalFsDriver,
            localfs_opts,
            state_path=str(tmp_path / "state"),
            localfs_volume_dir=[str(tmp_path / name) for name in "abc"],
        )
        driver.do_setup(None)
        return driver

    return build


def on(driver, index):
    return {"host": f"{volume_models.HOST}#{driver._mounted_shares[index]}"}


def half_moved(start, driver, tmp_path):
    """A volume with a snapshot, of which one file is gone from where it was."""
    model = volume_models.volume(host=on(driver, 0)["host"])
    placed(model, driver.create_volume(model))
    data.write(driver, model, 0x11)
    driver.create_snapshot(volume_models.snapshot(model))
    data.write(driver, model, 0x22)
    here = tmp_path / "a"

    def move():
        start().migrate_volume(None, model, on(driver, 1))

    for point in range(1, 60):
        assert kills.killed_before(point, move, kills.COMMANDS)
        if (here / f"{model.name}.new").exists():
            break
    before = len(list(here.glob("volume*")))
    assert kills.killed_before(2, move, kills.COMMANDS)
    assert len(list(here.glob("volume*"))) == before - 1
    return model


def test_a_half_finished_move_is_finished_where_it_went_and_nowhere_else(start, tmp_path):
    driver = start()
    model = half_moved(start, driver, tmp_path)
    with pytest.raises(exception.VolumeMigrationFailed, match="finished first"):
        driver.migrate_volume(None, model, on(driver, 2))
    moved, update = driver.migrate_volume(None, model, on(driver, 1))
    assert moved
    placed(model, update)
    assert data.holds(driver, model, 0x22)
