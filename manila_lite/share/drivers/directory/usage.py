# SPDX-License-Identifier: Apache-2.0
"""How much a tree takes."""

from __future__ import annotations

import os

from manila_lite.share.drivers.directory import tree

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own blocks are
_GIB = 1 << 30


def used_bytes(top: int) -> int:
    """Bytes allocated to a tree, hard-linked files once, holes not at all.

    Blocks that reflinks share with other trees are counted here too: that is what the tree would
    take by itself. Raises TreeChanged when the tree is being moved about.
    """
    meter = _Meter()
    tree.walk(top, meter)
    return meter.total


def allocated(info: os.stat_result) -> int:
    """Bytes allocated to one inode."""
    return info.st_blocks * _BLOCK


def whole_gib(size: int) -> int:
    """GiB that hold so many bytes; at least 1, the smallest size of a share."""
    return max(1, -(-size // _GIB))


def gib(size: int) -> float:
    """Bytes as GiB, to the precision that a scheduler looks at."""
    return round(size / _GIB, 2)


class _Meter(tree.Visitor):
    def __init__(self) -> None:
        self.total = 0
        self._linked: set[tuple[int, int]] = set()

    def enter(self, name: str, directory: int) -> None:
        self.total += allocated(os.fstat(directory))

    def entry(self, parent: int, name: str, info: os.stat_result) -> None:
        if info.st_nlink > 1:
            if tree.identity(info) in self._linked:
                return
            self._linked.add(tree.identity(info))
        self.total += allocated(info)
