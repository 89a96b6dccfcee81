# SPDX-License-Identifier: Apache-2.0
"""Headers of qcow2 images that no qemu-img would write, and a watch on files that are opened."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator

_BACKING_FORMAT = 0xE2792ACA
_DATA_FILE = 0x44415441
_IN_ACCESS, _IN_OPEN = 0x1, 0x20


def qcow2(
    backing: str | bytes | None = None,
    *,
    backing_format: str | None = "raw",
    data_file: str | None = None,
    features: int = 0,
    encryption: int = 0,
    version: int = 3,
    name_offset: int | None = None,
) -> bytes:
    """The first cluster of an empty qcow2 image of 1 GiB; as far as looking at it goes, no more."""
    name = backing.encode() if isinstance(backing, str) else backing or b""
    extensions = b""
    for kind, text in (
        (_BACKING_FORMAT, backing_format if name else None),
        (_DATA_FILE, data_file),
    ):
        if text is not None:
            data = text.encode()
            extensions += struct.pack(">II", kind, len(data)) + data.ljust(
                -(-len(data) // 8) * 8, b"\0"
            )
    extensions += struct.pack(">II", 0, 0)
    offset = (104 + len(extensions) if name else 0) if name_offset is None else name_offset
    fixed = struct.pack(
        ">4sIQIIQIIQQIIQ",
        b"QFI\xfb", version, offset, len(name), 16, 1 << 30, encryption,
        16, 3 << 16, 1 << 16, 1, 0, 0,
    )  # fmt: skip
    rest = struct.pack(">QQQII", features, 0, 0, 4, 104)
    head = fixed + rest + extensions + name
    return head.ljust(4 << 16, b"\0")


@contextlib.contextmanager
def watched(*paths: str) -> Iterator[list[str]]:
    """Yield a list that has, after the block, the paths that anything opened or read meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    opened: list[str] = []
    try:
        numbers = {
            libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_OPEN | _IN_ACCESS): path
            for path in paths
        }
        assert all(number > 0 for number in numbers)
        yield opened
        with contextlib.suppress(BlockingIOError):
            events = os.read(descriptor, 65536)
            for start in range(0, len(events) - 15, 16):
                opened.append(numbers[struct.unpack_from("i", events, start)[0]])
    finally:
        os.close(descriptor)
