# SPDX-License-Identifier: Apache-2.0
"""What the families of methods have in common: a volume's own files, and who holds them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from manila_lite import exception
from manila_lite.volume.qcow2 import image_locks, qemu_img
from manila_lite.volume.qcow2.names import INFO, VolumeNames

if TYPE_CHECKING:
    from manila_lite.volume.drivers.remotefs import RemoteFSPoolMixin, RemoteFSSnapDriverBase

    class Base(RemoteFSPoolMixin, RemoteFSSnapDriverBase):
        """What the mix-ins are put before, as the type checker sees it."""

        def _promises_more_than_it_has(self) -> bool: ...

        def _is_share_eligible(
            self,
            share: str,
            volume_size_in_gib: int,
            capacity: tuple[float, float, float] | None = None,
        ) -> bool: ...

else:
    Base = object

GIB: Final = 1 << 30
FORMAT: Final = "format"
"""The key of a volume's admin metadata that tells the format of its base image, as in Cinder."""


class OwnFiles(Base):
    """The files of one volume. Callers hold the volume's lock."""

    def _volume_names(self, volume: Any) -> VolumeNames:
        """Raises PathRefused for a name that is no file name."""
        return VolumeNames(volume.name, self._VALID_IMAGE_EXTENSIONS)

    def _own_files(self, volume: Any, directory: str) -> list[str]:
        """Names of the volume's files in a directory: images, half-written ones, `.info` last.

        Whoever removes them in this order can be killed anywhere and begin again.
        """
        names = self._volume_names(volume)
        info = f"{names.volume_name}{INFO}"
        found = sorted(os.listdir(directory))
        own = [name for name in found if names.is_image(name) or names.is_temporary(name)]
        return [*own, *(name for name in found if name == info)]

    def _refuse_in_use(self, volume: Any, *paths: str) -> None:
        """Raise VolumeIsBusy where qemu has one of the images open."""
        holders = {image_locks.holder(path) for path in paths if os.path.lexists(path)}
        if holders & {image_locks.Holder.WRITER, image_locks.Holder.READER}:
            raise exception.VolumeIsBusy(f"Something has an image of volume {volume.id} open.")

    def _adopt_permissions(self, path: str, of: str) -> None:
        """Give a new file the owner and the mode of the one that it is to replace."""
        as_root = self._execute_as_root
        self._execute("chmod", f"--reference={of}", path, run_as_root=as_root)
        found, wanted = os.stat(path), os.stat(of)
        if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
            self._execute("chown", f"--reference={of}", path, run_as_root=as_root)

    def _replace(self, new: str, path: str) -> None:
        """Put a complete new file in the place of path, at once and for good."""
        as_root = self._execute_as_root
        self._execute("sync", new, run_as_root=as_root)
        self._execute("mv", "-fT", new, path, run_as_root=as_root)
        self._sync_directory(os.path.dirname(path))

    def _sync_directory(self, directory: str) -> None:
        self._execute("sync", directory, run_as_root=self._execute_as_root)

    def _resize_image(self, path: str, image_format: str, size: int) -> None:
        """Make an image larger, to size GiB; thick raw volumes take their room at once."""
        if image_format == "raw" and not self._thin_volumes():
            self._execute(
                "qemu-img", "resize", "-q", "-f", "raw", "--preallocation=full",
                path, str(size * GIB),
                run_as_root=self._execute_as_root, timeout=qemu_img.WORK_TIMEOUT,
            )  # fmt: skip
        else:
            qemu_img.resize(
                path, image_format, size * GIB,
                execute=self._execute, run_as_root=self._execute_as_root,
            )  # fmt: skip
