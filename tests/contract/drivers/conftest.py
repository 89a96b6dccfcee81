# SPDX-License-Identifier: Apache-2.0
"""The drivers that the contract suite is run on. To try another one, add it to SUBJECTS."""

import dataclasses
import errno
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from manila_lite.conf import btrfs, directory
from manila_lite.share.driver import ShareDriver
from manila_lite.share.drivers.btrfs import BtrfsDriver
from manila_lite.share.drivers.directory import DirectoryDriver, kernel
from manila_lite.testing import drivers, models
from tests.fixtures.namespaces import Site, info


@dataclasses.dataclass
class Subject:
    """A driver on a storage of its own.

    ``start`` gives a driver as a process has it that has just started; the storage stays. Where
    data can be looked at, ``data_of`` tells the directory of a share or a snapshot.
    """

    start: Callable[[], ShareDriver]
    data_of: Callable[[dict], Path] | None = None
    fewest_kills: int = 30
    """At how many points, at least, the creation of a snapshot can be killed."""


def no_exchange(area: int, first: str, second: str) -> None:
    raise OSError(errno.EINVAL, "as on a file system that cannot exchange two names")


def directory_subject(tmp_path: Path, exchange=kernel.exchange) -> Subject:
    root = tmp_path / "root"
    root.mkdir()

    def start() -> ShareDriver:
        driver = models.driver(DirectoryDriver, directory.OPTS, directory_root=str(root))
        driver._store._exchange = exchange
        driver.do_setup(None)
        driver.check_for_setup_error()
        return driver

    return Subject(start, data_under(root))


def btrfs_subject(root: Path) -> Subject:
    def start() -> ShareDriver:
        driver = models.driver(BtrfsDriver, btrfs.OPTS, btrfs_root=str(root))
        driver.do_setup(None)
        driver.check_for_setup_error()
        return driver

    # A subvolume is cloned at once: there are commands and names to be killed between, no files.
    return Subject(start, data_under(root), fewest_kills=10)


def data_under(root: Path) -> Callable[[dict], Path]:
    def data_of(model: dict) -> Path:
        is_snapshot = "snapshot_id" in model and "share" in model
        return root / ("snapshots" if is_snapshot else "shares") / model["name"]

    return data_of


def null_subject(tmp_path: Path) -> Subject:
    return Subject(lambda: models.driver(drivers.NullDriver))


def scripted_subject(tmp_path: Path) -> Subject:
    return Subject(lambda: models.driver(drivers.ScriptedDriver, drivers.OPTS))


SUBJECTS = {
    "directory": directory_subject,
    "directory, two renames": functools.partial(directory_subject, exchange=no_exchange),
    "btrfs": btrfs_subject,
    "null": null_subject,
    "scripted": scripted_subject,
}


NAMESPACE = "namespace"


def namespace_subject(site: Site, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """All shares are on one share server, which exports them by NFS."""
    network = info("10.9.0.10")
    site.start().setup_server(network, metadata={})
    on_server = functools.partial(models.share, share_server_id=network[0]["server_id"])
    monkeypatch.setattr(models, "share", on_server)
    return Subject(site.start, data_under(site.root), fewest_kills=10)


@pytest.fixture(params=[*SUBJECTS, NAMESPACE])
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Subject:
    if request.param == NAMESPACE:
        return namespace_subject(request.getfixturevalue("namespaces"), monkeypatch)
    on_btrfs = request.param == "btrfs"
    storage = request.getfixturevalue("btrfs_root") if on_btrfs else tmp_path
    return SUBJECTS[request.param](storage)
