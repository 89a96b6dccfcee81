# SPDX-License-Identifier: Apache-2.0
"""What every volume driver that ships here keeps to, whatever its storage is."""

import os

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
def make(driver):
    """Make a volume, on a share if one is named, and fill its first block with a byte."""

    def build(byte=None, size=1, **values):
        model = volume_models.volume(size, **values)
        placed(model, driver.create_volume(model))
        if byte is not None:
            data.write(driver, model, byte)
        return model

    return build


@pytest.fixture
def snapshot_of(driver):
    def build(volume, **values):
        model = volume_models.snapshot(volume, **values)
        driver.create_snapshot(model)
        return model

    return build


def on(driver, share):
    """A host whose pool is that share."""
    return f"{volume_models.HOST}#{driver._get_pool_name_from_share(share)}"


def shares(driver):
    return list(driver._mounted_shares)


def base_file(driver, volume):
    return os.path.join(driver._local_volume_dir(volume), volume.name)


# Volumes.


def test_a_new_volume_has_its_size_and_reads_as_zeros(subject, driver, make):
    model = make(size=2)
    assert data.size_of(driver, model) == 2 * GIB
    assert data.holds(driver, model, 0)
    assert data.connected(driver, model)[1] == subject.image_format
    assert subject.files() == {model.name}


def test_a_new_volume_says_in_which_format_it_is(subject, driver):
    update = driver.create_volume(volume_models.volume())
    assert update["admin_metadata"] == {"format": subject.image_format}
    assert set(update) == {"provider_location", "admin_metadata"}


def test_a_thin_volume_takes_no_room(driver, make):
    model = make()
    driver.extend_volume(model, 5)
    assert os.stat(base_file(driver, model)).st_blocks * 512 < GIB / 100


def test_a_volume_goes_to_the_share_in_its_host(driver, make):
    for share in shares(driver):
        assert make(host=on(driver, share)).provider_location == share


def test_a_volume_that_exists_is_not_made_again(driver, make):
    model = make(0x11)
    with pytest.raises(exception.VolumeBackendAPIException):
        driver.create_volume(model)
    assert data.holds(driver, model, 0x11)


def test_a_deleted_volume_leaves_nothing_and_may_be_deleted_again(subject, driver, make):
    model, other = make(), make()
    driver.delete_volume(model)
    driver.delete_volume(model)
    assert subject.files() == {other.name}


def test_a_volume_with_snapshots_is_deleted_with_all_its_files(subject, driver, make, snapshot_of):
    model, other = make(), make()
    snapshot_of(model), snapshot_of(model)
    driver.delete_volume(model)
    assert subject.files() == {other.name}


def test_a_volume_that_a_guest_has_open_is_not_deleted(driver, make):
    model = make(0x11)
    guest = data.guest(*data.connected(driver, model))
    try:
        with pytest.raises(exception.VolumeIsBusy):
            driver.delete_volume(model)
    finally:
        guest.communicate("quit\n", timeout=30)
    assert data.holds(driver, model, 0x11)


def test_discarding_an_unfinished_volume_leaves_others_alone(subject, driver, make):
    other, model = make(), make()
    model.provider_location = None
    driver.discard_unfinished_volume(model)
    driver.discard_unfinished_volume(model)
    assert subject.files() == {other.name}
    assert placed(model, driver.create_volume(model))


# Sizes.


def test_a_volume_grows_and_keeps_its_data(driver, make):
    model = make(0x11)
    driver.extend_volume(model, 3)
    driver.extend_volume(model, 3)
    assert data.size_of(driver, model) == 3 * GIB
    assert data.holds(driver, model, 0x11)
    assert data.holds(driver, model, 0, block=2 * GIB // data.BLOCK)


def test_a_volume_with_snapshots_grows_and_they_do_not(driver, make, snapshot_of):
    model = make(0x11)
    snapshot = snapshot_of(model)
    driver.extend_volume(model, 2)
    assert data.size_of(driver, model) == 2 * GIB
    copy = volume_models.volume(1)
    placed(copy, driver.create_volume_from_snapshot(copy, snapshot))
    assert data.size_of(driver, copy) == GIB
    assert data.holds(driver, copy, 0x11)


def test_a_volume_does_not_shrink(driver, make):
    model = make(size=2)
    with pytest.raises(exception.ExtendVolumeError):
        driver.extend_volume(model, 1)
    assert data.size_of(driver, model) == 2 * GIB


def test_a_volume_in_use_does_not_grow(driver, make):
    model = make()
    with pytest.raises(exception.InvalidVolume):
        driver.extend_volume(model.merged({"status": "in-use"}), 2)
    guest = data.guest(*data.connected(driver, model))
    try:
        with pytest.raises(exception.VolumeIsBusy):
            driver.extend_volume(model, 2)
    finally:
        guest.communicate("quit\n", timeout=30)
    assert data.size_of(driver, model) == GIB


def test_a_volume_for_which_there_is_no_room_does_not_grow(driver, make):
    model = make()
    with pytest.raises(exception.ExtendVolumeError, match="no room"):
        driver.extend_volume(model, 10**9)
    assert data.size_of(driver, model) == GIB


# Snapshots.


def test_a_volume_from_a_snapshot_has_what_the_snapshot_has(subject, driver, make, snapshot_of):
    model = make(0x11)
    snapshot = snapshot_of(model)
    data.write(driver, model, 0x22)
    copy = volume_models.volume(2)
    placed(copy, driver.create_volume_from_snapshot(copy, snapshot))
    assert data.holds(driver, copy, 0x11)
    assert data.size_of(driver, copy) == 2 * GIB
    assert data.connected(driver, copy)[1] == subject.image_format
    assert data.holds(driver, model, 0x22)


def test_a_volume_from_a_snapshot_goes_to_the_share_in_its_host(driver, make, snapshot_of):
    model = make(0x11)
    snapshot = snapshot_of(model)
    for share in shares(driver):
        copy = volume_models.volume(host=on(driver, share))
        placed(copy, driver.create_volume_from_snapshot(copy, snapshot))
        assert copy.provider_location == share
        assert data.holds(driver, copy, 0x11)


def test_a_volume_smaller_than_its_snapshot_is_refused_and_leaves_nothing(
    subject, driver, make, snapshot_of
):
    model = make(size=2)
    snapshot = snapshot_of(model)
    before = subject.files()
    with pytest.raises(exception.InvalidVolume):
        driver.create_volume_from_snapshot(volume_models.volume(1), snapshot)
    assert subject.files() == before


@pytest.mark.parametrize("doomed", [0, 1, 2])
def test_deleting_a_snapshot_keeps_the_volume_and_the_other_snapshots(
    driver, make, snapshot_of, doomed
):
    model = make()
    snapshots = []
    for byte in (0x11, 0x22, 0x33):
        data.write(driver, model, byte)
        snapshots.append((snapshot_of(model), byte))
    data.write(driver, model, 0x44)
    driver.delete_snapshot(snapshots.pop(doomed)[0])
    assert data.holds(driver, model, 0x44)
    for snapshot, byte in snapshots:
        copy = volume_models.volume()
        placed(copy, driver.create_volume_from_snapshot(copy, snapshot))
        assert data.holds(driver, copy, byte)


def test_without_snapshots_a_volume_is_one_file_again(subject, driver, make, snapshot_of):
    model = make(0x11)
    snapshots = [snapshot_of(model) for _ in range(3)]
    for snapshot in snapshots:
        driver.delete_snapshot(snapshot)
    left = subject.files() - {f"{model.name}.info"}
    assert left == {model.name}
    assert data.holds(driver, model, 0x11)


def test_a_volume_goes_back_to_its_latest_snapshot(subject, driver, make, snapshot_of):
    model = make(0x11)
    snapshot_of(model)
    data.write(driver, model, 0x22)
    latest = snapshot_of(model)
    data.write(driver, model, 0x33)
    files = subject.files()
    driver.revert_to_snapshot(None, model, latest)
    driver.revert_to_snapshot(None, model, latest)
    assert data.holds(driver, model, 0x22)
    assert subject.files() == files


def test_a_volume_that_grew_keeps_its_size_when_it_goes_back(driver, make, snapshot_of):
    model = make(0x11)
    latest = snapshot_of(model)
    driver.extend_volume(model, 2)
    model.size = 2
    driver.revert_to_snapshot(None, model, latest)
    assert data.size_of(driver, model) == 2 * GIB
    assert data.holds(driver, model, 0x11)


def test_what_an_abandoned_clone_left_is_in_the_way_of_nobody(subject, driver, make, snapshot_of):
    model = make(0x11)
    latest = snapshot_of(model)
    files = subject.files()
    data.write(driver, model, 0x22)
    leftover = volume_models.snapshot(model, id=f"tmp-snap-{model.id}")
    driver.create_snapshot(leftover)
    data.write(driver, model, 0x33)
    model.status = "reverting"
    driver.revert_to_snapshot(None, model, latest)
    assert data.holds(driver, model, 0x11)
    assert subject.files() == files


def test_a_volume_does_not_go_back_to_an_older_snapshot(driver, make, snapshot_of):
    model = make(0x11)
    older = snapshot_of(model)
    data.write(driver, model, 0x22)
    snapshot_of(model)
    with pytest.raises(exception.InvalidSnapshot):
        driver.revert_to_snapshot(None, model, older)
    assert data.holds(driver, model, 0x22)


# Clones.


def test_a_clone_is_larger_if_wanted_and_independent(subject, driver, make):
    source = make(0x11)
    clone = volume_models.volume(2)
    placed(clone, driver.create_cloned_volume(clone, source))
    data.write(driver, source, 0x22)
    assert data.holds(driver, clone, 0x11)
    assert data.size_of(driver, clone) == 2 * GIB
    assert data.connected(driver, clone)[1] == subject.image_format
    driver.delete_volume(source)
    assert data.holds(driver, clone, 0x11)
    assert subject.files() == {clone.name}


def test_a_clone_of_a_volume_with_snapshots_has_its_present_data(driver, make, snapshot_of):
    source = make(0x11)
    snapshot = snapshot_of(source)
    data.write(driver, source, 0x22)
    clone = volume_models.volume()
    placed(clone, driver.create_cloned_volume(clone, source))
    assert data.holds(driver, clone, 0x22)
    driver.delete_snapshot(snapshot)
    assert data.holds(driver, source, 0x22)


# Moves.


def test_a_volume_moves_to_another_share_with_its_snapshots(subject, driver, make, snapshot_of):
    source, target = shares(driver)
    model = make(0x11, host=on(driver, source))
    snapshot = snapshot_of(model)
    data.write(driver, model, 0x22)
    before = subject.files()
    moved, update = driver.migrate_volume(None, model, {"host": on(driver, target)})
    assert (moved, update) == (True, {"provider_location": target})
    assert os.listdir(driver._local_volume_dir(model)) == [] or subject.files() == before
    placed(model, update)
    assert data.holds(driver, model, 0x22)
    driver.revert_to_snapshot(None, model, snapshot)
    assert data.holds(driver, model, 0x11)
    assert subject.files() == before


def test_a_move_that_is_done_already_may_be_asked_for_again(driver, make):
    source, target = shares(driver)
    model = make(0x11, host=on(driver, source))
    host = {"host": on(driver, target)}
    assert driver.migrate_volume(None, model, host) == driver.migrate_volume(None, model, host)
    placed(model, {"provider_location": target})
    assert data.holds(driver, model, 0x11)


def test_a_copy_that_an_abandoned_move_left_is_not_believed(driver, make):
    source, target = shares(driver)
    model = make(0x11, host=on(driver, source))
    there = driver._get_mount_point_for_share(target)
    with open(os.path.join(there, model.name), "wb") as file:
        file.truncate(GIB)
    placed(model, driver.migrate_volume(None, model, {"host": on(driver, target)})[1])
    assert data.holds(driver, model, 0x11)


def test_a_volume_that_is_nowhere_is_not_moved(driver, make):
    source, target = shares(driver)
    model = make(host=on(driver, source))
    os.unlink(base_file(driver, model))
    with pytest.raises(exception.VolumeNotFound):
        driver.migrate_volume(None, model, {"host": on(driver, target)})


def test_half_a_copy_is_not_taken_for_a_volume_that_has_moved(driver, make):
    source, target = shares(driver)
    model = make(host=on(driver, source))
    there = driver._get_mount_point_for_share(target)
    with open(os.path.join(there, f"{model.name}.new"), "wb") as file:
        file.truncate(GIB // 2)
    os.unlink(base_file(driver, model))
    with pytest.raises(exception.VolumeNotFound):
        driver.migrate_volume(None, model, {"host": on(driver, target)})


@pytest.mark.parametrize("status", ["in-use", "available"])
def test_what_this_driver_cannot_move_is_left_to_the_service(driver, make, status):
    source, target = shares(driver)
    model = make(host=on(driver, source), status=status)
    elsewhere = {"in-use": on(driver, target), "available": "other@beta#x"}[status]
    assert driver.migrate_volume(None, model, {"host": elsewhere}) == (False, None)


def test_a_volume_that_the_service_copied_goes_by_the_name_of_the_copy(driver, make):
    model, copy = make(), make()
    assert driver.update_migrated_volume(None, model, copy, "available") == {
        "_name_id": copy.id,
        "provider_location": copy.provider_location,
    }


# Statistics.


def test_each_share_is_a_pool_with_what_is_promised(driver, make):
    make(size=3, host=on(driver, shares(driver)[0]))
    pools = driver.get_volume_stats(refresh=True)["pools"]
    assert [pool["pool_name"] for pool in pools] == shares(driver)
    assert [pool["provisioned_capacity_gb"] for pool in pools] == [pytest.approx(3, 0.01), 0]
    assert all(0 < pool["free_capacity_gb"] <= pool["total_capacity_gb"] for pool in pools)
