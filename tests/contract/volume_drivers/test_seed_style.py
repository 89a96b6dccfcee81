# SPDX-License-Identifier: Apache-2.0
"""A driver as others write them for Cinder: it knows the RemoteFS classes and their hooks only."""

import os
import subprocess

import pytest
from oslo_config import cfg

from manila_lite import exception, process
from manila_lite.testing import volume_models
from manila_lite.testing.volume_models import placed, snapshot, volume
from manila_lite.volume import coordination
from manila_lite.volume.driver import BaseVD
from manila_lite.volume.drivers import remotefs

OPTS = [
    cfg.StrOpt("vendor_shares_config"),
    cfg.StrOpt("vendor_mount_point_base"),
    cfg.BoolOpt("vendor_sparsed_volumes", default=True),
]


class Client:
    """What mounts shares: makes a directory, and remembers the flags."""

    def __init__(self, base):
        self.base = base
        self.flags = {}

    def get_mount_point(self, share):
        return os.path.join(self.base, remotefs.RemoteFSSnapDriver._get_hash_str(None, share))

    def mount(self, share, flags=None):
        os.makedirs(self.get_mount_point(share), exist_ok=True)
        self.flags[share] = flags


class VendorDriver(remotefs.RemoteFSPoolMixin, remotefs.RemoteFSSnapDriver):
    driver_volume_type = "vendorfs"
    driver_prefix = "vendor"
    volume_backend_name = "Vendor"
    VERSION = "7.1"

    def __init__(self, execute=process.execute, *args, **kwargs):
        self._remotefsclient = None
        self.calls = []
        super().__init__(*args, execute=execute, **kwargs)
        self.configuration.append_config_values(OPTS)
        self.base = os.path.realpath(self.configuration.vendor_mount_point_base)
        self._remotefsclient = Client(self.base)
        self._execute_as_root = False

    def do_setup(self, context):
        super().do_setup(context)
        self.set_nas_security_options(self._is_voldb_empty_at_startup)

    def set_execute(self, execute):
        super().set_execute(self._traced)
        self._run = execute

    def _traced(self, *command, **kwargs):
        self.calls.append(command[0])
        return self._run(*command, **kwargs)

    def _ensure_share_mounted(self, share):
        self._remotefsclient.mount(share, (self.shares.get(share) or "").split())

    def _get_pool_name_from_share(self, share):
        return share.rpartition("/")[2]

    def _get_share_from_pool_name(self, pool_name):
        return next(s for s in self.shares if self._get_pool_name_from_share(s) == pool_name)

    def _qemu_img_info(self, path, volume_name):
        return self._qemu_img_info_base(path, volume_name, self.base)

    def _copy_volume_from_snapshot(self, snapshot, volume, volume_size):
        snap_info = self._read_info_file(self._local_path_volume_info(snapshot.volume))
        directory = self._local_volume_dir(snapshot.volume)
        forward = os.path.join(directory, snap_info[snapshot.id])
        img_info = self._qemu_img_info(forward, snapshot.volume.name)
        source = os.path.join(directory, img_info.backing_file)
        self._execute("qemu-img", "convert", "-O", "raw", source, self.local_path(volume))
        self._execute("qemu-img", "resize", "-f", "raw", self.local_path(volume), f"{volume_size}G")
        self._set_rw_permissions_for_all(self.local_path(volume))

    def _create_snapshot_online(self, snapshot, backing_filename, new_snap_path):
        self.calls.append(("online", backing_filename, os.path.basename(new_snap_path)))
        self._do_create_snapshot(snapshot, backing_filename, new_snap_path)

    @coordination.synchronized("{self.driver_prefix}-{volume.id}")
    def delete_volume(self, volume):
        info_path = self._local_path_volume_info(volume)
        info = self._read_info_file(info_path, empty_if_missing=True)
        if info:
            self._delete(info_path)
        self._delete(os.path.join(self._local_volume_dir(volume), info.get("active", volume.name)))
        self._delete(self._local_path_volume(volume))


@pytest.fixture
def driver(tmp_path):
    shares = tmp_path / "shares"
    shares.write_text("host:/gold -o vers=4\nhost:/lead\n")
    driver = volume_models.driver(
        VendorDriver,
        OPTS,
        state_path=str(tmp_path / "state"),
        vendor_shares_config=str(shares),
        vendor_mount_point_base=str(tmp_path / "mnt"),
    )
    driver.do_setup(None)
    driver.check_for_setup_error()
    return driver


@pytest.fixture
def model(driver):
    found = volume(host="node@vendor#lead")
    placed(found, driver.create_volume(found))
    write(driver, found, 0x11)
    return found


def active_path(driver, model):
    return os.path.join(driver._local_volume_dir(model), driver.get_active_image_from_info(model))


def qemu_io(driver, model, command):
    path = active_path(driver, model)
    image_format = "raw" if path.endswith(model.name) else "qcow2"
    done = subprocess.run(
        ["qemu-io", "-f", image_format, "-c", command, path], capture_output=True, text=True
    )
    return done.returncode == 0 and "failed" not in done.stdout + done.stderr


def write(driver, model, byte):
    assert qemu_io(driver, model, f"write -P {byte} 0 64k")


def holds(driver, model, byte):
    return qemu_io(driver, model, f"read -P {byte} 0 64k")


def test_it_is_a_volume_driver(driver):
    assert isinstance(driver, BaseVD)
    assert driver.get_version() == "7.1"


def test_shares_are_mounted_with_their_flags_by_its_own_client(driver):
    driver._ensure_shares_mounted()
    assert driver._remotefsclient.flags == {
        "host:/gold": ["-o", "vers=4"],
        "host:/lead": [],
    }


def test_the_pool_in_the_host_decides_where_a_volume_goes(driver, model):
    assert model.provider_location == "host:/lead"
    assert driver.calls[:2] == ["truncate", "chmod"]


def test_statistics_come_from_its_pools(driver):
    stats = driver.get_volume_stats(refresh=True)
    assert [pool["pool_name"] for pool in stats["pools"]] == ["gold", "lead"]
    assert (stats["storage_protocol"], stats["driver_version"]) == ("vendorfs", "7.1")


def test_snapshots_are_made_copied_and_deleted_through_its_hooks(driver, model):
    first, second = snapshot(model), snapshot(model)
    driver.create_snapshot(first)
    write(driver, model, 0x22)
    driver.create_snapshot(second)
    write(driver, model, 0x33)
    for source, byte in ((first, 0x11), (second, 0x22)):
        copy = volume(2, host="node@vendor#gold")
        placed(copy, driver.create_volume_from_snapshot(copy, source))
        assert copy.provider_location == "host:/gold"
        assert holds(driver, copy, byte)
    driver.calls.clear()
    driver.delete_snapshot(first)
    driver.delete_snapshot(second)
    assert {"qemu-img", "rm"} <= set(driver.calls)
    assert holds(driver, model, 0x33)
    assert driver.get_active_image_from_info(model) == model.name


def test_a_clone_is_a_copy_beside_its_source(driver, model):
    clone = volume()
    placed(clone, driver.create_cloned_volume(clone, model))
    assert clone.provider_location == model.provider_location
    assert holds(driver, clone, 0x11)


def test_its_own_way_of_snapshots_under_a_guest_is_taken_whole(driver, model):
    attached = model.merged({"status": "in-use"})
    taken = snapshot(attached)
    driver.create_snapshot(taken)
    name = f"{model.name}.{taken.id}"
    assert ("online", model.name, name) in driver.calls
    assert driver.get_active_image_from_info(model) == name
    assert driver.has_online_phases is False


def test_a_deletion_of_its_own_and_the_locks_of_the_base_class_go_together(driver, model):
    with coordination.coordinator_of(driver).hold(f"vendor-{model.id}"):
        driver.delete_volume(model)
    assert os.listdir(driver._local_volume_dir(model)) == []


def test_it_refuses_an_image_that_points_elsewhere(driver, model, tmp_path):
    taken = snapshot(model)
    driver.create_snapshot(taken)
    subprocess.run(
        ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd",
         active_path(driver, model)], check=True,
    )  # fmt: skip
    with pytest.raises(exception.BackingFileRefused):
        driver.delete_snapshot(taken)
