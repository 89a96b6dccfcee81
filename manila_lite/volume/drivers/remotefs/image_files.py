# SPDX-License-Identifier: Apache-2.0
"""The files of volumes: making them, their permissions, images into them and out of them."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

from manila_lite import exception
from manila_lite.image import convert
from manila_lite.volume.drivers.remotefs.shares import ShareMethods

LOG = logging.getLogger(__name__)

GIB: Final = 1 << 30
_SECURE_MODE: Final = "660"
_OPEN_MODE: Final = "ugo+rw"


def seconds_for(size_gib: float) -> float:
    """The time that a command gets which may write so much: ten minutes, and two for each GiB."""
    return 600.0 + 120.0 * size_gib


class ImageFileMethods(ShareMethods):
    """Volumes as files, one each. All commands go through _execute, which drivers replace."""

    _execute_as_root: bool

    def local_path(self, volume: Any) -> str:
        """The path of the volume's base file, on a share that is mounted."""
        mount_point = self._get_mount_point_for_share(volume.provider_location)
        return os.path.join(mount_point, volume.name)

    def _do_create_volume(self, volume: Any) -> None:
        """Make the volume's file on the share in its provider_location.

        Raises VolumeExists where a file of that name is there already: it is somebody's data. A
        file that could not be made as a whole is removed.
        """
        path = self.local_path(volume)
        if os.path.lexists(path):
            raise exception.VolumeExists(volume_id=volume.id, where=path)
        try:
            self._create_file(path, volume.size)
            self._set_rw_permissions(path)
        except Exception:
            self._delete(path)
            raise

    def _create_file(self, path: str, size: int) -> None:
        """qcow2 where the driver's options say so, else raw: sparse or written as a whole."""
        if self._prefixed_option("qcow2_volumes"):
            self._create_qcow2_file(path, size)
        elif self._thin_volumes():
            self._create_sparsed_file(path, size)
        else:
            self._create_regular_file(path, size)

    def _prefixed_option(self, name: str) -> Any:
        """An option with the driver's prefix, such as nfs_qcow2_volumes; False if it has none."""
        return getattr(self.configuration, f"{self.driver_prefix}_{name}", False)

    def _thin_volumes(self) -> bool:
        """Whether raw volumes take room as they are written."""
        thick = self.configuration.nas_volume_prov_type == "thick"
        return bool(self._prefixed_option("sparsed_volumes")) and not thick

    def _create_sparsed_file(self, path: str, size: int) -> None:
        """Make a file of size GiB that takes no room."""
        self._execute("truncate", "-s", f"{size}G", path, run_as_root=self._execute_as_root)

    def _create_regular_file(self, path: str, size: int) -> None:
        """Make a file of size GiB full of zeros."""
        self._execute(
            "dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={size * 1024}",
            run_as_root=self._execute_as_root, timeout=seconds_for(size),
        )  # fmt: skip

    def _create_qcow2_file(self, path: str, size_gb: int) -> None:
        """Make a qcow2 file for a volume of size_gb GiB."""
        self._execute(
            "qemu-img", "create", "-f", "qcow2", "-o", "preallocation=metadata",
            path, str(size_gb * GIB),
            run_as_root=self._execute_as_root,
        )  # fmt: skip

    def _delete(self, path: str) -> None:
        """Remove a file; one that is not there is no error. Drivers replace this."""
        self._execute("rm", "-f", path, run_as_root=self._execute_as_root)

    def _set_rw_permissions(self, path: str) -> None:
        """Let owner and group, or everybody, read and write: nas_secure_file_permissions says."""
        if self.configuration.nas_secure_file_permissions == "true":
            self._change_mode(_SECURE_MODE, path)
        else:
            LOG.warning("Anybody may read and write %s", path)
            self._change_mode(_OPEN_MODE, path)

    def _set_rw_permissions_for_all(self, path: str) -> None:
        """Let everybody read and write."""
        self._change_mode(_OPEN_MODE, path)

    def _set_rw_permissions_for_owner(self, path: str) -> None:
        """Let the owner read and write, as well as whom it was allowed before."""
        self._change_mode("u+rw", path)

    def _change_mode(self, mode: str, path: str) -> None:
        self._execute("chmod", mode, path, run_as_root=self._execute_as_root)

    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: str
    ) -> None:
        """Fill a raw volume with an image.

        Raises ImageUnacceptable when the volume does not have its size afterwards.
        """
        path, as_root = self.local_path(volume), self._execute_as_root
        convert.fetch_to_raw(
            context, image_service, image_id, path, self.configuration.volume_dd_blocksize,
            size=volume.size, run_as_root=as_root,
        )  # fmt: skip
        # The conversion has cut the file to the image's size.
        convert.resize_image(path, volume.size, run_as_root=as_root, file_format="raw")
        self._check_virtual_size(path, volume.size, image_id)

    def _check_virtual_size(self, path: str, size: int, image_id: str) -> None:
        found = os.stat(path).st_size // GIB
        if found != size:
            raise exception.ImageUnacceptable(
                image_id=image_id, reason=f"the volume should have {size} GiB and has {found}"
            )

    def copy_volume_to_image(
        self, context: Any, volume: Any, image_service: Any, image_meta: Any
    ) -> None:
        """Upload a raw volume as an image."""
        convert.upload_volume(
            context, image_service, image_meta, self.local_path(volume),
            run_as_root=self._execute_as_root,
        )  # fmt: skip
