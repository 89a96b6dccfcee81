# SPDX-License-Identifier: Apache-2.0
"""The drivers that the contract suite is run on. To try another one, add it to SUBJECTS."""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path

from manila_lite import process
from manila_lite.conf import nfs as nfs_options
from manila_lite.conf.localfs import localfs_opts
from manila_lite.testing import volume_models
from manila_lite.volume.drivers.localfs import LocalFsDriver
from manila_lite.volume.drivers.nfs import NfsDriver


@dataclasses.dataclass
class Subject:
    """A driver on a storage of its own with two shares.

    ``start`` gives a driver as a process has it that has just started; the storage stays.
    """

    start: Callable[[], object]
    directories: list[Path]
    image_format: str = "raw"

    def files(self) -> set[str]:
        """Names of all files on all shares, but for markers."""
        return {
            path.name
            for directory in self.directories
            for path in directory.iterdir()
            if not path.name.startswith(".")
        }


class DirectoryClient:
    """Mounts a share by making its directory: NfsDriver without NFS."""

    def __init__(self, base):
        self._base = base

    def get_mount_point(self, share):
        return os.path.join(self._base, share.encode().hex())

    def mount(self, share, flags=None):
        os.makedirs(self.get_mount_point(share), exist_ok=True)


class NfsOnDirectories(NfsDriver):
    def _make_client(self, execute):
        return DirectoryClient(self.base)

    def _check_mount_program(self):
        pass


def _started(build, opts, tmp_path, **options):
    driver = volume_models.driver(build, opts, state_path=str(tmp_path / "state"), **options)
    driver.do_setup(None)
    driver.check_for_setup_error()
    driver.set_initialized()
    return driver


def localfs(tmp_path: Path, **options) -> Subject:
    directories = [tmp_path / "first", tmp_path / "second"]
    start = functools.partial(
        _started, LocalFsDriver, localfs_opts, tmp_path,
        localfs_volume_dir=[str(directory) for directory in directories], **options,
    )  # fmt: skip
    return _subject(start, directories, options, "localfs")


def nfs_on_directories(tmp_path: Path, **options) -> Subject:
    shares = tmp_path / "shares"
    shares.write_text("a:/srv\nb:/srv\n")
    base = tmp_path / "mnt"
    directories = [base / share.encode().hex() for share in ("a:/srv", "b:/srv")]
    start = functools.partial(
        _started, NfsOnDirectories, nfs_options.nfs_opts, tmp_path,
        nfs_shares_config=str(shares), nfs_mount_point_base=str(base),
        nfs_snapshot_support=True, **options,
    )  # fmt: skip
    return _subject(start, directories, options, "nfs")


class NfsWithoutKernel(NfsDriver):
    """NfsDriver as it is, but for what the kernel of this machine may lack."""

    def _check_mount_program(self):
        pass


def nfs(tmp_path: Path, server, **options) -> Subject:
    """NfsDriver on a real server: mount -t nfs is the server fixture's own client."""
    shares, base = tmp_path / "shares", tmp_path / "mnt"
    shares.write_text("".join(f"{share} -o hard\n" for share in server.shares))

    def execute(*command, **settings):
        if command[:3] == ("mount", "-t", "nfs"):
            server.mount(*command[-2:])
            return "", ""
        return process.execute(*command, **settings)

    start = functools.partial(
        _started, functools.partial(NfsWithoutKernel, execute), nfs_options.nfs_opts, tmp_path,
        nfs_shares_config=str(shares), nfs_mount_point_base=str(base),
        nfs_snapshot_support=True, **options,
    )  # fmt: skip
    return _subject(start, server.exports, options, "nfs")


def _subject(start, directories, options, prefix):
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
    image_format = "qcow2" if options.get(f"{prefix}_qcow2_volumes") else "raw"
    return Subject(start, directories, image_format)


# Slow: some 10 MB/s, and 1 GiB to be read for each copy of a volume.
MOUNTED = {"nfs, qcow2": functools.partial(nfs, nfs_qcow2_volumes=True)}
SUBJECTS = {
    "localfs": localfs,
    "localfs, qcow2": functools.partial(localfs, localfs_qcow2_volumes=True),
    "nfs on directories": nfs_on_directories,
}
