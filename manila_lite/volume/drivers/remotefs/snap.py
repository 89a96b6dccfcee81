# SPDX-License-Identifier: Apache-2.0
"""RemoteFSSnapDriverBase and what is derived from it: snapshots as qcow2 overlays."""

from __future__ import annotations

import hashlib
from typing import Any

from manila_lite.volume.drivers.remotefs.checking import CheckingMethods
from manila_lite.volume.drivers.remotefs.copies import CopyMethods
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.qcow2.chain import Seen


class RemoteFSSnapDriverBase(CheckingMethods, CopyMethods):
    """Base of drivers that make snapshots as overlays; a driver calls the underscored methods.

    It has to say how an image is looked at (_qemu_img_info: usually `_qemu_img_info_base` with
    the directory under which it mounts) and how a snapshot is copied (_copy_volume_from_snapshot).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As RemoteFSDriver; nova (keyword): compute.API, or None where no guest has volumes."""
        self._remotefsclient: Any = None
        self.base: str | None = None
        self._nova: Any = kwargs.pop("nova", None)
        self._seen: Seen = {}
        super().__init__(*args, **kwargs)

    def do_setup(self, context: Any) -> None:
        """Prepare for work; see RemoteFSDriver."""
        super().do_setup(context)

    def _get_hash_str(self, base_str: str | bytes) -> str:
        """A name made of a share's address, for the directory in which it is mounted."""
        data = base_str.encode() if isinstance(base_str, str) else base_str
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    def _get_mount_point_for_share(self, share: str) -> str:
        """The directory in which a share is mounted. share: such as 192.0.2.5:/srv/volumes."""
        return str(self._remotefsclient.get_mount_point(share))

    def _get_mount_point_base(self) -> str | None:
        return self.base

    def _get_available_capacity(self, share: str) -> tuple[int, int]:
        """(available, size) of a share that is mounted, in bytes."""
        output, _ = self._execute(
            "df",
            "--portability",
            "--block-size",
            "1",
            self._get_mount_point_for_share(share),
            run_as_root=self._execute_as_root,
        )
        fields = output.splitlines()[1].split()
        return int(fields[3]), int(fields[1])

    def _get_capacity_info(self, remotefs_share: str) -> tuple[float, float, float]:
        """(size, available, used) of a share that is mounted, in bytes."""
        available, size = self._get_available_capacity(remotefs_share)
        return size, available, size - available


class _LockedMethods(RemoteFSSnapDriverBase):
    """The public methods, each under the lock of its volume."""

    @locked_volume_id_operation
    def create_snapshot(self, snapshot: Any) -> None:
        """Make a snapshot; see _create_snapshot."""
        return self._create_snapshot(snapshot)

    @locked_volume_id_operation
    def delete_snapshot(self, snapshot: Any) -> None:
        """Delete a snapshot; see _delete_snapshot."""
        return self._delete_snapshot(snapshot)

    @locked_volume_id_operation
    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> dict[str, Any]:
        """Make a volume of a snapshot; see _create_volume_from_snapshot."""
        return self._create_volume_from_snapshot(volume, snapshot)

    @locked_volume_id_operation
    def create_cloned_volume(self, volume: Any, src_vref: Any) -> dict[str, Any]:
        """Make a volume of another one; see _create_cloned_volume."""
        return self._create_cloned_volume(volume, src_vref)

    @locked_volume_id_operation
    def copy_volume_to_image(
        self, context: Any, volume: Any, image_service: Any, image_meta: Any
    ) -> None:
        """Upload a volume as an image; see _copy_volume_to_image."""
        return self._copy_volume_to_image(context, volume, image_service, image_meta)


class RemoteFSSnapDriver(_LockedMethods):
    """For a back end that one host serves: its processes lock each other out."""

    locks_between_hosts = False


class RemoteFSSnapDriverDistributed(_LockedMethods):
    """For a back end that several hosts serve: locks are asked of [coordination] backend_url."""

    locks_between_hosts = True
