# SPDX-License-Identifier: Apache-2.0
"""Owner, mode, times and extended attributes of a copy."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

_NOT_KEPT: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENODATA})
_NOT_PERMITTED: Final = frozenset({errno.EPERM, errno.EINVAL})


def copy_attributes(source: int, target: int, info: os.stat_result) -> None:
    """Give an open file or directory what ``source`` has; ``info`` is how it was before reading.

    What an ordinary user may not set (a foreign owner, ``trusted.`` and ``security.`` attributes)
    is left. Raises OSError only for what no permission explains, such as a full disk.
    """
    owner_kept = _copy_owner(target, info)
    _copy_xattrs(source, target)
    mode = stat.S_IMODE(info.st_mode)
    if not owner_kept and not stat.S_ISDIR(info.st_mode):
        # Else a program that ran as its owner would now run as this service's user.
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    os.fchmod(target, mode)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def copy_link_attributes(target_directory: int, name: str, info: os.stat_result) -> None:
    """As above for a symbolic link, FIFO, socket or device that this copy has just made."""
    with _unless_not_permitted():
        os.chown(name, info.st_uid, info.st_gid, dir_fd=target_directory, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(name, stat.S_IMODE(info.st_mode) & 0o1777, dir_fd=target_directory)
    times = (info.st_atime_ns, info.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target_directory, follow_symlinks=False)


def _copy_owner(target: int, info: os.stat_result) -> bool:
    """Whether the copy has the owner and group of the source now."""
    present = os.fstat(target)
    if (present.st_uid, present.st_gid) == (info.st_uid, info.st_gid):
        return True
    try:
        os.fchown(target, info.st_uid, info.st_gid)
    except OSError as error:
        if error.errno not in _NOT_PERMITTED:
            raise
        with _unless_not_permitted():
            os.fchown(target, -1, info.st_gid)
        return False
    return True


def _copy_xattrs(source: int, target: int) -> None:
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return
    for name in names:
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in _NOT_KEPT:
                raise


@contextlib.contextmanager
def _unless_not_permitted() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_PERMITTED:
            raise
