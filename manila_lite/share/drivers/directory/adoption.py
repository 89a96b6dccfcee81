# SPDX-License-Identifier: Apache-2.0
"""Managing directories that are there already, and letting go of them again.

A managed directory is renamed to the name that the service knows it by, so that everything else
finds it where it looks. Files that clients have open stay open; the path changes, and the new
export location is returned.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from typing import Any

from manila_lite import exception
from manila_lite.share.driver.base import Model
from manila_lite.share.drivers.directory import kernel
from manila_lite.share.drivers.directory.base import DirectoryBase, share_place, snapshot_place
from manila_lite.share.drivers.directory.paths import OF_BACKEND, OPEN_DIRECTORY, Place
from manila_lite.share.drivers.directory.staging import measure
from manila_lite.share.drivers.directory.usage import whole_gib

_HOW = "name one under the driver's root, in driver option 'path' or as the export location"


class Refused(Exception):
    """Why a directory cannot be managed."""


class AdoptionMethods(DirectoryBase):
    """Sizes are the used space rounded up to whole GiB, or driver option ``size`` if larger."""

    def manage_existing(self, share: Model, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Take over a directory under the root. Returns size (GiB) and export_locations.

        Raises ManageInvalidShare for a path outside the root, with a symbolic link or another
        mount on the way, inside another share, or in use by one.
        """
        place = share_place(share)
        try:
            size = self._adopt(place, share, _given(share, driver_options), driver_options)
        except (Refused, OSError, exception.PathRefused) as error:
            raise exception.ManageInvalidShare(reason=_why(error)) from error
        self._set_size(place, size)
        return {"size": size, "export_locations": self._exports(place, share)}

    def unmanage(self, share: Model) -> None:
        """Forget the share; its directory stays as it is, in its place."""
        place = share_place(share)
        with self._locks.data(place):
            self._forget(place)

    def manage_existing_snapshot(
        self, snapshot: Model, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """As `manage_existing`, with ManageInvalidShareSnapshot; returns size (GiB) too."""
        place = snapshot_place(snapshot)
        given = driver_options.get("path") or snapshot.get("provider_location")
        try:
            size = self._adopt(place, snapshot, given, driver_options)
        except (Refused, OSError, exception.PathRefused) as error:
            raise exception.ManageInvalidShareSnapshot(reason=_why(error)) from error
        return {"size": size, "provider_location": str(place)}

    def unmanage_snapshot(self, snapshot: Model) -> None:
        """Forget the snapshot; its directory stays as it is, in its place."""
        place = snapshot_place(snapshot)
        with self._locks.data(place):
            self._forget(place)

    def _adopt(
        self, place: Place, model: Model, given: str | None, wishes: Mapping[str, Any]
    ) -> int:
        parts = self._parts(given, place)
        path = "/".join(parts)
        with self._locks.data(place):
            known = self._metadata.read(place) or {}
            if known.get("adopted_from") == path and self._store.exists(place):
                return int(known["size"])
            return self._take(place, parts, {"id": model["id"], "adopted_from": path}, wishes)

    def _take(
        self, place: Place, parts: list[str], values: dict[str, Any], wishes: Mapping[str, Any]
    ) -> int:
        """Metadata first: data under a final name without any would count as somebody else's."""
        with self._root.area(place.kind.value) as area, self._parent_of(parts) as parent:
            size = _size(self._measured(place, parent, parts), wishes)
            in_place = parts == [place.kind.value, place.name]
            if not in_place and self._store.exists(place):
                raise Refused(f"{place} exists already")
            self._metadata.update(place, size=size, **values)
            if not in_place:
                self._exporting.remove_path(parts)
                self._move_or_forget(place, parent, parts, area)
            return size

    def _measured(self, place: Place, parent: int, parts: list[str]) -> int:
        """Bytes used by a directory that may be managed. Raises Refused for one that may not."""
        return measure(parent, parts[-1], "/".join(parts))

    def _move_or_forget(self, place: Place, parent: int, parts: list[str], area: int) -> None:
        try:
            self._move(place, parent, parts, area)
        except OSError:
            self._metadata.remove(place)
            raise
        kernel.fsync_directory(parent)
        kernel.fsync_directory(area)

    def _move(self, place: Place, parent: int, parts: list[str], area: int) -> None:
        os.rename(parts[-1], place.name, src_dir_fd=parent, dst_dir_fd=area)

    @contextlib.contextmanager
    def _parent_of(self, parts: list[str]) -> Iterator[int]:
        with self._root.opened() as root:
            here = os.dup(root)
            try:
                for part in parts[:-1]:
                    below = kernel.open_beneath(part, here, OPEN_DIRECTORY)
                    os.close(here)
                    here = below
                yield here
            finally:
                os.close(here)

    def _parts(self, given: str | None, place: Place) -> list[str]:
        """The way from the root to the directory, by names that may be managed."""
        if not given:
            raise Refused(f"no directory was given; {_HOW}")
        path = self._relative(self._exporting.source_of(str(given)))
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts) or parts[0].startswith("."):
            raise Refused(f"{given} cannot be managed; {_HOW}")
        if parts[0] in (kind.value for kind in OF_BACKEND):
            self._check_area(str(given), parts, place)
        return parts

    def _relative(self, given: str) -> str:
        """Strip the host of an export location, and the root."""
        if not given.startswith("/") and ":/" in given:
            given = given[given.index(":/") + 1 :]
        for root in (self._root.path, self._root.configured.rstrip("/")):
            if given.startswith(root + "/"):
                return given[len(root) + 1 :].rstrip("/")
        if given.startswith("/"):
            raise Refused(f"{given} is outside {self._root.path}; {_HOW}")
        return given.rstrip("/")

    def _check_area(self, given: str, parts: list[str], place: Place) -> None:
        if parts[0] != place.kind.value or len(parts) != 2:
            raise Refused(f"{given} lies where other shares or snapshots lie; {_HOW}")
        other = Place(place.kind, parts[1])
        if other != place and self._metadata.read(other) is not None:
            raise Refused(f"{given} is managed already")


def _given(share: Model, driver_options: Mapping[str, Any]) -> str | None:
    if driver_options.get("path"):
        return str(driver_options["path"])
    for location in share.get("export_locations") or []:
        return str(location["path"] if isinstance(location, Mapping) else location)
    return None


def _size(used: int, wishes: Mapping[str, Any]) -> int:
    least = whole_gib(used)
    try:
        wished = int(wishes.get("size") or least)
    except ValueError:
        raise Refused(f"size {wishes['size']} is no number of GiB") from None
    if wished < least:
        raise Refused(f"it uses {least} GiB, which is more than {wished}")
    return wished


_REASONS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "is not a directory, but a file or a symbolic link",
    errno.ELOOP: "is a symbolic link",
    errno.EXDEV: "is on another file system",
}


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _REASONS:
        return f"{error.filename} {_REASONS[error.errno]}"
    return str(error)
