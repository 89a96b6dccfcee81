# SPDX-License-Identifier: Apache-2.0
"""Volumes as files in directories of this machine: no mount, no root, nothing to install."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Final

from manila_lite import exception, process
from manila_lite.conf.localfs import localfs_opts
from manila_lite.volume.drivers.files import FileVolumeMethods
from manila_lite.volume.drivers.remotefs import RemoteFSPoolMixin, RemoteFSSnapDriver
from manila_lite.volume.drivers.remotefs.security import OPTIONS

LOG = logging.getLogger(__name__)

_DIRECTORY_MODE: Final = 0o750


class LocalFsDriver(FileVolumeMethods, RemoteFSPoolMixin, RemoteFSSnapDriver):
    """Each directory of localfs_volume_dir is a share, and a pool, whose name is its path."""

    driver_volume_type = "local"
    driver_prefix = "localfs"
    volume_backend_name = "LocalFS"
    VERSION = "1.0"

    def __init__(
        self, execute: Callable[..., Any] = process.execute, *args: Any, **kwargs: Any
    ) -> None:
        """As RemoteFSSnapDriver. Needs a configuration."""
        super().__init__(execute, *args, **kwargs)
        self.configuration.append_config_values(localfs_opts)
        self._execute_as_root = False

    def do_setup(self, context: Any) -> None:
        """Make directories that are missing. Raises RemoteFSNoSharesMounted if none can be used."""
        super().do_setup(context)
        self._load_shares_config()
        for directory in self.shares:
            os.makedirs(directory, mode=_DIRECTORY_MODE, exist_ok=True)
        self._ensure_shares_mounted()
        if not self._mounted_shares:
            raise self._nothing_mounted("none of localfs_volume_dir can be used")
        self.set_nas_security_options(self._is_voldb_empty_at_startup)

    def set_nas_security_options(self, is_new_cinder_install: Any) -> None:
        """'auto' is secure: the files belong to the service's user from the first one on."""
        for option in OPTIONS:
            if getattr(self.configuration, option) == "auto":
                setattr(self.configuration, option, "true")
        self._execute_as_root = not self.secure_file_operations_enabled()
        self._warn_of_insecure_options()

    def _load_shares_config(self, share_file: str | None = None) -> None:
        directories = self.configuration.localfs_volume_dir
        self.shares = {os.path.normpath(directory): None for directory in directories}

    def _get_mount_point_for_share(self, share: str) -> str:
        """The directory itself. Raises PathRefused for one that is not in localfs_volume_dir."""
        if share not in self.shares:
            self._load_shares_config()
        if share not in self.shares:
            raise exception.PathRefused(name=share, reason="it is not in localfs_volume_dir")
        return share

    def _ensure_share_mounted(self, share: str) -> None:
        """Raise RemoteFSException for a directory that is not there or cannot be written."""
        directory = self._get_mount_point_for_share(share)
        if not os.path.isdir(directory):
            raise exception.RemoteFSException(f"{directory} is no directory.")
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise exception.RemoteFSException(f"{directory} is not writable for this user.")

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        """As FileVolumeMethods, with the image's path: guests run on this machine."""
        answer = super().initialize_connection(volume, connector)
        answer["data"]["device_path"] = os.path.join(
            self._local_volume_dir(volume), answer["data"]["name"]
        )
        return answer

    def _qemu_img_info(self, path: str, volume_name: str) -> Any:
        """Look at an image that names no other files than its volume's own."""
        return self._qemu_img_info_base(path, volume_name, os.path.dirname(path))
