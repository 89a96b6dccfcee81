# SPDX-License-Identifier: Apache-2.0
"""What a disk must show, kept by the model and compared with what an image shows."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final, Self

#: The grain of the model: writes begin and end at multiples of it. Qcow2 clusters are 16 of them.
UNIT: Final = 4096
#: Size of a qcow2 cluster in bytes: qemu-img's default.
CLUSTER: Final = 65536
GIB: Final = 1 << 30
TAG: Final = 16
ZEROS: Final = bytes(UNIT)


def tag_of(unit: bytes) -> bytes:
    """A name for the bytes of a unit: what they repeat, or their digest where they do not."""
    tag = unit[:TAG]
    return tag if unit == tag * (UNIT // TAG) else hashlib.sha256(unit).digest()


def units_of(data: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """The units of some data that are not zero: (number, tag). first: number of its first unit."""
    if not data.strip(b"\0"):
        return
    for position in range(0, len(data), UNIT):
        unit = data[position : position + UNIT].ljust(UNIT, b"\0")
        if unit != ZEROS:
            yield first + position // UNIT, tag_of(unit)


@dataclasses.dataclass(frozen=True)
class Contents:
    """The bytes of a disk: its size in bytes, and the tags of the units that are not zero."""

    size: int
    units: Mapping[int, bytes] = dataclasses.field(default_factory=dict)

    @property
    def length(self) -> int:
        """The number of units."""
        return self.size // UNIT

    def written(self, first: int, count: int, tag: bytes) -> Self:
        """With a tag repeated all over count units."""
        new = dict.fromkeys(range(first, min(first + count, self.length)), tag)
        return self._with({**self.units, **new})

    def zeroed(self, first: int, count: int) -> Self:
        """With zeros all over count units."""
        gone = range(first, first + count)
        return self._with({unit: tag for unit, tag in self.units.items() if unit not in gone})

    def resized(self, size: int) -> Self:
        """At another size in bytes: cut off, or with zeros behind."""
        last = size // UNIT
        units = {unit: tag for unit, tag in self.units.items() if unit < last}
        return dataclasses.replace(self, size=size, units=units)

    def covered_by(self, size: int, defined: frozenset[int], units: Mapping[int, bytes]) -> Self:
        """With an overlay on it that has a size in bytes, and its own bytes in 64 KiB clusters.

        defined: numbers of the clusters that the overlay has, also those that are all zero.
        """
        below = {
            unit: tag
            for unit, tag in self.resized(size).units.items()
            if unit * UNIT // CLUSTER not in defined
        }
        return dataclasses.replace(self, size=size, units={**below, **units})

    def _with(self, units: Mapping[int, bytes]) -> Self:
        return dataclasses.replace(self, units=units)

    def differences(self, found: Contents, most: int = 8) -> list[str]:
        """Say where found is not as this: nothing when it is."""
        if self == found:
            return []
        texts = [] if self.size == found.size else [f"size {found.size}, not {self.size}"]
        wrong = sorted(
            unit
            for unit in {*self.units, *found.units}
            if self.units.get(unit) != found.units.get(unit)
        )
        texts += [
            f"unit {unit} of {self.length}: {_shown(found, unit)}, not {_shown(self, unit)}"
            for unit in wrong[:most]
        ]
        return [*texts, f"{len(wrong)} units differ"]


def _shown(contents: Contents, unit: int) -> str:
    tag = contents.units.get(unit)
    return "zeros" if tag is None else repr(tag)
