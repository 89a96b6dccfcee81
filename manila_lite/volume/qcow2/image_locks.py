# SPDX-License-Identifier: Apache-2.0
"""Who holds an image: qemu's own locks, asked for and taken.

qemu locks bytes of the image file itself: byte 100 + n says that permission n is in use, and byte
200 + n that nobody else may have it; permission 1 is writing. The locks belong to open file
descriptions (F_OFD_SETLK), all are shared ones, and who wants to know tests with an exclusive one.
That holds for raw and qcow2 alike, while `qemu-img info` succeeds on a raw image that is in use.

Guests on other hosts are seen as far as the file system shares locks between hosts: NFSv4 does,
a mount with local locks does not. So an image that seems free is no proof by itself.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from typing import Final

from manila_lite import exception

_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, process; padded
_FIRST: Final = 100
_WRITING: Final = _FIRST + 1
_ALL: Final = 200  # permissions in use, and the ones that are not shared
_NO_LOCKS_HERE: Final = frozenset(
    {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EACCES, errno.EPERM}
)


class Holder(enum.Enum):
    """What the locks of an image say."""

    NOBODY = "nobody"
    READER = "reader"
    WRITER = "writer"
    UNKNOWN = "unknown"


class ImageInUse(exception.BackendBusy):
    """Something holds the image; nothing was done."""


def holder(path: str) -> Holder:
    """Who holds an image. UNKNOWN where the file cannot be opened or has no locks."""
    try:
        with _opened(path, os.O_RDONLY) as descriptor:
            if _is_locked(descriptor, _WRITING, 1):
                return Holder.WRITER
            return Holder.READER if _is_locked(descriptor, _FIRST, _ALL) else Holder.NOBODY
    except OSError as error:
        if error.errno in _NO_LOCKS_HERE:
            return Holder.UNKNOWN
        raise


@contextlib.contextmanager
def exclusive(path: str) -> Iterator[bool]:
    """Keep every qemu from opening the image, as long as the block runs.

    Yields whether that is so: False where the file may not be written to, or has no locks.
    Raises ImageInUse where a qemu has it open, and FileNotFoundError.
    """
    with contextlib.ExitStack() as stack:
        locked = False
        try:
            locked = _lock(stack.enter_context(_opened(path, os.O_RDWR)))
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
        yield locked


def _lock(descriptor: int) -> bool:
    """Raises ImageInUse when refused: EAGAIN, or EACCES on some file systems."""
    request = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _FIRST, _ALL, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError) as error:
        raise ImageInUse(reason="something has the image open") from error
    return True


def _is_locked(descriptor: int, start: int, length: int) -> bool:
    request = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, request)
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


@contextlib.contextmanager
def _opened(path: str, mode: int) -> Iterator[int]:
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
