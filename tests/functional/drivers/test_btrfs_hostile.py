# SPDX-License-Identifier: Apache-2.0
"""The btrfs driver and what users put into their shares: subvolumes, links, mounts, names."""

import os
import subprocess

import pytest

from manila_lite import exception
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, tree_of

ODD_NAME = b"x\nID 5 gen 1 top level 5 path shares\xff -rf"


@pytest.fixture
def root(btrfs_root):
    return btrfs_root


@pytest.fixture
def driver(start_btrfs, root):
    return start_btrfs(root)


@pytest.fixture
def victim(driver, root):
    """A share of somebody else that must stay as it is, and how it is."""
    model = models.share()
    driver.create_share(None, model)
    (data(root, model) / "precious").write_text("somebody else's")
    return data(root, model), trees.describe(data(root, model))


def subvolume(path):
    subprocess.run(["btrfs", "subvolume", "create", path], check=True, capture_output=True)


def nest(top, victim):
    """Subvolumes in each other, with odd names, one of them read-only and one full of links."""
    (top / "inner").mkdir()
    subvolume(top / "inner" / "one")
    odd = os.path.join(os.fsencode(top / "inner" / "one"), ODD_NAME)
    subvolume(odd)
    subvolume(os.path.join(odd, b"three"))
    with open(os.path.join(odd, b"three", b"file"), "w") as file:
        file.write("content")
    os.symlink(victim, os.path.join(odd, b"link"))
    subprocess.run(["btrfs", "property", "set", odd, "ro", "true"], check=True)
    subprocess.run(["btrfs", "property", "set", top / "inner" / "one", "ro", "true"], check=True)


# Subvolumes inside a share.


def test_a_share_is_deleted_with_the_subvolumes_inside_it(driver, root, share, victim):
    nest(data(root, share), victim[0])

    driver.delete_share(None, share)

    assert os.listdir(root / "shares") == [victim[0].name]
    assert trees.describe(victim[0]) == victim[1]
    found = subprocess.run(
        ["btrfs", "subvolume", "list", "-o", root], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert [line for line in found if share["name"] in line] == []


def test_a_snapshot_that_would_lack_the_subvolumes_inside_is_refused(driver, root, share, victim):
    nest(data(root, share), victim[0])
    before, snapshot = tree_of(root), models.snapshot(share)

    with pytest.raises(exception.ShareBackendException, match="subvolumes") as caught:
        driver.create_snapshot(None, snapshot)

    assert exception.classify(caught.value) is exception.ErrorKind.FINAL
    assert tree_of(root) == before
    driver.delete_snapshot(None, snapshot)


def test_a_revert_takes_subvolumes_away_that_were_made_later(driver, root, share, victim):
    (data(root, share) / "file").write_text("content")
    before, snapshot = trees.describe(data(root, share)), models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    nest(data(root, share), victim[0])

    driver.revert_to_snapshot(None, snapshot, [], [])

    assert trees.describe(data(root, share)) == before
    assert sorted(os.listdir(root / "shares")) == sorted([share["name"], victim[0].name])
    assert trees.describe(victim[0]) == victim[1]


# What is mounted, linked or not a subvolume.


def test_what_is_mounted_inside_a_share_stays_where_it_is(driver, root, share, victim):
    point = data(root, share) / "mounted"
    point.mkdir()
    subprocess.run(["mount", "--bind", victim[0], point], check=True)
    try:
        driver.delete_share(None, share)
    finally:
        subprocess.run(["umount", point], check=False, capture_output=True)

    assert trees.describe(victim[0]) == victim[1]
    assert not data(root, share).exists()


def test_a_link_in_the_place_of_a_share_is_deleted_and_not_followed(driver, root, share, victim):
    data(root, share).rmdir()
    data(root, share).symlink_to(victim[0])

    with pytest.raises(exception.ShareResourceNotFound):
        driver.ensure_share(None, share)
    with pytest.raises(exception.ShareResourceNotFound):
        driver.extend_share(share, 5)
    driver.delete_share(None, share)

    assert os.listdir(root / "shares") == [victim[0].name]
    assert trees.describe(victim[0]) == victim[1]


def test_a_directory_in_the_place_of_a_share_has_no_snapshots_and_can_be_deleted(
    driver, root, share
):
    data(root, share).rmdir()
    (data(root, share) / "inner").mkdir(parents=True)
    snapshot = models.snapshot(share)

    with pytest.raises(exception.ShareBackendException, match=str(root)):
        driver.create_snapshot(None, snapshot)
    assert os.listdir(root / "snapshots") == []
    driver.delete_share(None, share)

    assert os.listdir(root / "shares") == []


def test_a_subvolume_that_the_driver_did_not_make_is_neither_used_nor_deleted(driver, root):
    share = models.share()
    subvolume(root / "shares" / share["name"])

    for call in (driver.create_share, driver.delete_share):
        with pytest.raises(exception.ShareBackendException, match="not made by this driver"):
            call(None, share)

    assert data(root, share).is_dir()


def test_what_lies_there_under_a_working_name_does_not_stop_a_share(driver, root, share, victim):
    area = root / "snapshots"
    snapshot = models.snapshot(share)
    (area / f".new~{snapshot['name']}~0").symlink_to(victim[0])
    (area / f".trash~{snapshot['name']}").mkdir()
    (area / f".trash~{snapshot['name']}" / "file").touch()
    subvolume(area / f".new~{snapshot['name']}~1")
    nest(area / f".new~{snapshot['name']}~1", victim[0])

    driver.create_snapshot(None, snapshot)

    assert os.listdir(area) == [snapshot["name"]]
    assert trees.describe(victim[0]) == victim[1]


@pytest.mark.parametrize("name", ["../x", ".metadata", "a/b", "-r\n", "a b", "x" * 300, "~"])
def test_a_name_that_is_no_file_name_reaches_no_command(driver, root, share, name):
    commands, bad = [], models.share(name=name)
    snapshot = models.snapshot(share, name=name)
    of_bad = models.snapshot(bad)
    driver.set_execute(lambda *command, **_: commands.append(command))

    for call in (
        lambda: driver.create_share(None, bad),
        lambda: driver.delete_share(None, bad),
        lambda: driver.extend_share(bad, 2),
        lambda: driver.shrink_share(bad, 1),
        lambda: driver.create_snapshot(None, snapshot),
        lambda: driver.create_snapshot(None, of_bad),
        lambda: driver.delete_snapshot(None, snapshot),
        lambda: driver.create_share_from_snapshot(None, models.share(2), snapshot),
        lambda: driver.revert_to_snapshot(None, snapshot, [], []),
        lambda: driver.snapshot_update_access(None, snapshot, [], [], []),
    ):
        with pytest.raises(exception.PathRefused):
            call()

    assert commands == []
