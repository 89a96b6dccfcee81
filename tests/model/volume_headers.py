# SPDX-License-Identifier: Apache-2.0
"""What a hostile guest writes to the beginning of its disk."""

from __future__ import annotations

import struct

from tests.model.volume_contents import UNIT

_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_BACKING_FILE = b"/etc/hostname"


def hostile_header(size: int) -> bytes:
    """A qcow2 header that names a file of the host as its backing file; size: bytes."""
    header = _HEADER.pack(
        b"QFI\xfb", 3, 512, len(_BACKING_FILE), 16, size, 0, 1, 65536, 131072, 1, 0, 0,
        0, 0, 0, 4, 104,
    )  # fmt: skip
    return (header.ljust(512, b"\0") + _BACKING_FILE).ljust(UNIT, b"\0")
