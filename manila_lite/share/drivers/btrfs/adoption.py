# SPDX-License-Identifier: Apache-2.0
"""Managing subvolumes that are there already. Letting go of them is as with directories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from manila_lite.share.driver.base import Model
from manila_lite.share.drivers.btrfs import calls
from manila_lite.share.drivers.btrfs.commands import Commands
from manila_lite.share.drivers.btrfs.quota import QuotaGroups
from manila_lite.share.drivers.directory import kernel
from manila_lite.share.drivers.directory.adoption import AdoptionMethods, Refused
from manila_lite.share.drivers.directory.base import snapshot_place
from manila_lite.share.drivers.directory.errors import told_as
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY, Kind, Place


class SubvolumeAdoption(AdoptionMethods):
    """Sizes are what btrfs counts rounded up to whole GiB, or driver option ``size`` if larger."""

    _commands: Commands
    _groups: QuotaGroups

    def manage_existing_snapshot(
        self, snapshot: Model, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Take over a subvolume under the root as a snapshot, and make it read-only.

        Returns size (GiB), provider_location and export_locations. Raises
        ManageInvalidShareSnapshot as `manage_existing` raises its own.
        """
        update = super().manage_existing_snapshot(snapshot, driver_options)
        place = snapshot_place(snapshot)
        with (
            self._root.area(place.kind.value) as area,
            told_as(f"managing {place}", self._root.path),
        ):
            number = _mark(area, place.name, read_only=True)
            self._groups.limit(number, None)
        return {**update, "export_locations": self._exports(place, snapshot["share"])}

    def _parts(self, given: str | None, place: Place) -> list[str]:
        """An export location may name where the subvolume is mounted for its server."""
        path = (given or "")[(given or "").find(":/") + 1 :]
        directory, name = os.path.split(path)
        if name and directory == str(self._setting("ganesha_mount_dir")).rstrip("/"):
            given = f"{place.kind.value}/{name}"
        return super()._parts(given, place)

    def _measured(self, place: Place, parent: int, parts: list[str]) -> int:
        descriptor = kernel.open_beneath(parts[-1], parent, OPEN_DIRECTORY)
        try:
            path = "/".join(parts)
            if not calls.is_subvolume(os.fstat(descriptor)):
                raise Refused(f"{path} is a directory, not a subvolume")
            if place.kind is Kind.SHARE and calls.is_read_only(descriptor):
                raise Refused(f"{path} is read-only; a share must be writable")
            if place.kind is Kind.SNAPSHOT and self._commands.holds_subvolumes(self._full(parts)):
                raise Refused(f"{path} holds subvolumes, which shares made from it would lack")
            self._groups.settle()
            return self._groups.used(calls.subvolume_id(descriptor))
        finally:
            os.close(descriptor)

    def _full(self, parts: list[str]) -> str:
        return os.path.join(self._root.path, *parts)

    def _move(self, place: Place, parent: int, parts: list[str], area: int) -> None:
        """A read-only subvolume stays in its directory, so a snapshot is writable meanwhile."""
        if place.kind is Kind.SNAPSHOT:
            _mark(parent, parts[-1], read_only=False)
        super()._move(place, parent, parts, area)


def _mark(area: int, name: str, *, read_only: bool) -> int:
    """Make a subvolume read-only or writable; returns its number."""
    descriptor = kernel.open_beneath(name, area, OPEN_DIRECTORY)
    try:
        calls.set_read_only(descriptor, read_only)
        return calls.subvolume_id(descriptor)
    finally:
        os.close(descriptor)
