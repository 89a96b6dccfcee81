# SPDX-License-Identifier: Apache-2.0
"""What btrfs is asked through a descriptor: no name is read by anybody, and most needs no root."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import uuid
from typing import Final

FIRST_INODE: Final = 256  # of the top directory of every subvolume

_INO_LOOKUP: Final = 0xD0009412
_FS_INFO: Final = 0x8400941F
_GET_FLAGS: Final = 0x80089419
_SET_FLAGS: Final = 0x4008941A
_SNAP_DESTROY: Final = 0x5000940F
_LOOKUP_SIZE: Final = 4096
_INFO_SIZE: Final = 1024
_NAME_SIZE: Final = 4088
_READ_ONLY: Final = 2


def is_subvolume(info: os.stat_result) -> bool:
    """Whether a directory of btrfs is the top of a subvolume."""
    return stat.S_ISDIR(info.st_mode) and info.st_ino == FIRST_INODE


def subvolume_id(descriptor: int) -> int:
    """The number of the subvolume that a file lies in. It is never given out again."""
    request = bytearray(struct.pack("QQ", 0, FIRST_INODE).ljust(_LOOKUP_SIZE, b"\0"))
    fcntl.ioctl(descriptor, _INO_LOOKUP, request)
    return int(struct.unpack_from("Q", request)[0])


def file_system_id(descriptor: int) -> uuid.UUID:
    """What tells the file system of a file from all others; OSError where it is no btrfs."""
    answer = bytearray(_INFO_SIZE)
    fcntl.ioctl(descriptor, _FS_INFO, answer)
    return uuid.UUID(bytes=bytes(answer[16:32]))


def is_read_only(descriptor: int) -> bool:
    """Whether the subvolume, given by its top directory, is read-only."""
    return bool(_flags(descriptor) & _READ_ONLY)


def set_read_only(descriptor: int, read_only: bool) -> None:
    """Make a subvolume read-only or writable. Takes its owner or root: PermissionError."""
    flags = _flags(descriptor)
    wanted = flags | _READ_ONLY if read_only else flags & ~_READ_ONLY
    if wanted != flags:
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("Q", wanted))


def destroy(parent: int, name: str) -> None:
    """Delete a subvolume in a directory. OSError(ENOTEMPTY) while it holds other subvolumes."""
    request = bytearray(struct.pack("q", 0) + os.fsencode(name).ljust(_NAME_SIZE, b"\0"))
    fcntl.ioctl(parent, _SNAP_DESTROY, request)


def _flags(descriptor: int) -> int:
    answer = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))
    return int(struct.unpack("Q", answer)[0])
