# SPDX-License-Identifier: Apache-2.0
"""The directory driver as an ordinary user, and what root has more."""

import os
import stat

import pytest

from manila_lite import exception
from manila_lite.share.drivers.directory import removal
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, tree_of


def test_an_ordinary_user_needs_no_privileges_for_anything(
    public_path, start_driver, as_ordinary_user
):
    def live():
        root = public_path / "root"
        root.mkdir()
        driver, share, clone = start_driver(root), models.share(), models.share()
        driver.create_share(None, share)
        trees.grow_zoo(data(root, share))
        data(root, share).chmod(0o555)
        snapshot = models.snapshot(share)
        driver.create_snapshot(None, snapshot)
        driver.create_share_from_snapshot(None, clone, snapshot)
        data(root, share).chmod(0o755)
        (data(root, share) / "plain").unlink()
        data(root, share).chmod(0o555)
        driver.revert_to_snapshot(None, snapshot, [], [])
        original = trees.describe(data(root, snapshot))
        assert b"plain" in original
        assert trees.describe(data(root, share)) == original
        assert trees.describe(data(root, clone)) == original
        for model in (share, clone):
            driver.delete_share(None, model)
        driver.delete_snapshot(None, snapshot)
        assert [list((root / area).iterdir()) for area in ("shares", "snapshots")] == [[], []]

    as_ordinary_user(live)


def test_an_ordinary_user_deletes_directories_without_permissions(
    public_path, start_driver, as_ordinary_user
):
    def live():
        root = public_path / "root"
        root.mkdir()
        driver, share = start_driver(root), models.share()
        driver.create_share(None, share)
        for mode in (0o000, 0o100, 0o400, 0o500, 0o300):
            closed = data(root, share) / oct(mode)
            (closed / "below").mkdir(parents=True)
            (closed / "below" / "file").touch()
            (closed / "below").chmod(mode)
            closed.chmod(mode)
        driver.delete_share(None, share)
        assert list((root / "shares").iterdir()) == []

    as_ordinary_user(live)


def test_what_an_ordinary_user_may_not_read_is_named_and_no_half_copy_is_kept(
    public_path, start_driver, as_ordinary_user
):
    def live():
        root = public_path / "root"
        root.mkdir()
        driver, share = start_driver(root), models.share()
        driver.create_share(None, share)
        (data(root, share) / "secret file").write_text("x")
        (data(root, share) / "secret file").chmod(0)
        with pytest.raises(exception.ShareBackendException, match="secret file"):
            driver.create_snapshot(None, models.snapshot(share))
        assert list((root / "snapshots").iterdir()) == []

    as_ordinary_user(live)


def test_a_copy_that_cannot_keep_the_owner_drops_the_set_user_id_bit(
    public_path, start_driver, as_ordinary_user
):
    if os.geteuid() != 0:
        pytest.skip("making a file of another user takes root")
    root = public_path / "root"
    root.mkdir(mode=0o777)
    root.chmod(0o777)
    share = models.share()
    as_ordinary_user(lambda: start_driver(root).create_share(None, share))
    program = data(root, share) / "program"
    program.write_text("x")
    program.chmod(0o6755)
    snapshot = models.snapshot(share)

    as_ordinary_user(lambda: start_driver(root).create_snapshot(None, snapshot))

    assert stat.S_IMODE((data(root, snapshot) / "program").stat().st_mode) == 0o755


def test_as_root_owners_devices_and_all_mode_bits_are_kept(driver, root, share):
    if os.geteuid() != 0:
        pytest.skip("giving files away takes root")
    program = data(root, share) / "program"
    program.write_text("x")
    os.chown(program, 4321, 1234)
    program.chmod(0o6755)
    os.mknod(data(root, share) / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (data(root, share) / "link").symlink_to("program")
    os.lchown(data(root, share) / "link", 99, 98)
    snapshot = models.snapshot(share)

    driver.create_snapshot(None, snapshot)

    copy = trees.describe(data(root, snapshot))
    assert copy == trees.describe(data(root, share))
    assert copy[b"program"]["owner"] == (4321, 1234)
    assert copy[b"link"]["owner"] == (99, 98)
    assert stat.S_IMODE(copy[b"program"]["mode"]) == 0o6755


def test_removing_leaves_the_neighbours(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "below").mkdir(parents=True)
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        removal.remove(parent, "one")
        removal.remove(parent, "missing")
    finally:
        os.close(parent)

    assert tree_of(tmp_path) == ["two", "two/below"]
