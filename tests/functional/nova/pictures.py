# SPDX-License-Identifier: Apache-2.0
"""What a disk has to show: the bytes a guest wrote, and the bytes of moments that were kept.

A picture is {number of a block: its bytes}; a block that it lacks is zero. Pictures are never
changed, so keeping one costs no copy of its data.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

BLOCK: Final = 64 * 1024
ZERO: Final = bytes(BLOCK)

Picture = Mapping[int, bytes]


def changed(picture: Picture, offset: int, data: bytes) -> Picture:
    """The picture with data at offset; data does not reach beyond one block."""
    number, start = divmod(offset, BLOCK)
    assert start + len(data) <= BLOCK
    before = picture.get(number, ZERO)
    return {**picture, number: before[:start] + data + before[start + len(data) :]}


def at(picture: Picture, offset: int, length: int) -> bytes:
    """The bytes at offset; they do not reach beyond one block."""
    number, start = divmod(offset, BLOCK)
    return picture.get(number, ZERO)[start : start + length]


def differences(picture: Picture, raw: Path) -> list[int]:
    """Numbers of the blocks in which a raw image shows something else. Holes are not read."""
    with raw.open("rb") as file:
        descriptor = file.fileno()
        return [
            number
            for number in sorted({*picture, *_blocks_with_data(descriptor)})
            if os.pread(descriptor, BLOCK, number * BLOCK) != picture.get(number, ZERO)
        ]


def _blocks_with_data(descriptor: int) -> Iterator[int]:
    end = 0
    while True:
        try:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole follows
                return
            raise
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield from range(begin // BLOCK, -(-end // BLOCK))
