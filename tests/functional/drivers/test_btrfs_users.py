# SPDX-License-Identifier: Apache-2.0
"""The btrfs driver in a service that is an ordinary user: commands are all that is run as root."""

import os
import shutil

import pytest

from manila_lite import exception, process
from manila_lite.testing import models
from tests.functional.drivers.conftest import NOBODY
from tests.functional.drivers.helpers import data, tree_of

STRANGER = 12345


@pytest.fixture
def root(btrfs_root):
    shutil.chown(btrfs_root, NOBODY, NOBODY)
    return btrfs_root


@pytest.fixture
def as_user():
    """What this process does itself, it does as nobody, until the test ends."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        become_root()


def become_root():
    os.seteuid(0)
    os.setegid(0)


def execute(*command, run_as_root=False, **settings):
    """As through oslo.privsep: the command has root's rights, the service has not."""
    assert run_as_root
    become_root()
    try:
        return process.execute(*command, **settings)
    finally:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)


@pytest.fixture
def driver(start_btrfs, root, as_user):
    return start_btrfs(root, execute=execute)


def test_a_service_without_root_does_all_that_one_with_root_does(driver, root):
    share, clone = models.share(2), models.share(3)
    driver.create_share(None, share)
    assert data(root, share).stat().st_uid == NOBODY
    (data(root, share) / "file").write_text("content")
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    driver.create_share_from_snapshot(None, clone, snapshot)
    (data(root, share) / "file").write_text("changed")
    driver.revert_to_snapshot(None, snapshot, [], [])
    driver.extend_share(share, 5)
    driver.shrink_share(share, 1)

    found = [(data(root, model) / "file").read_text() for model in (share, clone, snapshot)]
    assert found == ["content"] * 3
    assert len(driver.update_share_usage_size(None, [share, clone])) == 2
    for model in (share, clone):
        driver.delete_share(None, model)
    driver.delete_snapshot(None, snapshot)
    assert os.listdir(root / "shares") == os.listdir(root / "snapshots") == []


def test_a_share_that_a_client_closed_to_the_service_is_still_served(driver, root):
    share = models.share(2)
    driver.create_share(None, share)
    execute("chown", f"{STRANGER}:{STRANGER}", data(root, share), run_as_root=True)
    execute("chmod", "0700", data(root, share), run_as_root=True)
    snapshot = models.snapshot(share)

    driver.extend_share(share, 5)
    driver.create_snapshot(None, snapshot)
    driver.revert_to_snapshot(None, snapshot, [], [])
    driver.shrink_share(share, 1)
    assert driver.ensure_share(None, share)
    driver.delete_snapshot(None, snapshot)
    driver.delete_share(None, share)

    assert os.listdir(root / "shares") == []


def test_a_subvolume_that_belongs_to_somebody_else_is_not_managed(driver, root):
    execute("btrfs", "subvolume", "create", root / "theirs", run_as_root=True)
    before = tree_of(root)

    with pytest.raises(exception.ManageInvalidShare, match="Permission denied|not permitted"):
        driver.manage_existing(models.share(), {"path": "theirs"})

    assert [name for name in tree_of(root) if name not in before] == []
