# SPDX-License-Identifier: Apache-2.0
"""A call that was killed before any of its commands may be repeated, and ends as if it ran once.

The service repeats what makes a volume only after discard_unfinished_volume, and the rest as it
is. Deletions of snapshots have tests of their own (tests/functional/volume).
"""

import functools
import itertools
import subprocess

import pytest

from manila_lite.testing import kills, volume_models
from manila_lite.testing.volume_models import placed
from tests.contract.volume_drivers.subjects import localfs, nfs_on_directories
from tests.support import volume_data as data

GIB = 1 << 30
SUBJECTS = {
    "localfs": localfs,
    "nfs on directories, qcow2": functools.partial(nfs_on_directories, nfs_qcow2_volumes=True),
}


@pytest.fixture(params=SUBJECTS)
def subject(request, tmp_path):
    return SUBJECTS[request.param](tmp_path)


@pytest.fixture
def driver(subject):
    return subject.start()


@pytest.fixture
def make_source(driver):
    """Make a volume with a snapshot; the volume begins with 0x22, the snapshot with 0x11."""

    def make():
        model = volume_models.volume(host=on(driver, 0))
        placed(model, driver.create_volume(model))
        data.write(driver, model, 0x11)
        model.snapshot = volume_models.snapshot(model)
        driver.create_snapshot(model.snapshot)
        data.write(driver, model, 0x22)
        return model

    return make


@pytest.fixture
def source(make_source):
    return make_source()


def on(driver, index):
    """A host whose pool is one of the shares."""
    return f"{volume_models.HOST}#{driver._mounted_shares[index]}"


def every_kill(subject, call):
    """Kill call(driver) before each of its commands, with a new driver each time."""
    points = 0
    for point in kills.every_kill(lambda: call(subject.start()), kills.COMMANDS):
        points = point
        yield
    # The marker of secure mode costs a command too, at the first start only.
    assert points >= 2


def data_names(subject):
    return {name for name in subject.files() if not name.endswith(".info")}


def new():
    return volume_models.volume(2)


def test_creating_a_volume(subject, driver):
    model = new()
    for _ in every_kill(subject, lambda d: d.create_volume(model)):
        driver.discard_unfinished_volume(model)
        assert data_names(subject) == set()
    driver.discard_unfinished_volume(model)
    placed(model, driver.create_volume(model))
    assert data.size_of(driver, model) == 2 * GIB


def test_creating_a_volume_from_a_snapshot(subject, driver, source):
    before, model = data_names(subject), new()
    for _ in every_kill(subject, lambda d: d.create_volume_from_snapshot(model, source.snapshot)):
        driver.discard_unfinished_volume(model)
        assert data_names(subject) == before
    driver.discard_unfinished_volume(model)
    placed(model, driver.create_volume_from_snapshot(model, source.snapshot))
    assert data.holds(driver, model, 0x11)
    assert data.holds(driver, source, 0x22)


def test_cloning_a_volume(subject, driver, source):
    before, model = data_names(subject), new()
    for _ in every_kill(subject, lambda d: d.create_cloned_volume(model, source)):
        # The source has been written to since: a clone that is begun anew shows that.
        driver.discard_unfinished_volume(model)
        assert model.name not in data_names(subject)
        assert data.holds(driver, source, 0x22)
    driver.discard_unfinished_volume(model)
    placed(model, driver.create_cloned_volume(model, source))
    assert data_names(subject) == before | {model.name}
    assert data.holds(driver, model, 0x22)


def test_extending_a_volume(subject, driver, source):
    before = subject.files()
    for _ in every_kill(subject, lambda d: d.extend_volume(source, 2)):
        assert data.size_of(driver, source) in (GIB, 2 * GIB)
        assert data.holds(driver, source, 0x22)
    driver.extend_volume(source, 2)
    assert data.size_of(driver, source) == 2 * GIB
    assert subject.files() == before


def test_reverting_a_volume(subject, driver, source):
    before = subject.files()
    for _ in every_kill(subject, lambda d: d.revert_to_snapshot(None, source, source.snapshot)):
        assert data.holds(driver, source, 0x22) or data.holds(driver, source, 0x11)
    driver.revert_to_snapshot(None, source, source.snapshot)
    assert data.holds(driver, source, 0x11)
    assert subject.files() == before


def test_moving_a_volume(subject, driver, source):
    before, host = subject.files(), {"host": on(driver, 1)}
    for _ in every_kill(subject, lambda d: d.migrate_volume(None, source, host)):
        pass
    moved, update = driver.migrate_volume(None, source, host)
    assert moved
    placed(source, update)
    assert data.holds(driver, source, 0x22)
    driver.revert_to_snapshot(None, source, source.snapshot)
    assert data.holds(driver, source, 0x11)
    assert subject.files() == before
    assert data_names_in(subject.directories[0]) == set()


def test_each_kill_of_a_move_by_itself(subject, driver, make_source):
    host = {"host": on(driver, 1)}
    for point in itertools.count(1):
        source, files = make_source(), subject.files()
        move = functools.partial(subject.start().migrate_volume, None, source, host)
        if not kills.killed_before(point, move, kills.COMMANDS):
            break
        assert driver.migrate_volume(None, source, host)[0]
        placed(source, {"provider_location": driver._mounted_shares[1]})
        assert data.holds(driver, source, 0x22)
        assert subject.files() == files
        assert data_names_in(subject.directories[0]) == set()
        driver.delete_volume(source)
    assert point > 8


def data_names_in(directory):
    return {path.name for path in directory.iterdir() if not path.name.startswith(".")}


def test_deleting_a_volume(subject, driver, source):
    other = new()
    placed(other, driver.create_volume(other))
    for _ in every_kill(subject, lambda d: d.delete_volume(source)):
        pass
    driver.delete_volume(source)
    assert subject.files() == {other.name}


def test_managing_and_unmanaging_a_file(subject, driver):
    path = subject.directories[0] / "disk.img"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", path, "1G"], check=True)
    model, reference = volume_models.volume(host=on(driver, 0)), {"source-name": "disk.img"}
    for _ in every_kill(subject, lambda d: d.manage_existing(model, reference)):
        pass
    placed(model, driver.manage_existing(model, reference))
    assert subject.files() == {model.name}
    for _ in every_kill(subject, lambda d: d.unmanage(model)):
        pass
    driver.unmanage(model)
    assert subject.files() == {f"unmanaged-{model.name}"}
