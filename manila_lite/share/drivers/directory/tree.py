# SPDX-License-Identifier: Apache-2.0
"""A walk through a directory tree that others may be changing meanwhile.

The walk holds one descriptor, however deep the tree is, and goes from directory to directory by
it: no path is resolved from the top, no symbolic link is followed and no other mount is entered.
On its way up it makes sure that ``..`` is the directory it came from, so a directory that is moved
while the walk is inside cannot lead it elsewhere.

What the walk does not give is a point in time: an entry made behind it is not seen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat

from manila_lite.share.drivers.directory import kernel
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY


class TreeChanged(Exception):
    """An entry turned into something else under the walk; a new walk may go through."""


class Visitor:
    """What a walk does. The default does nothing and enters every directory.

    ``parent`` is a descriptor that is valid during the call only.
    """

    def open(self, parent: int, name: str) -> int:
        """Open a directory for the walk to enter."""
        return kernel.open_beneath(name, parent, OPEN_DIRECTORY)

    def entry(self, parent: int, name: str, info: os.stat_result) -> None:
        """Deal with an entry that is no directory; ``info`` may be out of date already."""

    def enter(self, name: str, directory: int) -> None:
        """Deal with a directory below the top before its entries."""

    def leave(self, parent: int, name: str, directory: int, info: os.stat_result) -> None:
        """Deal with a directory below the top after its entries."""


@dataclasses.dataclass
class _Frame:
    name: str
    info: os.stat_result
    pending: list[str]

    @property
    def identity(self) -> tuple[int, int]:
        return identity(self.info)


def identity(info: os.stat_result) -> tuple[int, int]:
    """What tells one inode of the machine from all others."""
    return info.st_dev, info.st_ino


def walk(top: int, visitor: Visitor) -> None:
    """Visit all that lies below the directory ``top``, children before ``leave`` of the parent.

    Entries that vanish are passed over. Raises TreeChanged, and what the visitor raises.
    """
    _Walk(top, visitor).run()


class _Walk:
    def __init__(self, top: int, visitor: Visitor) -> None:
        self._top = top
        self._visitor = visitor
        self._here = -1
        self._frames: list[_Frame] = []

    def run(self) -> None:
        self._here = os.dup(self._top)
        try:
            self._scan("")
            while self._frames:
                frame = self._frames[-1]
                if frame.pending:
                    self._down(frame.pending.pop())
                else:
                    self._up()
        finally:
            os.close(self._here)

    def _scan(self, name: str) -> None:
        """Visit what is no directory at once, so that only names of directories are kept."""
        frame = _Frame(name, os.fstat(self._here), [])
        with os.scandir(self._here) as entries:
            for entry in entries:
                try:
                    info = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                self._sort(frame, entry.name, info)
        self._frames.append(frame)

    def _sort(self, frame: _Frame, name: str, info: os.stat_result) -> None:
        if stat.S_ISDIR(info.st_mode):
            frame.pending.append(name)
        else:
            self._visitor.entry(self._here, name, info)

    def _down(self, name: str) -> None:
        try:
            child = self._visitor.open(self._here, name)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise TreeChanged(name) from error
            raise
        self._visitor.enter(name, child)
        os.close(self._here)
        self._here = child
        self._scan(name)

    def _up(self) -> None:
        frame = self._frames.pop()
        if not self._frames:
            return
        parent = self._parent()
        directory, self._here = self._here, parent
        try:
            self._visitor.leave(parent, frame.name, directory, frame.info)
        finally:
            os.close(directory)

    def _parent(self) -> int:
        wanted = self._frames[-1].identity
        for way in (self._parent_by_dots, self._parent_by_names):
            with contextlib.suppress(OSError):
                parent = way()
                if identity(os.fstat(parent)) == wanted:
                    return parent
                os.close(parent)
        raise TreeChanged(self._frames[-1].name)

    def _parent_by_dots(self) -> int:
        return os.open("..", OPEN_DIRECTORY, dir_fd=self._here)

    def _parent_by_names(self) -> int:
        """For a directory that may be read and not searched: it has no way up."""
        here = os.dup(self._top)
        for frame in self._frames[1:]:
            try:
                below = self._visitor.open(here, frame.name)
            finally:
                os.close(here)
            here = below
        return here
