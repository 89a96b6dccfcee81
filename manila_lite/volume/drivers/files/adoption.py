# SPDX-License-Identifier: Apache-2.0
"""Files that become volumes, and volumes that become files again."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from manila_lite import exception
from manila_lite.volume.drivers.files.base import FORMAT, GIB, OwnFiles
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.qcow2 import foreign

LOG = logging.getLogger(__name__)

UNMANAGED: Final = "unmanaged-"


class AdoptionMethods(OwnFiles):
    """existing_ref is {'source-name': 'file'}, or 'share/file' where there are several shares.

    Only files in the top directory of a share are taken: a name with further slashes could lead
    anywhere.
    """

    @locked_volume_id_operation
    def manage_existing(self, volume: Any, existing_ref: Mapping[str, Any]) -> dict[str, Any]:
        """Give a file the volume's name; return provider_location.

        The file is taken as it is, and grows to the whole GiB of the volume. Raises
        ManageExistingInvalidReference, ManageExistingAlreadyManaged, and ImageUnacceptable for an
        image that is neither raw nor plain qcow2, or that refers to other files.
        """
        self._ensure_shares_mounted()
        share, name = self._referenced(volume, existing_ref)
        volume.provider_location = share
        directory, path = self._local_volume_dir(volume), self._local_path_volume(volume)
        source = os.path.join(directory, name)
        if os.path.lexists(source):
            self._check_foreign(volume, source, existing_ref)
            self._rename(source, path)
        elif not os.path.lexists(path):
            raise _invalid(existing_ref, f"there is no file {name} on {share}")
        found = foreign.inspect(path, volume.id, accepted=("raw", "qcow2"))
        if found.virtual_size < volume.size * GIB:
            self._resize_image(path, found.file_format, volume.size)
        self._set_rw_permissions(path)
        return {"provider_location": share, "admin_metadata": {FORMAT: found.file_format}}

    def manage_existing_get_size(self, volume: Any, existing_ref: Mapping[str, Any]) -> int:
        """GiB that the file's data need, rounded up. Raises as manage_existing."""
        self._ensure_shares_mounted()
        share, name = self._referenced(volume, existing_ref)
        path = os.path.join(self._get_mount_point_for_share(share), name)
        if not os.path.lexists(path):
            raise _invalid(existing_ref, f"there is no file {name} on {share}")
        found = self._check_foreign(volume, path, existing_ref)
        return -(-found.virtual_size // GIB)

    @locked_volume_id_operation
    def unmanage(self, volume: Any) -> None:
        """Give the volume's file a name that is no volume's: 'unmanaged-' and what it was.

        Raises InvalidVolume for a volume with snapshots: its data are in several files.
        """
        self._ensure_share_mounted(volume.provider_location)
        directory, path = self._local_volume_dir(volume), self._local_path_volume(volume)
        images = [name for name in self._own_files(volume, directory) if name != volume.name]
        if images:
            raise exception.InvalidVolume(
                reason=f"volume {volume.id} has, or had, snapshots: {', '.join(images)}"
            )
        self._refuse_in_use(volume, path)
        if os.path.lexists(path):
            self._rename(path, os.path.join(directory, f"{UNMANAGED}{volume.name}"))

    def _referenced(self, volume: Any, existing_ref: Mapping[str, Any]) -> tuple[str, str]:
        """(share, name of the file) that a reference means."""
        written = existing_ref.get("source-name") if existing_ref else None
        if not isinstance(written, str) or not written:
            raise _invalid(existing_ref, "it must contain 'source-name'")
        for share in sorted(self._mounted_shares, key=len, reverse=True):
            if written.startswith(f"{share}/"):
                return share, _checked_name(written.removeprefix(f"{share}/"), existing_ref)
        return self._find_managed_share(volume), _checked_name(written, existing_ref)

    def _find_managed_share(self, volume: Any) -> str:
        """The share of the volume's pool, else the only one that there is."""
        pool = self._get_pool_name_from_volume(volume)
        if pool not in self.shares and len(self._mounted_shares) == 1:
            return self._mounted_shares[0]
        return self._get_share_from_pool_name(pool)

    def _check_foreign(
        self, volume: Any, path: str, existing_ref: Mapping[str, Any]
    ) -> foreign.ForeignImage:
        """Look at a file before anything opens it as an image."""
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise _invalid(existing_ref, "it is no regular file")
        if self._belongs_to_a_volume(os.path.basename(path)):
            raise exception.ManageExistingAlreadyManaged(volume_ref=os.path.basename(path))
        self._refuse_in_use(volume, path)
        return foreign.inspect(path, volume.id, accepted=("raw", "qcow2"))

    def _belongs_to_a_volume(self, name: str) -> bool:
        """Whether the file has a name such as volumes have, whichever one it is."""
        template = self._volume_name_template()
        before, _, after = template.partition("%s")
        return name.startswith(before) and after in name and name != UNMANAGED

    def _volume_name_template(self) -> str:
        conf = getattr(self.configuration, "conf", {})
        return str(conf["volume_name_template"]) if "volume_name_template" in conf else "volume-%s"

    def _rename(self, source: str, target: str) -> None:
        """Rename a file on its share. Raises VolumeBackendAPIException where the name is taken."""
        if os.path.lexists(target):
            raise exception.VolumeBackendAPIException(data=f"{target} exists already")
        self._execute("mv", "-nT", source, target, run_as_root=self._execute_as_root)
        self._sync_directory(os.path.dirname(target))


def _checked_name(name: str, existing_ref: Mapping[str, Any]) -> str:
    if name != os.path.basename(name) or name.startswith(".") or not name.isprintable():
        raise _invalid(existing_ref, "it is no file in the top directory of a mounted share")
    return name


def _invalid(
    existing_ref: Mapping[str, Any] | None, reason: str
) -> exception.ManageExistingInvalidReference:
    return exception.ManageExistingInvalidReference(existing_ref=existing_ref, reason=reason)
