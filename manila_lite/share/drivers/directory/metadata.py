# SPDX-License-Identifier: Apache-2.0
"""What the driver knows of a share or snapshot beyond its data: one small JSON file each.

The file lies outside the data, is replaced as a whole and is written before the data appear under
their final name. So data without metadata were not made by this driver.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from manila_lite import exception
from manila_lite.share.drivers.directory import kernel
from manila_lite.share.drivers.directory.errors import told_as
from manila_lite.share.drivers.directory.locks import Locks
from manila_lite.share.drivers.directory.paths import METADATA, Kind, Place, Root


class MetadataStore:
    """Reads and writes the files.

    Keys in use: id; size and limit (GiB); source, the name of what it is a copy of; adopted_from;
    access, the rules; project_id; restored, the name of the backup that its data are from.
    """

    def __init__(self, root: Root, locks: Locks) -> None:
        self._root = root
        self._locks = locks
        self._sizes: dict[str, tuple[int, int]] = {}

    def read(self, place: Place) -> dict[str, Any] | None:
        """What was written last; None where nothing was. ShareBackendException if unreadable."""
        with self._area(place.kind) as area:
            return self._read(area, place)

    def update(self, place: Place, **changes: Any) -> dict[str, Any]:
        """Change some keys, and make them durable before returning all of them."""
        with self._locks.metadata(place), self._area(place.kind) as area:
            values = {**(self._read(area, place) or {}), **changes}
            with told_as(f"writing the metadata of {place}", self._root.path):
                replace_file(area, f"{place.name}.json", json.dumps(values, sort_keys=True))
            return values

    def remove(self, place: Place) -> None:
        """Forget a place; nothing happens where nothing is known of it."""
        with self._locks.metadata(place), self._area(place.kind) as area:
            for name in (f"{place.name}.json.tmp", f"{place.name}.json"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=area)
            kernel.fsync_directory(area)

    def provisioned(self) -> int:
        """GiB of all shares together. Reads only the files that changed since the last call."""
        known: dict[str, tuple[int, int]] = {}
        with self._area(Kind.SHARE) as area, os.scandir(area) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with contextlib.suppress(FileNotFoundError):
                        written = entry.stat(follow_symlinks=False).st_mtime_ns
                        known[entry.name] = self._size(area, entry.name, written)
        self._sizes = known
        return sum(size for _, size in known.values())

    def _size(self, area: int, name: str, written: int) -> tuple[int, int]:
        seen = self._sizes.get(name)
        if seen is not None and seen[0] == written:
            return seen
        return written, int(load_file(area, name).get("size", 0))

    def _read(self, area: int, place: Place) -> dict[str, Any] | None:
        with told_as(f"reading the metadata of {place}", self._root.path):
            try:
                return load_file(area, f"{place.name}.json")
            except FileNotFoundError:
                return None

    def _area(self, kind: Kind) -> contextlib.AbstractContextManager[int]:
        return self._root.area(METADATA, kind.value)


def load_file(area: int, name: str) -> dict[str, Any]:
    """The object in a JSON file of a directory; FileNotFoundError, ShareBackendException."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=area)
    with open(descriptor, encoding="utf-8") as file:
        try:
            values = json.load(file)
        except ValueError as error:
            raise exception.ShareBackendException(msg=f"{METADATA}: {name} is damaged") from error
    if not isinstance(values, dict):
        raise exception.ShareBackendException(msg=f"{METADATA}: {name} is damaged")
    return values


def replace_file(area: int, name: str, text: str) -> None:
    """Write beside the file and rename: a reader sees the old text or the new one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(f"{name}.tmp", flags, 0o600, dir_fd=area)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{name}.tmp", name, src_dir_fd=area, dst_dir_fd=area)
    kernel.fsync_directory(area)
