# SPDX-License-Identifier: Apache-2.0
"""A guest's whole system in one boot sector: it counts, and writes each number to its disk.

Number n fills the sector at place(n) of the second disk, by the BIOS. In memory the guest keeps
the number that it is about to write, the last one whose write the disk has acknowledged, and
whether a write failed. So the bytes of its disk follow from one number alone.
"""

from __future__ import annotations

import struct
from typing import Final

SECTOR: Final = 512
PLACES: Final = 256
_SPREAD: Final = 13  # 8192 sectors, that is 4 MiB, between two places: 1 GiB in all
_FACTOR: Final = 40503  # odd, so that all places come in turn

#: Physical addresses of what the guest keeps in memory, 4 bytes each.
NEXT: Final = 0x7E00
ACKNOWLEDGED: Final = 0x7E04
FAILED: Final = 0x7E08

_ORIGIN: Final = 0x7C00
_BUFFER: Final = 0x8000
_PACKET: Final = 0x7C80
_SECOND_DISK: Final = 0x81
_DISK: Final = 2 << 20  # the BIOS cannot read disks of less than a few cylinders


def place(number: int) -> int:
    """Offset in bytes of the sector that a number is written to."""
    return ((number * _FACTOR) % PLACES << _SPREAD) * SECTOR


def sector(number: int) -> bytes:
    """What a number looks like on the disk; 0 is a sector that was never written."""
    return struct.pack("<I", number) * (SECTOR // 4)


def last_at(offset: int, number: int) -> int:
    """The last number up to `number` that was written at that offset; 0 if there is none."""
    numbers = range(number, max(number - PLACES, 0), -1)
    return next((n for n in numbers if place(n) == offset), 0)


def _code() -> bytes:
    def word(value: int) -> bytes:
        return struct.pack("<H", value)

    def long(value: int) -> bytes:
        return struct.pack("<I", value)

    set_up = (
        b"\x66\x31\xc0"  # xor eax, eax
        b"\x8e\xd8\x8e\xc0\x8e\xd0"  # ds, es, ss = ax
        + b"\xbc" + word(_ORIGIN)  # mov sp
        + b"\xfc"  # cld
        + b"\x66\xa3" + word(NEXT)
        + b"\x66\xa3" + word(ACKNOWLEDGED)
        + b"\x66\xa3" + word(FAILED)
    )  # fmt: skip
    write = (
        b"\x66\xff\x06" + word(NEXT)  # inc dword [NEXT]
        + b"\x66\xa1" + word(NEXT)  # mov eax, [NEXT]
        + b"\xbf" + word(_BUFFER)  # mov di
        + b"\xb9" + word(SECTOR // 4)  # mov cx
        + b"\xf3\x66\xab"  # rep stosd
        + b"\x66\x69\xc0" + long(_FACTOR)  # imul eax, eax
        + b"\x66\x25" + long(PLACES - 1)  # and eax
        + b"\x66\xc1\xe0" + bytes([_SPREAD])  # shl eax
        + b"\x66\xa3" + word(_PACKET + 8)  # the packet's sector number
        + b"\xbe" + word(_PACKET)  # mov si
        + b"\xb8\x00\x43"  # mov ax: extended write
        + b"\xb2" + bytes([_SECOND_DISK])  # mov dl
        + b"\xfb\xcd\x13"  # sti; int 13h
    )  # fmt: skip
    note = b"\x66\xa1" + word(NEXT) + b"\x66\xa3" + word(ACKNOWLEDGED)
    # One number in eight waits for the timer: the processor is not the guest's alone.
    rest = b"\xf6\x06" + word(NEXT) + b"\x07\x75\x01\xf4"
    cycle = len(write) + 2 + len(note) + len(rest) + 2
    give_up = b"\xc6\x06" + word(FAILED) + b"\x01\xf4\xeb\xfd"
    failed = b"\x72" + bytes([len(note) + len(rest) + 2])  # jc give_up
    again = b"\xeb" + struct.pack("b", -cycle)
    return set_up + write + failed + note + rest + again + give_up


def image() -> bytes:
    """The boot disk."""
    packet = struct.pack("<BBHHHQ", 16, 0, 1, _BUFFER, 0, 0)
    code = _code()
    assert len(code) <= _PACKET - _ORIGIN
    start = code.ljust(_PACKET - _ORIGIN, b"\0") + packet
    return (start.ljust(SECTOR - 2, b"\0") + b"\x55\xaa").ljust(_DISK, b"\0")
