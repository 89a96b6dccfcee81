# SPDX-License-Identifier: Apache-2.0
"""Shares and snapshots of the btrfs driver as clients of nfs-ganesha and Samba see them."""

import subprocess

import pytest

from manila_lite.share.drivers.exports.mounts import mount_points
from manila_lite.testing import models
from tests.fixtures.export_servers import ADDRESSES
from tests.functional.drivers.helpers import data

ONE, OTHER, _ = ADDRESSES


@pytest.fixture
def root(btrfs_root):
    return btrfs_root


@pytest.fixture
def start(start_btrfs, root, ganesha):
    def start():
        return start_btrfs(
            root,
            btrfs_export_helpers=["NFS=ganesha"],
            btrfs_export_host="files.example",
            btrfs_share_mode="0777",
            ganesha_dbus_address=ganesha.bus,
            ganesha_mount_dir=str(ganesha.mount_dir),
            ganesha_export_dir=str(ganesha.export_dir),
        )

    return start


@pytest.fixture
def driver(start):
    return start()


def export(driver, share):
    """Make a share and let one client write and another one read; returns the location."""
    (location,) = driver.create_share(None, share)
    rules = [models.rule(ONE), models.rule(OTHER, "ro")]
    assert not driver.update_access(None, share, rules, rules, [])
    return location["path"]


def test_a_share_is_written_and_read_over_nfs(driver, root, ganesha):
    share = models.share()
    path = export(driver, share)

    assert ganesha.write(path, "file", "written over NFS") == ""
    assert "ROFS" in ganesha.write(path, "other", "x", client=OTHER)

    assert ganesha.read(path, "file", client=OTHER) == "written over NFS"
    assert (data(root, share) / "file").read_text() == "written over NFS"
    assert driver.ensure_share(None, share)[0]["path"] == path


def test_a_revert_reaches_clients_by_the_same_path(driver, root, ganesha):
    share = models.share()
    path, snapshot = export(driver, share), models.snapshot(share)
    (data(root, share) / "file").write_text("before")
    driver.create_snapshot(None, snapshot)
    (data(root, share) / "file").write_text("after")
    assert ganesha.read(path, "file") == "after"

    driver.revert_to_snapshot(None, snapshot, [], [])

    assert ganesha.read(path, "file") == "before"
    assert driver.ensure_share(None, share)[0]["path"] == path


def test_a_snapshot_is_mounted_by_those_who_were_let_in_and_never_written(driver, root, ganesha):
    share = models.share()
    export(driver, share)
    (data(root, share) / "file").write_text("as it was")
    snapshot = models.snapshot(share)
    (location,) = driver.create_snapshot(None, snapshot)["export_locations"]
    (data(root, share) / "file").write_text("as it is")
    path, rule = location["path"], models.rule(ONE)
    assert "as it was" not in ganesha.read(path, "file")

    driver.snapshot_update_access(None, snapshot, [rule], [rule], [])
    assert ganesha.read(path, "file") == "as it was"
    assert "ROFS" in ganesha.write(path, "new", "x")
    assert "as it was" not in ganesha.read(path, "file", client=OTHER)
    driver.snapshot_update_access(None, snapshot, [], [], [rule])
    assert "as it was" not in ganesha.read(path, "file")


def test_nothing_stays_exported_or_mounted_of_what_was_deleted(driver, root, ganesha):
    share = models.share()
    path, snapshot = export(driver, share), models.snapshot(share)
    driver.create_snapshot(None, snapshot)

    driver.delete_snapshot(None, snapshot)
    driver.delete_share(None, share)

    assert isinstance(ganesha.ls(path), str)
    assert [point for point in mount_points() if point.startswith(str(ganesha.mount_dir))] == []
    assert list(ganesha.mount_dir.iterdir()) == []


def test_exports_are_back_after_the_machine_was_started_again(driver, start, root, ganesha):
    share = models.share()
    path, snapshot = export(driver, share), models.snapshot(share)
    (data(root, share) / "file").write_text("content")
    (location,) = driver.create_snapshot(None, snapshot)["export_locations"]
    rule = models.rule(OTHER)
    driver.snapshot_update_access(None, snapshot, [rule], [rule], [])
    ganesha.stop_ganesha()
    for point in ganesha.mount_dir.iterdir():
        subprocess.run(["umount", point], check=True)
    ganesha.start_ganesha()

    after = start()
    after.get_share_stats(refresh=True)

    assert ganesha.read(path, "file") == "content"
    assert ganesha.read(location["path"], "file", client=OTHER) == "content"


def test_a_share_and_its_snapshot_over_cifs(start_btrfs, root, samba):
    driver = start_btrfs(
        root,
        btrfs_export_helpers=["CIFS=samba"],
        btrfs_share_mode="0777",
        samba_config_path=str(samba.config),
    )
    share = models.share(share_proto="CIFS")
    driver.create_share(None, share)
    (data(root, share) / "file").write_text("content")
    snapshot, rule = models.snapshot(share), models.rule(samba.alice, type="user")
    driver.create_snapshot(None, snapshot)

    assert not driver.update_access(None, share, [rule], [rule], [])
    driver.snapshot_update_access(None, snapshot, [rule], [rule], [])

    for name in (share["name"], snapshot["name"]):
        assert " file " in samba.client(name, samba.alice, "ls")
        assert "NT_STATUS_ACCESS_DENIED" in samba.client(name, samba.bob, "ls")
    assert "NT_STATUS" in samba.client(snapshot["name"], samba.alice, "rm file")
    assert (data(root, snapshot) / "file").read_text() == "content"
    assert driver.get_share_stats(refresh=True)["storage_protocol"] == "CIFS"
