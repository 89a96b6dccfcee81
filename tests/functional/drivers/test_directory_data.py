# SPDX-License-Identifier: Apache-2.0
"""Copying one file: each way that a file system may force, with the same result."""

import errno
import os

import pytest

from manila_lite.share.drivers.directory import kernel
from manila_lite.share.drivers.directory.filedata import DataCopier
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data

MIB = 1 << 20


@pytest.fixture
def source(tmp_path):
    """Data at the start, a hole, data with an odd length, a hole at the end."""
    path = tmp_path / "source"
    with path.open("wb") as file:
        file.write(os.urandom(3 * MIB))
        file.seek(20 * MIB)
        file.write(os.urandom(MIB + 77))
        file.truncate(40 * MIB)
    return path


def copied(copier, source, target):
    counts = []
    with source.open("rb") as origin, target.open("xb") as new:
        copier.copy(origin.fileno(), new.fileno(), counts.append)
    assert target.read_bytes() == source.read_bytes()
    return sum(counts)


def failing_with(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


def test_data_and_holes_are_copied_and_the_data_are_counted(source, tmp_path):
    count = copied(DataCopier(reflink=False), source, tmp_path / "target")

    assert 4 * MIB <= count < 5 * MIB
    assert (tmp_path / "target").stat().st_blocks * 512 < 6 * MIB


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
def test_where_the_kernel_does_not_copy_the_driver_does(source, tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "copy_file_range", failing_with(number))

    assert copied(DataCopier(reflink=False), source, tmp_path / "target") >= 4 * MIB


def test_where_holes_cannot_be_asked_for_all_is_data(source, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "lseek", failing_with(errno.EINVAL))

    assert copied(DataCopier(reflink=False), source, tmp_path / "target") == 40 * MIB


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EXDEV, errno.EINVAL, errno.ENOTTY])
def test_a_file_that_cannot_be_reflinked_is_copied(source, tmp_path, monkeypatch, number):
    monkeypatch.setattr(kernel, "clone_file", failing_with(number))
    copier = DataCopier()

    copied(copier, source, tmp_path / "target")

    assert (copier.reflinked, copier.copied) == (0, 1)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_an_error_that_means_something_is_not_taken_for_a_missing_feature(
    source, tmp_path, monkeypatch, number
):
    monkeypatch.setattr(kernel, "clone_file", failing_with(number))
    with pytest.raises(OSError) as caught:
        copied(DataCopier(), source, tmp_path / "one")
    assert caught.value.errno == number

    monkeypatch.setattr(os, "copy_file_range", failing_with(number))
    with pytest.raises(OSError) as caught:
        copied(DataCopier(reflink=False), source, tmp_path / "two")
    assert caught.value.errno == number


def test_a_file_that_is_cut_short_meanwhile_is_copied_as_far_as_it_goes(source, tmp_path):
    target = tmp_path / "target"

    with source.open("r+b") as origin, target.open("xb") as new:
        copier = DataCopier(reflink=False)
        copier.copy(origin.fileno(), new.fileno(), lambda count: origin.truncate(2 * MIB))

    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_size == 2 * MIB


@pytest.mark.parametrize("content", [b"", b"x"])
def test_the_smallest_files_are_copied_too(tmp_path, content):
    (tmp_path / "source").write_bytes(content)

    assert copied(DataCopier(), tmp_path / "source", tmp_path / "target") >= len(content)


@pytest.mark.parametrize(("files", "all_at_once"), [(3, False), (150, True)])
def test_a_copy_is_on_the_disk_before_it_has_its_name(
    driver, root, share, monkeypatch, files, all_at_once
):
    for number in range(files):
        (data(root, share) / f"file{number}").write_bytes(b"content")
    snapshot, written, together = models.snapshot(share), set(), []
    fsync, sync_file_system = os.fsync, kernel.sync_file_system

    def watched_fsync(descriptor):
        if not data(root, snapshot).exists():
            written.add(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def watched_sync(descriptor):
        together.append(data(root, snapshot).exists())
        sync_file_system(descriptor)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(kernel, "sync_file_system", watched_sync)
    driver.create_snapshot(None, snapshot)

    names = {f"file{number}" for number in range(files)}
    assert together == ([False] if all_at_once else [])
    assert names <= written or all_at_once
    assert trees.describe(data(root, snapshot)) == trees.describe(data(root, share))
