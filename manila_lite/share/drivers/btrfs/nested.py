# SPDX-License-Identifier: Apache-2.0
"""Subvolumes that somebody has made inside a share.

The driver makes none there; whoever can run btrfs on a share's files can. They go with the share.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from manila_lite import exception
from manila_lite.share.drivers.btrfs import calls
from manila_lite.share.drivers.directory import kernel, tree
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY

_PASSES = 20


def remove_inside(parent: int, name: str) -> None:
    """Delete the subvolumes inside one entry of a directory, the innermost first.

    Never leaves the entry: by descriptors, without following a link. PermissionError where the
    service may not look into it, BackendBusy while somebody makes more of them.
    """
    for _ in range(_PASSES):
        with contextlib.suppress(tree.TreeChanged), _opened(parent, name) as top:
            make_writable(top)
            tree.walk(top, _Remover())
            return
    raise exception.BackendBusy(reason=f"{name} changes all the time while it is being removed")


def make_writable(descriptor: int) -> None:
    """Let entries of a read-only subvolume be removed."""
    if calls.is_subvolume(os.fstat(descriptor)):
        calls.set_read_only(descriptor, False)


@contextlib.contextmanager
def _opened(parent: int, name: str) -> Iterator[int]:
    descriptor = kernel.open_beneath(name, parent, OPEN_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Remover(tree.Visitor):
    def enter(self, name: str, directory: int) -> None:
        make_writable(directory)

    def leave(self, parent: int, name: str, directory: int, info: os.stat_result) -> None:
        if calls.is_subvolume(info):
            with contextlib.suppress(FileNotFoundError):
                calls.destroy(parent, name)
