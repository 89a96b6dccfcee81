# SPDX-License-Identifier: Apache-2.0
"""Volumes made of other data: of snapshots, of other volumes, of images."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from manila_lite import exception
from manila_lite.image import convert
from manila_lite.volume.drivers.files.base import FORMAT, GIB, OwnFiles
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.qcow2 import qemu_img

LOG = logging.getLogger(__name__)


class CopyingMethods(OwnFiles):
    """Every copy is whole: a new volume depends on nothing that it was made of."""

    @locked_volume_id_operation
    def create_volume(self, volume: Any) -> dict[str, Any]:
        """Make an empty volume; see RemoteFSDriver."""
        with self._made_or_removed(volume):
            return self._with_format(volume, super().create_volume(volume))

    @locked_volume_id_operation
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> dict[str, Any]:
        """Make a volume with the data of a snapshot; see RemoteFSSnapDriverBase."""
        with self._made_or_removed(volume):
            update = super().create_volume_from_snapshot(volume, snapshot)
            return self._with_format(volume, update)

    @locked_volume_id_operation
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> dict[str, Any]:
        """Make a volume with the data of another one; see RemoteFSSnapDriverBase."""
        with self._made_or_removed(volume):
            return self._with_format(volume, super().create_cloned_volume(volume, src_vref))

    @contextlib.contextmanager
    def _made_or_removed(self, volume: Any) -> Iterator[None]:
        """Make a new volume as a whole, or have nothing of it anywhere afterwards.

        Raises VolumeExists where any share has files of that name: they are somebody's data, and a
        volume must not be on two shares.
        """
        self._ensure_shares_mounted()
        for share in self._mounted_shares:
            directory = self._get_mount_point_for_share(share)
            if self._own_files(volume, directory):
                raise exception.VolumeExists(volume_id=volume.id, where=share)
        try:
            yield
        except Exception:
            self._try_discard(volume)
            raise

    def _try_discard(self, volume: Any) -> None:
        try:
            self.discard_unfinished_volume(volume)
        except Exception as error:
            # The error that brought us here is the one to be told.
            LOG.error("What was made of volume %s stays for now: %s", volume.id, error)

    def _with_format(self, volume: Any, update: Mapping[str, Any] | None) -> dict[str, Any]:
        """Have the row say in which format the base image is: its guest can write any header."""
        return {**(update or {}), "admin_metadata": {FORMAT: self._format_of_new(volume)}}

    def _format_of_new(self, volume: Any) -> str:
        """What the row says of a volume that is being made, else what new volumes get."""
        default = "qcow2" if self._prefixed_option("qcow2_volumes") else "raw"
        return self._recorded_format(volume) or default

    def _copy_volume_from_snapshot(self, snapshot: Any, volume: Any, volume_size: int) -> None:
        """Write what a snapshot shows into the volume's file, and make that volume_size GiB.

        A file that is there already is one that this creation has made, and is overwritten. One
        that could not be written as a whole is removed.
        """
        source, source_format = self._snapshot_image(snapshot)
        path = self._local_path_volume(volume)
        LOG.info("Volume %s is copied from %s", volume.id, source)
        try:
            self._convert(source, path, source_format, self._format_of_new(volume))
            self._finish_copy(volume, path, volume_size)
        except Exception:
            self._delete(path)
            raise

    def _snapshot_image(self, snapshot: Any) -> tuple[str, str]:
        """(path, format) of the image that shows a snapshot: the one under its overlay.

        All images under that one have been looked at, and have headers that qemu can go by, when
        this returns. Raises SnapshotNotFound.
        """
        found = self._settled(snapshot.volume)
        if snapshot.id not in found.files:
            raise exception.SnapshotNotFound(snapshot_id=snapshot.id)
        if snapshot.volume.status != "in-use":
            self._straighten(found)
        base = found.position(snapshot.id).base
        return found.directory.path(base.name), base.file_format

    def _convert(self, source: str, path: str, source_format: str, target_format: str) -> None:
        thick = target_format == "raw" and not self._thin_volumes()
        # Without a mode, qemu-img leaves the data to the page cache and says that it is done.
        options = ["-t", "writeback", *(["-S", "0"] if thick else [])]
        qemu_img.convert(
            source, path, source_format, target_format, options=options,
            execute=self._execute, run_as_root=self._execute_as_root,
        )  # fmt: skip

    def _finish_copy(self, volume: Any, path: str, size: int) -> None:
        """Grow a copy to its volume's size, and let in whom the options say."""
        image_format = self._format_of_new(volume)
        found = qemu_img.info(
            path, image_format, execute=self._execute, run_as_root=self._execute_as_root
        )
        if found.virtual_size < size * GIB:
            self._resize_image(path, image_format, size)
        elif found.virtual_size > size * GIB:
            raise exception.InvalidVolume(
                reason=f"volume {volume.id} with {size} GiB is smaller than what is copied to it"
            )
        self._set_rw_permissions(path)

    @locked_volume_id_operation
    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: str
    ) -> None:
        """Fill a volume, which has no snapshots, with an image.

        Raises ImageUnacceptable for an image that is not what it says or does not fit.
        """
        path, as_root = self._local_path_volume(volume), self._execute_as_root
        image_format = self._format_of_new(volume)
        self._refuse_in_use(volume, path)
        convert.fetch_to_volume_format(
            context, image_service, image_id, path, image_format,
            self.configuration.volume_dd_blocksize, size=volume.size, run_as_root=as_root,
            disable_sparse=image_format == "raw" and not self._thin_volumes(),
        )  # fmt: skip
        # The conversion has given the file the image's size.
        self._finish_copy(volume, path, volume.size)
