# SPDX-License-Identifier: Apache-2.0
"""Removing a tree for good, whatever its contents do meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from manila_lite import exception
from manila_lite.share.drivers.directory import kernel, tree
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY

_PASSES = 20
# Somebody else removed it, put something into it, or put something else in its place.
_CHANGED = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


def remove(parent: int, name: str) -> None:
    """Remove one entry of a directory and all below it; nothing happens when it is absent.

    Never follows a link and never enters another mount: a mount point inside is an OSError(EXDEV)
    and stays. Safe to repeat after a kill. BackendBusy while somebody keeps filling the tree.
    """
    for _ in range(_PASSES):
        with contextlib.suppress(tree.TreeChanged):
            if _remove_once(parent, name):
                return
    raise exception.BackendBusy(reason=f"{name} fills up again while it is being removed")


def _remove_once(parent: int, name: str) -> bool:
    remover = _Remover()
    try:
        top = remover.open(parent, name)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        os.unlink(name, dir_fd=parent)
        return True
    try:
        tree.walk(top, remover)
    finally:
        os.close(top)
    return _remove_directory(parent, name)


def _remove_directory(parent: int, name: str) -> bool:
    """Whether the directory is gone; a directory that is not empty any more is left."""
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in _CHANGED:
            raise
        return error.errno == errno.ENOENT
    return True


class _Remover(tree.Visitor):
    def open(self, parent: int, name: str) -> int:
        """As an ordinary user, directories without rwx for their owner need them first."""
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
        handle = kernel.open_beneath(name, parent, flags)
        try:
            grant_owner(handle)
            return os.open(".", OPEN_DIRECTORY, dir_fd=handle)
        finally:
            os.close(handle)

    def entry(self, parent: int, name: str, info: os.stat_result) -> None:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(name, dir_fd=parent)

    def leave(self, parent: int, name: str, directory: int, info: os.stat_result) -> None:
        _remove_directory(parent, name)


def grant_owner(handle: int) -> None:
    """Let the owner of a directory into it, by a descriptor that need not be readable."""
    mode = stat.S_IMODE(os.fstat(handle).st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        with contextlib.suppress(PermissionError):
            os.chmod(f"/proc/self/fd/{handle}", mode | stat.S_IRWXU)
