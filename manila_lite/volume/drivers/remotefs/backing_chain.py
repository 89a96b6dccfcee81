# SPDX-License-Identifier: Apache-2.0
"""The chain of a volume's images, as a driver sees it: through its own hooks."""

from __future__ import annotations

import logging
import os
from typing import Any

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.info import InfoFileMethods
from manila_lite.volume.qcow2 import chain, image_locks, info_file, qemu_img, survey
from manila_lite.volume.qcow2.chain import ImageDirectory
from manila_lite.volume.qcow2.info_file import Unfinished
from manila_lite.volume.qcow2.names import VolumeNames
from manila_lite.volume.qcow2.survey import Survey

LOG = logging.getLogger(__name__)


class BackingChainMethods(InfoFileMethods):
    """Looking at images and changing what they rest on. Callers hold the volume's lock."""

    _seen: chain.Seen

    def _qemu_img_info_base(
        self, path: str, volume_name: str, basedir: str | None, run_as_root: bool = False
    ) -> qemu_img.ImageInfo:
        """Look at one image of a volume; its backing_file comes back as a bare file name.

        basedir: where shares are mounted, under hashed names. Raises BackingFileRefused for an
        image that refers to anything but this volume's own images.
        """
        names = VolumeNames(volume_name, self._VALID_IMAGE_EXTENSIONS)
        directory, name = os.path.split(path)
        known = chain.format_by_name(names, directory, name)
        header = chain.checked_header(path, known)
        if header is not None and header.backing_file:
            names.backing_name(path, header.backing_file, directory, basedir)
        info = qemu_img.info(
            path,
            known,
            force_share=True,
            execute=self._execute,
            run_as_root=run_as_root or self._execute_as_root,
        )
        chain.refuse_answer(path, known, info)
        info.image = os.path.basename(info.image)
        if info.backing_file:
            info.backing_file = names.backing_name(path, info.backing_file, directory, basedir)
        return info

    def _qemu_img_info(self, path: str, volume_name: str) -> Any:
        """What `_qemu_img_info_base` returns, for the driver's own directories."""
        raise NotImplementedError

    def _image_directory(self, volume: Any) -> ImageDirectory:
        """The volume's images. Raises PathRefused for a volume name that is no file name."""
        return ImageDirectory(
            self._local_volume_dir(volume),
            VolumeNames(volume.name, self._VALID_IMAGE_EXTENSIONS),
            lambda path: self._qemu_img_info(path, volume.name),
            mount_base=self._get_mount_point_base(),
            recorded_format=self._recorded_format(volume),
            seen=self._seen,
        )

    def _recorded_format(self, volume: Any) -> str | None:
        """The format of the base image, as the volume's row has it; None where it says nothing."""
        found = (getattr(volume, "admin_metadata", None) or {}).get("format")
        return found if found in chain.FORMATS else None

    def _survey(self, volume: Any, deleting: str | None = None) -> Survey:
        """Look at all files of a volume. Raises as `qcow2.survey.take`."""
        directory = self._image_directory(volume)
        recorded = self._recorded(volume, directory.names)
        return survey.take(directory, recorded, deleting=deleting)

    def _settled(self, volume: Any, deleting: str | None = None) -> Survey:
        """Look at a volume's files, and have ``.info`` say what the chain shows.

        What an earlier deletion has merged and not removed is removed, and overlays that were
        never completed. Every operation on snapshots begins with this.
        """
        found = self._survey(volume, deleting)
        for name in filter(found.directory.names.is_attempt, found.temporary):
            self._delete(found.directory.path(name))
        leftover = found.leftover
        if leftover is not None:
            self._remove_image(found.directory, leftover)
            found = self._survey(volume, deleting)
        if not found.is_recorded:
            LOG.warning("Volume %s: .info is brought into line with the images", volume.id)
            self._write_info_file(self._local_path_volume_info(volume), found.content())
            found = self._survey(volume)
        return found

    def _record(
        self,
        volume: Any,
        active: str,
        files: dict[str, str],
        unfinished: Unfinished | None = None,
    ) -> None:
        values = info_file.content(active, files, unfinished)
        self._write_info_file(self._local_path_volume_info(volume), values)

    def get_active_image_from_info(self, volume: Any) -> str:
        """The name of the image that a guest has, or would get.

        What ``.info`` says is compared with the chain: a guest that gets an image under the one
        which it wrote to has lost its data. Raises RemoteFSException where that is not clear.
        """
        directory = self._image_directory(volume)
        recorded = self._recorded(volume, directory.names)
        if recorded.missing and not directory.listing()[0]:
            # A volume that is just being made.
            return os.path.basename(self.local_path(volume))
        return survey.take(directory, recorded).active

    def _get_backing_chain_for_path(self, volume: Any, path: str) -> list[dict[str, Any]]:
        """The image at a path and all under it: 'filename' and 'backing-filename' of each.

        Each is looked at before the next is. Raises BackingFileRefused and ImageMissing.
        """
        images = chain.walk(self._image_directory(volume), os.path.basename(path))
        return [{"filename": image.name, "backing-filename": image.backing} for image in images]

    def _get_higher_image_path(self, snapshot: Any) -> str | None:
        """The name of the image over the snapshot's overlay; None where that is the active one.

        Raises RemoteFSException for a snapshot that has no overlay.
        """
        found = self._survey(snapshot.volume)
        if snapshot.id not in found.files:
            raise exception.RemoteFSException(f"Snapshot {snapshot.id} has no image")
        higher = found.position(snapshot.id).higher
        return None if higher is None else higher.name

    def _img_commit(self, path: str) -> None:
        """Write an overlay's data into its backing file, and remove the overlay."""
        self._commit_only(path)
        self._delete(path)

    def _commit_only(self, path: str) -> None:
        qemu_img.commit(path, execute=self._execute, run_as_root=self._execute_as_root)

    def _rebase_img(self, image: str, backing_file: str, volume_format: str) -> None:
        """Have an image name another backing file, of the format volume_format."""
        qemu_img.rebase_header(
            image,
            backing_file,
            volume_format,
            execute=self._execute,
            run_as_root=self._execute_as_root,
        )

    def _straighten(self, found: Survey) -> None:
        """Have every header of the chain name its backing file plainly, and with its format.

        qemu would go by a path that is written there, and guess a format that is not: from what
        a guest may have written. Nobody may have the images open.
        """
        for image, lower in zip(found.chain, found.chain[1:], strict=False):
            if not image.is_straight(lower.file_format):
                path = found.directory.path(image.name)
                self._rebase_img(path, lower.name, lower.file_format)

    def _remove_image(self, directory: ImageDirectory, name: str) -> None:
        """Remove an image that nothing rests on. Raises ImageInUse where a guest writes to it."""
        path = directory.path(name)
        if os.path.lexists(path) and image_locks.holder(path) is image_locks.Holder.WRITER:
            raise image_locks.ImageInUse(reason=f"a guest writes to {path}")
        self._delete(path)
        info_file.sync_directory(directory.directory)
