# SPDX-License-Identifier: Apache-2.0
"""Managing subvolumes that the btrfs driver did not make, and letting go of them."""

import errno
import os
import subprocess

import pytest

from manila_lite import exception
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, metadata, tree_of

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def root(btrfs_root):
    return btrfs_root


@pytest.fixture
def driver(start_btrfs, root):
    return start_btrfs(root)


@pytest.fixture
def theirs(root, driver):
    """A subvolume with data under the root that nobody manages."""
    path = root / "projects" / "theirs"
    path.parent.mkdir()
    btrfs("subvolume", "create", path)
    (path / "file").write_bytes(os.urandom(3 * MIB))
    return path


def btrfs(*arguments):
    subprocess.run(["btrfs", *arguments], check=True, capture_output=True)


def manage(driver, path, model=None, **options):
    return driver.manage_existing(model or models.share(), {"path": str(path), **options})


def reserve(path, size):
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


@pytest.mark.parametrize("form", ["{path}", "host:{path}", "projects/theirs", "{path}/"])
def test_a_subvolume_under_the_root_becomes_a_share_with_all_its_data(driver, root, theirs, form):
    share, before = models.share(), trees.describe(theirs)

    update = manage(driver, form.format(path=theirs), share)

    assert update["size"] == 1
    assert update["export_locations"] == driver.ensure_share(None, share)
    assert trees.describe(data(root, share)) == before
    assert not theirs.exists()


def test_its_size_is_enforced_from_then_on(driver, root, theirs):
    share = models.share()
    manage(driver, theirs, share)
    reserve(data(root, share) / "most", GIB - 20 * MIB)

    with pytest.raises(OSError) as caught:
        reserve(data(root, share) / "rest", 64 * MIB)
    assert caught.value.errno == errno.EDQUOT


def test_a_share_is_as_large_as_it_was_wished_if_its_data_fit(driver, root, theirs):
    reserve(theirs / "more", GIB)

    with pytest.raises(exception.ManageInvalidShare, match="2 GiB, which is more than 1"):
        manage(driver, theirs, size="1")
    assert theirs.exists()
    share = models.share()
    assert manage(driver, theirs, share, size="7")["size"] == 7
    assert metadata(root, share)["limit"] == 7


def test_managing_again_after_it_was_done_gives_the_same_answer(driver, theirs):
    share = models.share()

    assert manage(driver, theirs, share) == manage(driver, theirs, share)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc", "outside"),
        ("projects", "not a subvolume"),
        ("projects/missing", "does not exist"),
        ("projects/link", "symbolic link"),
        ("projects/read-only", "read-only"),
        ("shares/..", "cannot be managed"),
        (".metadata", "cannot be managed"),
        ("", "no directory was given"),
    ],
)
def test_what_is_no_writable_subvolume_is_refused_and_left(driver, root, theirs, path, reason):
    (theirs.parent / "link").symlink_to(theirs)
    btrfs("subvolume", "snapshot", "-r", theirs, theirs.parent / "read-only")
    before = tree_of(root)

    with pytest.raises(exception.ManageInvalidShare, match=reason) as caught:
        manage(driver, path)

    assert exception.classify(caught.value) is exception.ErrorKind.FINAL
    assert tree_of(root) == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_snapshot_is_managed_and_read_only_afterwards(driver, root, share, read_only):
    (data(root, share) / "file").write_bytes(os.urandom(3 * MIB))
    path, snapshot = root / "before the upgrade", models.snapshot(share)
    before = trees.describe(data(root, share))
    btrfs("subvolume", "snapshot", *(["-r"] if read_only else []), data(root, share), path)

    for _ in range(2):
        update = driver.manage_existing_snapshot(snapshot, {"path": str(path)})

    assert update["size"] == 1
    assert update["export_locations"][0]["path"].endswith(snapshot["name"])
    assert trees.describe(data(root, snapshot)) == before
    with pytest.raises(OSError, match="Read-only"):
        (data(root, snapshot) / "file").write_text("other")
    clone = models.share(2)
    driver.create_share_from_snapshot(None, clone, snapshot)
    assert trees.describe(data(root, clone)) == before
    driver.delete_snapshot(None, snapshot)
    assert os.listdir(root / "snapshots") == []


def test_a_snapshot_that_holds_subvolumes_is_not_managed(driver, root, share, theirs):
    btrfs("subvolume", "create", theirs / "inner")

    with pytest.raises(exception.ManageInvalidShareSnapshot, match="holds subvolumes"):
        driver.manage_existing_snapshot(models.snapshot(share), {"path": str(theirs)})

    assert (theirs / "inner").is_dir()


def test_an_unmanaged_snapshot_is_managed_again_where_it_is(driver, root, share):
    snapshot = models.snapshot(share)
    location = driver.create_snapshot(None, snapshot)["provider_location"]
    driver.unmanage_snapshot(snapshot)
    assert data(root, snapshot).is_dir()
    again = models.snapshot(share, provider_location=location)

    assert driver.manage_existing_snapshot(again, {})["provider_location"].endswith(again["name"])
    with pytest.raises(exception.ManageInvalidShareSnapshot, match="does not exist"):
        driver.manage_existing_snapshot(models.snapshot(share), {"path": "missing"})


def test_a_share_is_found_by_where_its_server_has_it_mounted(root, share, start_btrfs):
    driver = start_btrfs(root, ganesha_mount_dir="/srv/mounts")
    driver.unmanage(share)
    known = models.share(export_locations=[{"path": f"host:/srv/mounts/{share['name']}"}])

    assert driver.manage_existing(known, {})["size"] == 1
    assert data(root, known).is_dir()
    assert not data(root, share).exists()
