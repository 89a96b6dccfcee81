# SPDX-License-Identifier: Apache-2.0
"""Shares whose contents try to lead the directory driver out of the root."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manila_lite import exception
from manila_lite.share.drivers.directory import copying, kernel, tree, usage
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, tree_of

DEPTH = 1500  # far more than descriptors, recursion or the length of a path would allow


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory outside the root that must stay as it is."""
    path = tmp_path / "victim"
    path.mkdir()
    for number in range(20):
        (path / f"precious{number}").write_text("outside the root")
    return path


@contextlib.contextmanager
def swapping(parent: Path, first: str, second: str) -> Iterator[None]:
    """Exchange two names of a directory all the time, as a client of the share could."""
    stop, descriptor = threading.Event(), os.open(parent, os.O_RDONLY)

    def swap() -> None:
        with contextlib.suppress(FileNotFoundError):
            while not stop.is_set():
                kernel.exchange(descriptor, first, second)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        os.close(descriptor)


def test_deleting_never_follows_a_link_that_takes_the_place_of_a_directory(driver, root, victim):
    for _ in range(60):
        share = models.share()
        driver.create_share(None, share)
        inner = data(root, share) / "inner"
        (inner / "real").mkdir(parents=True)
        for number in range(20):
            (inner / "real" / f"precious{number}").write_text("inside")
        (inner / "link").symlink_to(victim)

        with swapping(inner, "real", "link"):
            driver.delete_share(None, share)

        assert not data(root, share).exists()
        assert len(list(victim.iterdir())) == 20


@pytest.fixture
def swap_before_opening(monkeypatch):
    """Let a link to the victim take a directory's place right before the driver opens it."""

    def swap(name, victim):
        open_beneath = kernel.open_beneath

        def swapped(opened, parent, flags):
            if opened == name:
                monkeypatch.undo()
                os.rename(name, "moved away", src_dir_fd=parent, dst_dir_fd=parent)
                os.symlink(victim, name, dir_fd=parent)
            return open_beneath(opened, parent, flags)

        monkeypatch.setattr(kernel, "open_beneath", swapped)

    return swap


def test_deleting_stays_inside_when_a_link_comes_at_the_worst_moment(
    driver, root, share, victim, swap_before_opening
):
    (data(root, share) / "inner").mkdir()
    (data(root, share) / "inner" / "file").touch()

    swap_before_opening("inner", victim)
    driver.delete_share(None, share)

    assert not data(root, share).exists()
    assert len(list(victim.iterdir())) == 20


def test_copying_stays_inside_when_a_link_comes_at_the_worst_moment(
    driver, root, share, victim, swap_before_opening
):
    (data(root, share) / "inner").mkdir()
    (data(root, share) / "inner" / "file").touch()
    snapshot = models.snapshot(share)

    swap_before_opening("inner", victim)
    driver.create_snapshot(None, snapshot)

    assert sorted(os.listdir(data(root, snapshot))) == ["inner", "moved away"]
    assert (data(root, snapshot) / "inner").readlink() == victim


def test_copying_never_follows_a_link_that_takes_the_place_of_a_file_or_directory(
    driver, root, victim
):
    share = models.share()
    driver.create_share(None, share)
    top = data(root, share)
    (top / "directory").mkdir()
    for number in range(20):
        (top / "directory" / f"precious{number}").write_text("inside")
    (top / "link to directory").symlink_to(victim)
    (top / "file").write_text("inside")
    (top / "link to file").symlink_to(victim / "precious0")
    copies = 0

    with swapping(top, "directory", "link to directory"), swapping(top, "file", "link to file"):
        for _ in range(40):
            snapshot = models.snapshot(share)
            with contextlib.suppress(exception.BackendBusy):
                driver.create_snapshot(None, snapshot)
                copies += 1

    assert copies
    for path in (root / "snapshots").rglob("*"):
        assert path.is_symlink() or path.is_dir() or path.read_text() == "inside"


def test_a_fifo_in_the_place_of_a_file_does_not_hold_up_the_copy(driver, root, share):
    (data(root, share) / "file").write_text("inside")
    os.mkfifo(data(root, share) / "fifo")
    copies = 0

    with swapping(data(root, share), "file", "fifo"):
        for _ in range(40):
            with contextlib.suppress(exception.BackendBusy):
                driver.create_snapshot(None, models.snapshot(share))
                copies += 1

    assert copies
    assert copies == len(list((root / "snapshots").iterdir()))
    for path in (root / "snapshots").glob("*/*"):
        assert path.is_fifo() or path.read_text() == "inside"


def test_a_fifo_that_comes_at_the_worst_moment_is_copied_as_one(driver, root, share, monkeypatch):
    (data(root, share) / "file").write_text("inside")
    open_source, snapshot = copying._open_source, models.snapshot(share)

    def swapped(parent, name):
        monkeypatch.undo()
        os.unlink(name, dir_fd=parent)
        os.mkfifo(name, dir_fd=parent)
        return open_source(parent, name)

    monkeypatch.setattr(copying, "_open_source", swapped)
    driver.create_snapshot(None, snapshot)

    assert (data(root, snapshot) / "file").is_fifo()


def test_a_file_that_is_replaced_during_the_copy_is_not_mixed_up_with_its_hard_links(
    driver, root, share
):
    top = data(root, share)
    for name in ("one", "two"):
        (top / name).write_text(name)
        (top / f"{name} linked").hardlink_to(top / name)

    with swapping(top, "one", "two"):
        for _ in range(60):
            snapshot = models.snapshot(share)
            driver.create_snapshot(None, snapshot)
            copy = data(root, snapshot)
            assert (copy / "one linked").read_text() == "one"
            assert (copy / "two linked").read_text() == "two"


@pytest.mark.parametrize("bind", [False, True], ids=["another device", "the same device"])
def test_what_is_mounted_inside_a_share_is_not_deleted(driver, root, share, victim, mount, bind):
    point = data(root, share) / "inner"
    point.mkdir()
    mount(*(["--bind", str(victim)] if bind else ["-t", "tmpfs", "tmpfs"]), at=point)
    if not bind:
        (point / "precious").write_text("outside")
    before = tree_of(point)

    with pytest.raises(exception.ShareBackendException, match="another file system is mounted"):
        driver.delete_share(None, share)

    left = root / "shares" / f".trash~{share['name']}" / "inner"
    assert tree_of(left) == before
    # Back to where the fixture unmounts it.
    left.parent.rename(data(root, share))


def test_what_is_mounted_inside_a_share_is_not_copied(driver, root, share, mount):
    point = data(root, share) / "inner"
    point.mkdir()
    mount("-t", "tmpfs", "tmpfs", at=point)

    with pytest.raises(exception.ShareBackendException, match="another file system is mounted"):
        driver.create_snapshot(None, models.snapshot(share))

    assert list((root / "snapshots").iterdir()) == []


def test_a_link_in_the_place_of_a_share_is_deleted_and_not_followed(driver, root, share, victim):
    data(root, share).rmdir()
    data(root, share).symlink_to(victim)

    with pytest.raises(exception.ShareResourceNotFound):
        driver.ensure_share(None, share)
    driver.delete_share(None, share)

    assert not data(root, share).is_symlink()
    assert len(list(victim.iterdir())) == 20


def dig(top: Path) -> None:
    """Make a directory in a directory in a directory ... with a file at the bottom."""
    here = os.open(top, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("d" * 20, dir_fd=here)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def depth_of(top: Path) -> int:
    class Depth(tree.Visitor):
        deepest = now = 0

        def enter(self, name, directory):
            self.now += 1
            self.deepest = max(self.deepest, self.now)

        def leave(self, parent, name, directory, info):
            self.now -= 1

    visitor = Depth()
    descriptor = os.open(top, os.O_RDONLY)
    try:
        tree.walk(descriptor, visitor)
    finally:
        os.close(descriptor)
    return visitor.deepest


def test_a_tree_may_be_deeper_than_any_path_is_long(driver, root, share):
    dig(data(root, share))
    snapshot = models.snapshot(share)

    driver.create_snapshot(None, snapshot)

    assert depth_of(data(root, snapshot)) == DEPTH
    driver.revert_to_snapshot(None, snapshot, [], [])
    driver.delete_snapshot(None, snapshot)
    driver.delete_share(None, share)
    assert tree_of(root / "shares") == tree_of(root / "snapshots") == []


class Mover(tree.Visitor):
    """Moves directories out of the tree while the walk is in the deepest one."""

    def __init__(self, moves):
        self.moves = moves
        self.seen = []

    def enter(self, name, directory):
        if name == "deepest":
            for source, target in self.moves:
                source.rename(target)

    def entry(self, parent, name, info):
        self.seen.append(name)


def walk_and_move(top, moves):
    (top / "outer" / "inner" / "deepest").mkdir(parents=True)
    (top / "other").mkdir()
    (top / "other" / "file").touch()
    mover, descriptor = Mover(moves), os.open(top, os.O_RDONLY)
    try:
        tree.walk(descriptor, mover)
    finally:
        os.close(descriptor)
    return mover.seen


def test_a_directory_that_moves_away_does_not_take_the_walk_along(tmp_path, victim):
    top = tmp_path / "top"

    seen = walk_and_move(top, [(top / "outer" / "inner" / "deepest", victim / "moved")])

    assert seen == ["file"]


def test_a_walk_that_has_no_way_back_says_so(tmp_path, victim):
    top = tmp_path / "top"
    moves = [
        (top / "outer" / "inner" / "deepest", victim / "moved"),
        (top / "outer", victim / "outer"),
    ]

    with pytest.raises(tree.TreeChanged):
        walk_and_move(top, moves)


def test_a_directory_that_may_be_read_and_not_searched_has_a_way_back(
    public_path, as_ordinary_user
):
    def walk():
        for name in ("a", "b", "c"):
            (public_path / "top" / "inner" / name).mkdir(parents=True)
            (public_path / "top" / "inner" / name).chmod(0o400)
        descriptor = os.open(public_path / "top", os.O_RDONLY)
        assert usage.used_bytes(descriptor) >= 0
        os.close(descriptor)

    as_ordinary_user(walk)
    assert subprocess.run(["find", str(public_path)], check=True, capture_output=True).stdout


def test_names_that_are_no_text_are_copied_and_deleted(driver, root, share):
    top = os.fsencode(data(root, share))
    for name in (b"\xff", b"\xfe\n\xff", b"-", b"~", b".new~x", b"\x01"):
        os.mkdir(os.path.join(top, name))
        with open(os.path.join(top, name, name), "wb") as file:
            file.write(name)
    snapshot = models.snapshot(share)

    driver.create_snapshot(None, snapshot)

    assert trees.describe(data(root, snapshot)) == trees.describe(data(root, share))
    driver.delete_share(None, share)
    assert tree_of(root / "shares") == []
