# SPDX-License-Identifier: Apache-2.0
"""Linux calls that Python's os module lacks. Each has a fallback or an OSError that says so."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from typing import Final

FICLONE: Final = 0x40049409
RENAME_EXCHANGE: Final = 2
_SYS_OPENAT2: Final = 437  # the same number on every architecture
_RESOLVE: Final = 0x01 | 0x04 | 0x08  # no other mount, no symbolic link, nothing above
_UNSUPPORTED: Final = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.ENOTTY}
)

_libc = ctypes.CDLL(None, use_errno=True)


def clone_file(source: int, target: int) -> None:
    """Let ``target`` share the blocks of ``source``; OSError where the file system cannot."""
    fcntl.ioctl(target, FICLONE, source)


def exchange(area: int, first: str, second: str) -> None:
    """Swap two names of one directory at once; OSError(EINVAL) where the file system cannot."""
    try:
        call = _libc.renameat2
    except AttributeError:
        raise OSError(errno.EINVAL, "renameat2 is missing") from None
    _check(call(area, os.fsencode(first), area, os.fsencode(second), RENAME_EXCHANGE), first)


def is_unsupported(error: OSError) -> bool:
    """Whether the kernel or the file system does not offer the call at all."""
    return error.errno in _UNSUPPORTED


def open_beneath(name: str, parent: int, flags: int) -> int:
    """Open one entry of ``parent`` without following a link or entering another mount.

    OSError(EXDEV) for a mount point. Where the kernel is older than 5.6 or forbids the call,
    only a mount of another device is noticed.
    """
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE)
    arguments = (ctypes.c_long(parent), os.fsencode(name), how, ctypes.c_size_t(len(how)))
    descriptor = _libc.syscall(ctypes.c_long(_SYS_OPENAT2), *arguments)
    if descriptor >= 0:
        return int(descriptor)
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EPERM, errno.E2BIG):
        return _open_on_device(name, parent, flags)
    raise OSError(number, os.strerror(number), name)


def _open_on_device(name: str, parent: int, flags: int) -> int:
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    if os.fstat(descriptor).st_dev != os.fstat(parent).st_dev:
        os.close(descriptor)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return descriptor


def sync_file_system(descriptor: int) -> None:
    """Write out everything of the file system of ``descriptor``; raises what writing raised."""
    _check(_libc.syncfs(descriptor), None)


def fsync_directory(descriptor: int) -> None:
    """Make the names of a directory durable, where the file system has such a notion."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_unsupported(error):
            raise


def _check(result: int, name: str | None) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
