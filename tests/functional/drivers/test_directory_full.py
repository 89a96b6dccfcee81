# SPDX-License-Identifier: Apache-2.0
"""The directory driver on disks without room."""

import errno
import os

import pytest

from manila_lite import exception
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, tree_of


def fill_up(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            return


def assert_final_and_names(error, root):
    assert exception.classify(error) is exception.ErrorKind.FINAL
    assert str(root) in str(error)
    assert "bytes" in str(error)


def test_a_copy_that_cannot_fit_is_refused_before_it_begins(mount, start_driver):
    root = mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
    driver, share = start_driver(root), models.share()
    driver.create_share(None, share)
    (data(root, share) / "big").write_bytes(os.urandom(9 << 20))
    before, content = tree_of(root), trees.describe(data(root, share))
    copied = []
    driver._progress._add = lambda name, count: copied.append(count)

    with pytest.raises(exception.ShareBackendFull, match="needs 94") as caught:
        driver.create_snapshot(None, models.snapshot(share))

    assert copied == []
    assert_final_and_names(caught.value, root)
    assert tree_of(root) == before
    assert trees.describe(data(root, share)) == content


def test_a_disk_that_fills_up_during_a_copy_leaves_nothing_of_it(mount, start_driver):
    root = mount("-t", "tmpfs", "-o", "size=64m,nr_inodes=60", "tmpfs")
    driver, share = start_driver(root), models.share()
    driver.create_share(None, share)
    for number in range(30):
        (data(root, share) / f"file{number}").write_bytes(os.urandom(1000))
    snapshot = models.snapshot(share)
    before, content = tree_of(root), trees.describe(data(root, share))

    with pytest.raises(exception.ShareBackendFull) as caught:
        driver.create_snapshot(None, snapshot)

    assert_final_and_names(caught.value, root)
    assert tree_of(root) == before
    assert trees.describe(data(root, share)) == content


def test_a_revert_that_does_not_fit_leaves_the_share_as_it_was(mount, start_driver):
    root = mount("-t", "tmpfs", "-o", "size=24m", "tmpfs")
    driver, share = start_driver(root), models.share()
    driver.create_share(None, share)
    (data(root, share) / "big").write_bytes(os.urandom(9 << 20))
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    (data(root, share) / "later").write_text("new")
    before, content = tree_of(root), trees.describe(data(root, share))

    with pytest.raises(exception.ShareBackendFull):
        driver.revert_to_snapshot(None, snapshot, [], [])

    assert tree_of(root) == before
    assert trees.describe(data(root, share)) == content


def test_a_share_can_be_deleted_from_a_disk_without_a_byte_left(reflinking, start_driver):
    driver, share, other = start_driver(reflinking), models.share(), models.share()
    driver.create_share(None, share)
    driver.create_share(None, other)
    fill_up(data(reflinking, share) / "big")

    with pytest.raises(exception.ShareBackendFull, match=str(reflinking)):
        # What is too little for a block of data may be enough for the names of some shares.
        for _ in range(10_000):
            driver.create_share(None, models.share())
    driver.delete_share(None, share)

    assert not data(reflinking, share).exists()
    assert driver.ensure_share(None, other)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_share_is_deleted_in_place_where_not_even_another_name_fits(
    driver, root, share, monkeypatch, number
):
    (data(root, share) / "file").write_text("content")

    def rename(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rename", rename)
    driver.delete_share(None, share)

    assert list((root / "shares").iterdir()) == []
    assert list((root / ".metadata" / "shares").iterdir()) == []
