# SPDX-License-Identifier: Apache-2.0
"""Roots for the directory driver, on real file systems where the machine lets us mount them."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manila_lite.conf import btrfs, directory, exports
from manila_lite.conf.share_driver import ganesha_opts
from manila_lite.share.drivers.btrfs import BtrfsDriver
from manila_lite.share.drivers.directory import DirectoryDriver
from manila_lite.testing import models

NOBODY = 65534


def start(root: Path, **options: object) -> DirectoryDriver:
    driver = models.driver(DirectoryDriver, directory.OPTS, directory_root=str(root), **options)
    driver.do_setup(None)
    driver.check_for_setup_error()
    return driver


def start_on_btrfs(root: Path, execute: object = None, **options: object) -> BtrfsDriver:
    driver = models.driver(
        BtrfsDriver, [*btrfs.OPTS, *exports.OPTS, *ganesha_opts], btrfs_root=str(root), **options
    )
    if execute is not None:
        driver.set_execute(execute)
    driver.do_setup(None)
    driver.check_for_setup_error()
    return driver


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def driver(root: Path) -> DirectoryDriver:
    return start(root)


@pytest.fixture
def start_driver() -> Callable[..., DirectoryDriver]:
    return start


@pytest.fixture
def start_btrfs() -> Callable[..., BtrfsDriver]:
    return start_on_btrfs


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount something for the length of a test: mount("-t", "tmpfs", "tmpfs") gives the path."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    with contextlib.ExitStack() as stack:

        def mount(*arguments: str, at: Path | None = None) -> Path:
            point = at or tmp_path / f"mount{len(list(tmp_path.iterdir()))}"
            point.mkdir(exist_ok=True)
            subprocess.run(["mount", *arguments, str(point)], check=True, capture_output=True)
            stack.callback(subprocess.run, ["umount", str(point)], check=True)
            return point

        yield mount


@pytest.fixture(params=["xfs", "btrfs"])
def reflinking(request, tmp_path: Path, mount: Callable[..., Path]) -> Path:
    """A mounted file system with reflinks, on a sparse file of 400 MiB."""
    command = {"xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"], "btrfs": ["mkfs.btrfs", "-q"]}
    if shutil.which(f"mkfs.{request.param}") is None:
        pytest.skip(f"mkfs.{request.param} is not installed")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    subprocess.run([*command[request.param], str(image)], check=True, capture_output=True)
    return mount("-o", "loop", str(image))


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A directory that other users can reach, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="manila-lite-"))
    path.chmod(0o777)
    try:
        yield path
    finally:
        subprocess.run(["rm", "-rf", str(path)], check=True)


@pytest.fixture
def as_ordinary_user() -> Callable[[Callable[[], object]], None]:
    """Run a function as an ordinary user; in a child process where the tests run as root."""

    def run(function: Callable[[], object]) -> None:
        if os.geteuid() != 0:
            function()
            return
        child = os.fork()
        if child == 0:
            _become_nobody_and_exit(function)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, "see standard error for what failed"

    return run


def _become_nobody_and_exit(function: Callable[[], object]) -> None:
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        function()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


@pytest.fixture
def share(driver: DirectoryDriver) -> dict:
    model = models.share(2)
    driver.create_share(None, model)
    return model
