# SPDX-License-Identifier: Apache-2.0
"""Deleting volumes, and what is left of volumes that were never finished."""

from __future__ import annotations

import logging
import os
from typing import Any

from manila_lite.volume.drivers.files.base import OwnFiles
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation

LOG = logging.getLogger(__name__)


class RemovalMethods(OwnFiles):
    """All files of a volume go, and no others."""

    @locked_volume_id_operation
    def delete_volume(self, volume: Any) -> None:
        """Remove the volume with all its images; what is gone already is no error.

        Raises VolumeIsBusy where something has one of them open.
        """
        share = volume.provider_location
        if not share:
            LOG.warning("Volume %s lies on no share; there is nothing to delete", volume.name)
            return
        self._ensure_share_known(share)
        self._ensure_share_mounted(share)
        # An abandoned move may have left a copy on another one.
        others = [mounted for mounted in self._mounted_shares if mounted != share]
        paths = [path for one in (*others, share) for path in self._own_paths(volume, one)]
        self._refuse_in_use(volume, *paths)
        self._remove_all_of(volume, paths)

    @locked_volume_id_operation
    def discard_unfinished_volume(self, volume: Any) -> None:
        """Remove what an interrupted creation of this volume left on any share.

        Only for a volume that was never handed out. A share that cannot be mounted is passed over;
        where it is the volume's own, making the volume fails too. A command that has outlived the
        process which started it may still write to one of the files: it loses that file.
        """
        self._ensure_shares_mounted()
        for share in self._mounted_shares:
            self._remove_all_of(volume, self._own_paths(volume, share))

    def _ensure_share_known(self, share: str) -> None:
        """Have the mount options of a share at hand, before anything has asked for them."""
        if share not in self.shares:
            self._load_shares_config(self._prefixed_option("shares_config") or None)

    def _own_paths(self, volume: Any, share: str) -> list[str]:
        directory = self._get_mount_point_for_share(share)
        return [os.path.join(directory, name) for name in self._own_files(volume, directory)]

    def _remove_all_of(self, volume: Any, paths: list[str]) -> None:
        for path in paths:
            LOG.info("Volume %s: %s is removed", volume.id, path)
            self._delete(path)
