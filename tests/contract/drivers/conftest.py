# SPDX-License-Identifier: Apache-2.0
"""The drivers that the contract suite is run on. To try another one, add it to SUBJECTS."""

import dataclasses
import errno
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manila_lite.conf import btrfs, directory
from manila_lite.share.driver import ShareDriver
from manila_lite.share.drivers.btrfs import BtrfsDriver
from manila_lite.share.drivers.directory import DirectoryDriver, kernel
from manila_lite.testing import drivers, models
from tests.fixtures.namespaces import Site, info, site_on


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
    kill_step: int = 1
    """1 for all points; more where every point takes long."""


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


@pytest.fixture(scope="session")
def share_server(btrfs_file_system: Path) -> Iterator[tuple[Site, str]]:
    """A share server for all tests: to set one up takes longer than most of them."""
    root = btrfs_file_system / "tenants"
    root.mkdir()
    with site_on(root) as site:
        network = info("10.9.0.10")
        site.start().setup_server(network, metadata={})
        yield site, network[0]["server_id"]


@pytest.fixture
def tenants(
    share_server: tuple[Site, str], btrfs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    """A storage of its own for each test. All shares are on one server, which exports them."""
    site, server_id = share_server
    monkeypatch.setattr(site, "root", btrfs_root)
    on_server = functools.partial(models.share, share_server_id=server_id)
    monkeypatch.setattr(models, "share", on_server)
    # The points between are those of the btrfs driver.
    yield Subject(site.start, data_under(btrfs_root), fewest_kills=10, kill_step=4)
    exporting = site.start()._exporting
    for area in ("shares", "snapshots"):
        for path in (btrfs_root / area).iterdir():
            exporting.remove_path([area, path.name])


@pytest.fixture(params=[*SUBJECTS, NAMESPACE])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    if request.param == NAMESPACE:
        tenants: Subject = request.getfixturevalue("tenants")
        return tenants
    on_btrfs = request.param == "btrfs"
    storage = request.getfixturevalue("btrfs_root") if on_btrfs else tmp_path
    return SUBJECTS[request.param](storage)
