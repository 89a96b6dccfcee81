# SPDX-License-Identifier: Apache-2.0
"""Copying a tree with all that a file system knows of it.

Kept: contents with holes, mode, times, extended attributes and ACLs, hard links within the tree,
symbolic links as they are, any name, FIFOs and sockets (made anew, with nobody listening), and the
owner where this user may give files away. Device nodes are made where this user may make them;
else they are left out, and the log says how many.

A directory that is in use is copied entry by entry: each file as it is when it is reached (at once
where the file system has reflinks), the tree as a whole at no single moment.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat

from manila_lite.share.drivers.directory import attributes, tree
from manila_lite.share.drivers.directory.filedata import DataCopier, Progress
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY

LOG = logging.getLogger(__name__)

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_tree(source: int, target: int, links: int, data: DataCopier, progress: Progress) -> None:
    """Copy all that is in the directory ``source`` into the empty directory ``target``.

    ``links`` is an empty directory on the same file system, in which files with several names get
    one more until the copy is complete; the caller removes it. Raises TreeChanged when the source
    is moved about meanwhile (start again with an empty target), OSError as reading and writing do.
    """
    info = os.fstat(source)
    copy = _TreeCopy(os.dup(target), links, data, progress)
    try:
        tree.walk(source, copy)
        attributes.copy_attributes(source, target, info)
    finally:
        copy.close()
    if copy.left_out:
        LOG.warning("%d device nodes could not be copied, which takes root.", copy.left_out)


class _TreeCopy(tree.Visitor):
    """Follows the walk with a descriptor of its own in the target."""

    def __init__(self, target: int, links: int, data: DataCopier, progress: Progress) -> None:
        self._target = target
        self._above: list[tuple[int, int]] = []
        self._links = links
        self._data = data
        self._progress = progress
        self.left_out = 0

    def close(self) -> None:
        os.close(self._target)

    def enter(self, name: str, directory: int) -> None:
        os.mkdir(name, 0o700, dir_fd=self._target)
        below = os.open(name, OPEN_DIRECTORY, dir_fd=self._target)
        self._above.append(tree.identity(os.fstat(self._target)))
        os.close(self._target)
        self._target = below

    def leave(self, parent: int, name: str, directory: int, info: os.stat_result) -> None:
        above = os.open("..", OPEN_DIRECTORY, dir_fd=self._target)
        filled, self._target = self._target, above
        try:
            if tree.identity(os.fstat(above)) != self._above.pop():
                raise tree.TreeChanged(name)
            attributes.copy_attributes(directory, filled, info)
        finally:
            os.close(filled)

    def entry(self, parent: int, name: str, info: os.stat_result) -> None:
        if stat.S_ISREG(info.st_mode):
            self._open_file(parent, name)
        elif not self._linked(name, info) and self._special(parent, name, info):
            attributes.copy_link_attributes(self._target, name, info)
            self._remember(name, info)

    def _open_file(self, parent: int, name: str) -> None:
        source = _open_source(parent, name)
        if source is None:
            return
        try:
            self._file(source, name)
        finally:
            os.close(source)

    def _file(self, source: int, name: str) -> None:
        """``fstat`` is the truth: the name may mean another file than it did in the listing."""
        info = os.fstat(source)
        if not stat.S_ISREG(info.st_mode):
            raise tree.TreeChanged(name)
        if self._linked(name, info):
            return
        target = os.open(name, _CREATE, 0o600, dir_fd=self._target)
        try:
            self._data.copy(source, target, self._progress)
            attributes.copy_attributes(source, target, info)
            self._data.write_out(target)
        finally:
            os.close(target)
        self._remember(name, info)

    def _special(self, parent: int, name: str, info: os.stat_result) -> bool:
        if not stat.S_ISLNK(info.st_mode):
            return self._make_node(name, info)
        destination = _read_link(parent, name)
        if destination is None:
            return False
        os.symlink(destination, name, dir_fd=self._target)
        return True

    def _make_node(self, name: str, info: os.stat_result) -> bool:
        try:
            kind = stat.S_IFMT(info.st_mode)
            os.mknod(name, kind | 0o600, info.st_rdev, dir_fd=self._target)
        except PermissionError:
            self.left_out += 1
            return False
        return True

    def _linked(self, name: str, info: os.stat_result) -> bool:
        """Whether an earlier name of this inode was copied, and this one is now a link to it."""
        if info.st_nlink < 2:
            return False
        try:
            os.link(
                _link_name(info), name,
                src_dir_fd=self._links, dst_dir_fd=self._target, follow_symlinks=False,
            )  # fmt: skip
        except FileNotFoundError:
            return False
        return True

    def _remember(self, name: str, info: os.stat_result) -> None:
        if info.st_nlink > 1:
            with contextlib.suppress(FileExistsError):
                os.link(
                    name, _link_name(info),
                    src_dir_fd=self._target, dst_dir_fd=self._links, follow_symlinks=False,
                )  # fmt: skip


def _link_name(info: os.stat_result) -> str:
    return f"{info.st_dev:x}-{info.st_ino:x}"


def _open_source(parent: int, name: str) -> int | None:
    """None for a file that is gone. Never waits for the other end of a FIFO put in its place."""
    try:
        return os.open(name, _READ, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
            raise tree.TreeChanged(name) from error
        raise


def _read_link(parent: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise tree.TreeChanged(name) from error
        raise
