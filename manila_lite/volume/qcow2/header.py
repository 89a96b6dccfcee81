# SPDX-License-Identifier: Apache-2.0
"""The header of a qcow2 image, read without opening anything else.

qemu-img is asked about an image only after this has been looked at: some versions open an
external data file as soon as they are asked for information. Layout: qemu's docs/interop/qcow2.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import struct
from typing import Final

MAGIC: Final = b"QFI\xfb"
_FIXED: Final = struct.Struct(">4sIQIIQIIQ")
_FEATURES: Final = struct.Struct(">QQQII")
_EXTENSION: Final = struct.Struct(">II")
_EXTENSIONS_OF_VERSION_2: Final = 72
_BACKING_FORMAT: Final = 0xE2792ACA
_DATA_FILE: Final = 0x44415441
_READ: Final = 64 * 1024
_LONGEST_NAME: Final = 1023
_LONGEST_TABLE: Final = 32 * 1024 * 1024

DIRTY: Final = 1 << 0
CORRUPT: Final = 1 << 1
EXTERNAL_DATA: Final = 1 << 2
_KNOWN_FEATURES: Final = 0b11111  # and compression type, extended L2 entries


@dataclasses.dataclass(frozen=True)
class Header:
    """virtual_size: bytes. backing_file and data_file as written: nobody has checked them."""

    version: int
    virtual_size: int
    backing_file: str | None
    backing_format: str | None
    data_file: str | None
    features: int
    encrypted: bool
    table_entries: int
    table_offset: int

    @property
    def has_external_data(self) -> bool:
        return bool(self.features & EXTERNAL_DATA) or self.data_file is not None

    @property
    def unknown_features(self) -> int:
        return self.features & ~_KNOWN_FEATURES


class HeaderDamaged(Exception):
    """The file says that it is qcow2, and is none that could be used."""


def read(path: str) -> Header | None:
    """The header of an image; None where the file does not begin as qcow2 does.

    Raises HeaderDamaged, and OSError as opening does.
    """
    return parse(read_start(path, _READ))


def read_start(path: str, length: int, offset: int = 0) -> bytes:
    """Some bytes of an ordinary file; HeaderDamaged for anything else, which is not waited for."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise HeaderDamaged("it is no ordinary file") from error
        raise
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HeaderDamaged("it is no ordinary file")
        file.seek(offset)
        return file.read(length)


def parse(data: bytes) -> Header | None:
    """As `read`, of the first bytes of a file."""
    if data[:4] != MAGIC:
        return None
    try:
        return _parse(data)
    except (struct.error, UnicodeDecodeError) as error:
        raise HeaderDamaged("its header is cut short or damaged") from error


def has_data(path: str) -> bool:
    """Whether anything was ever written through the image, if only to be discarded again.

    An overlay without data shows exactly what is under it. Raises OSError and HeaderDamaged; what
    a running guest has not flushed yet is not seen.
    """
    header = read(path)
    if header is None:
        return True
    length = header.table_entries * 8
    if length > _LONGEST_TABLE:
        raise HeaderDamaged("its first table is too long")
    return any(read_start(path, length, header.table_offset))


def _parse(data: bytes) -> Header:
    _, version, name_offset, name_length, _, size, encryption, entries, table = _FIXED.unpack_from(
        data
    )
    if version not in (2, 3):
        raise HeaderDamaged(f"it is qcow2 of version {version}, which nobody knows")
    features, start = 0, _EXTENSIONS_OF_VERSION_2
    if version == 3:
        features, _, _, _, start = _FEATURES.unpack_from(data, _EXTENSIONS_OF_VERSION_2)
    end = name_offset or len(data)
    extensions = _extensions(data, start, end)
    return Header(
        version=version,
        virtual_size=size,
        backing_file=_name(data, name_offset, name_length),
        backing_format=_text(extensions.get(_BACKING_FORMAT)),
        data_file=_text(extensions.get(_DATA_FILE)),
        features=features,
        encrypted=encryption != 0,
        table_entries=entries,
        table_offset=table,
    )


def _name(data: bytes, offset: int, length: int) -> str | None:
    if offset == 0:
        return None
    if not 0 < length <= _LONGEST_NAME or offset + length > len(data):
        raise HeaderDamaged("the name of its backing file lies outside of its header")
    # A name that is no text is kept, so that it can be refused with the name shown.
    return data[offset : offset + length].decode("utf-8", "surrogateescape")


def _extensions(data: bytes, start: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while start + _EXTENSION.size <= min(end, len(data)):
        kind, length = _EXTENSION.unpack_from(data, start)
        start += _EXTENSION.size
        if kind == 0:
            return found
        if start + length > min(end, len(data)):
            raise HeaderDamaged("an extension of its header is longer than the header")
        found[kind] = data[start : start + length]
        start += -(-length // 8) * 8
    return found


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "surrogateescape")
