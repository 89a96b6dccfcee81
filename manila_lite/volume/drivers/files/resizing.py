# SPDX-License-Identifier: Apache-2.0
"""Volumes that grow, and volumes that go back to what they were."""

from __future__ import annotations

import logging
from typing import Any

from manila_lite import exception
from manila_lite.volume.drivers.files.base import GIB, OwnFiles
from manila_lite.volume.drivers.remotefs.copies import temporary_snapshot
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.qcow2 import qemu_img
from manila_lite.volume.qcow2.chain import Image
from manila_lite.volume.qcow2.names import attempt
from manila_lite.volume.qcow2.survey import Survey

LOG = logging.getLogger(__name__)


class ResizingMethods(OwnFiles):
    """Only the active image changes; snapshots keep their size and their data."""

    @locked_volume_id_operation
    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Make a volume larger, to new_size GiB; one that has that size already is left as it is.

        Raises ExtendVolumeError where there is no room, or where the volume is larger already, and
        VolumeIsBusy or InvalidVolume where something has it open.
        """
        self._ensure_share_mounted(volume.provider_location)
        if volume.status == "in-use":
            raise exception.InvalidVolume(reason="a volume that is in use cannot grow")
        found, wanted = self._settled(volume), int(new_size)
        path, active = found.directory.path(found.active), found.chain[0]
        self._refuse_in_use(volume, path)
        if active.virtual_size < wanted * GIB:
            self._grow(volume, path, active, wanted)
        elif active.virtual_size > wanted * GIB:
            raise exception.ExtendVolumeError(
                reason=f"{path} has {active.virtual_size / GIB:g} GiB, more than {wanted}"
            )

    def _grow(self, volume: Any, path: str, active: Image, wanted: int) -> None:
        more = wanted - active.virtual_size // GIB
        if not self._is_share_eligible(volume.provider_location, more):
            raise exception.ExtendVolumeError(
                reason=f"{volume.provider_location} has no room for {more} GiB more"
            )
        self._resize_image(path, active.file_format, wanted)

    @locked_volume_id_operation
    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        """Give a volume the data back that its latest snapshot has; it keeps its own size.

        Raises InvalidSnapshot for any snapshot but the latest one, and VolumeIsBusy where
        something has the volume open. Nothing is changed before the new image is complete.
        """
        self._ensure_share_mounted(volume.provider_location)
        found = self._without_leftover(volume)
        if found.files.get(snapshot.id) != found.active:
            raise exception.InvalidSnapshot(
                reason=f"{snapshot.id} is not the latest snapshot of volume {volume.id}"
            )
        path, base = found.directory.path(found.active), found.position(snapshot.id).base
        self._refuse_in_use(volume, path)
        LOG.info("Volume %s goes back to snapshot %s", volume.id, snapshot.id)
        self._renew_overlay(path, base, max(base.virtual_size, volume.size * GIB))

    def _without_leftover(self, volume: Any) -> Survey:
        """The volume's images, when the snapshot that an abandoned clone left is merged away.

        While a clone is being made, nobody else has the volume's lock.
        """
        found, leftover = self._settled(volume), temporary_snapshot(volume, volume)
        if leftover.id not in found.files:
            return found
        self._refuse_guest(found)
        self._delete_detached(leftover, found)
        return self._settled(volume)

    def _renew_overlay(self, path: str, base: Image, size: int) -> None:
        """Put an empty overlay into the place of one; size is in bytes."""
        new, as_root = attempt(path), self._execute_as_root
        qemu_img.create_overlay(
            new, base.name, base.file_format, size, execute=self._execute, run_as_root=as_root
        )
        self._adopt_permissions(new, path)
        self._replace(new, path)
