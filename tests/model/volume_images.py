# SPDX-License-Identifier: Apache-2.0
"""Reading raw and qcow2 images without qemu: a second opinion, and a fast one.

The model reads every image of every volume after every step. A file is read again only when it
has changed, and of a file only what is allocated.
"""

from __future__ import annotations

import array
import dataclasses
import os
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from tests.model.volume_contents import CLUSTER, UNIT, Contents, units_of

_MAGIC: Final = b"QFI\xfb"
_HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSION_3: Final = struct.Struct(">QQQII")
_EXTENSION: Final = struct.Struct(">II")
_BACKING_FORMAT: Final = 0xE2792ACA
_OFFSET: Final = 0x00FFFFFFFFFFFE00
_COMPRESSED: Final = 1 << 62
_ZERO: Final = 1
_CHUNK: Final = 1 << 20
#: A change within this time (ns) after another may leave the file's time stamps as they were.
_TICK: Final = 20_000_000


class Unreadable(AssertionError):
    """An image is not what a driver of ours may leave behind."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """One image file: what it has of its own, and what lies below it."""

    size: int
    units: dict[int, bytes]
    defined: frozenset[int] = frozenset()
    backing: str | None = None
    backing_format: str | None = None


@dataclasses.dataclass(frozen=True)
class Stamp:
    """What changes whenever a file does."""

    file: tuple[int, int]
    size: int
    times: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Self:
        found = path.stat()
        times = (found.st_mtime_ns, found.st_ctime_ns)
        return cls((found.st_dev, found.st_ino), found.st_size, times)

    def is_settled(self) -> bool:
        """Whether any change from now on will show in the times."""
        return time.time_ns() - max(self.times) > _TICK


class Images:
    """Images, with a memory of those that have not changed."""

    def __init__(self) -> None:
        self._layers: dict[tuple[Stamp, str], Layer] = {}
        self._views: dict[tuple[int, ...], tuple[list[Layer], Contents]] = {}

    def layer(self, path: Path, image_format: str) -> Layer:
        """Read one file."""
        key = (Stamp.of(path), image_format)
        if key not in self._layers:
            settled = key[0].is_settled()
            layer = read_raw(path) if image_format == "raw" else read_qcow2(path)
            if not settled:
                return layer
            self._layers[key] = layer
        return self._layers[key]

    def chain(self, path: Path, image_format: str) -> list[tuple[str, Layer]]:
        """The names and layers from an image down to the one that has no backing file."""
        layer = self.layer(path, image_format)
        found = [(path.name, layer)]
        while layer.backing is not None:
            if "/" in layer.backing or layer.backing in [name for name, _ in found]:
                raise Unreadable(f"{found[-1][0]} is backed by {layer.backing}")
            if layer.backing_format not in ("raw", "qcow2"):
                raise Unreadable(f"{found[-1][0]}: backing format {layer.backing_format}")
            name = layer.backing
            layer = self.layer(path.with_name(name), layer.backing_format)
            found.append((name, layer))
        return found

    def contents(self, path: Path, image_format: str) -> Contents:
        """What a reader of the image sees."""
        return self._view([layer for _, layer in self.chain(path, image_format)])

    def _view(self, layers: list[Layer]) -> Contents:
        key = tuple(map(id, layers))
        if key not in self._views:
            self._views[key] = (layers, self._compose(layers))
        return self._views[key][1]

    def _compose(self, layers: list[Layer]) -> Contents:
        top, *below = layers
        if not below:
            return Contents(top.size, top.units)
        return self._view(below).covered_by(top.size, top.defined, top.units)

    def forget(self) -> None:
        """Read everything anew from here on."""
        self._layers.clear()
        self._views.clear()


def read_raw(path: Path) -> Layer:
    """Read a raw image; its holes are passed over."""
    units: dict[int, bytes] = {}
    with path.open("rb") as file:
        for start, end in _extents(file.fileno()):
            for position in range(start - start % UNIT, end, _CHUNK):
                data = os.pread(file.fileno(), min(_CHUNK, end - position), position)
                units.update(units_of(data, position // UNIT))
        size = os.fstat(file.fileno()).st_size
    return Layer(size, units)


def read_qcow2(path: Path) -> Layer:
    """Read what a qcow2 image has of its own; Unreadable for features that no driver uses."""
    with path.open("rb") as file:
        descriptor = file.fileno()
        header = _Header.read(descriptor, path.name)
        clusters = _clusters(descriptor, header)
        hosts = {
            entry & _OFFSET: cluster
            for cluster, entry in clusters.items()
            if entry & _OFFSET and not entry & _ZERO
        }
        if len(hosts) != sum(1 for entry in clusters.values() if _has_data(entry)):
            raise Unreadable(f"{path.name}: two clusters lie at one place")
        units = dict(_allocated_units(descriptor, hosts))
    defined = frozenset(clusters)
    return Layer(header.size, units, defined, header.backing, header.backing_format)


def _has_data(entry: int) -> bool:
    return bool(entry & _OFFSET) and not entry & _ZERO


@dataclasses.dataclass(frozen=True)
class _Header:
    size: int
    table: int
    tables: int
    backing: str | None
    backing_format: str | None

    @classmethod
    def read(cls, descriptor: int, name: str) -> Self:
        data = os.pread(descriptor, CLUSTER, 0)
        if len(data) < _HEADER.size + _VERSION_3.size or data[:4] != _MAGIC:
            raise Unreadable(f"{name} is no qcow2 image")
        _, version, at, length, bits, size, cipher, tables, table, *_ = _HEADER.unpack_from(data)
        incompatible, _, _, _, header_length = _VERSION_3.unpack_from(data, _HEADER.size)
        if (version, bits, cipher, incompatible) != (3, 16, 0, 0):
            raise Unreadable(
                f"{name}: version {version}, 2^{bits} bytes a cluster, cipher {cipher},"
                f" features {incompatible:#x}"
            )
        backing = data[at : at + length].decode() if at else None
        backing_format = dict(_extensions(data, header_length)).get(_BACKING_FORMAT)
        text = None if backing_format is None else backing_format.decode()
        return cls(size, table, tables, backing, text)


def _extensions(data: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while True:
        kind, length = _EXTENSION.unpack_from(data, position)
        if kind == 0:
            return
        position += _EXTENSION.size
        yield kind, data[position : position + length]
        position += (length + 7) & ~7


def _clusters(descriptor: int, header: _Header) -> dict[int, int]:
    """The entries of the clusters that the image has, by number of the cluster."""
    found: dict[int, int] = {}
    entries = CLUSTER // 8
    for number, place in enumerate(_table(descriptor, header.table, header.tables)):
        if not place & _OFFSET:
            continue
        table = _table(descriptor, place & _OFFSET, entries)
        if table.count(0) == entries:
            continue
        first = number * entries
        found.update((first + index, entry) for index, entry in enumerate(table) if entry)
    if any(entry & _COMPRESSED for entry in found.values()):
        raise Unreadable("compressed clusters")
    return found


def _table(descriptor: int, place: int, entries: int) -> array.array[int]:
    table = array.array("Q")
    table.frombytes(os.pread(descriptor, entries * 8, place))
    if sys.byteorder == "little":
        table.byteswap()
    return table


def _allocated_units(descriptor: int, hosts: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    """The units of those clusters for which the file has more than a hole."""
    seen = -1
    for start, end in _extents(descriptor):
        for place in range(max(start - start % CLUSTER, seen), end, CLUSTER):
            seen = place + CLUSTER
            cluster = hosts.get(place)
            if cluster is not None:
                data = os.pread(descriptor, CLUSTER, place)
                yield from units_of(data, cluster * CLUSTER // UNIT)


def _extents(descriptor: int) -> Iterator[tuple[int, int]]:
    """Where a file has data: (start, end) in bytes."""
    end, size = 0, os.fstat(descriptor).st_size
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end
