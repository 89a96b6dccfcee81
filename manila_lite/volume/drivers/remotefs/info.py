# SPDX-License-Identifier: Apache-2.0
"""Where a volume's files lie, and its ``.info`` file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.base import RemoteFSDriver
from manila_lite.volume.qcow2 import info_file
from manila_lite.volume.qcow2.info_file import Recorded
from manila_lite.volume.qcow2.names import INFO, VolumeNames, checked_snapshot_id


class InfoFileMethods(RemoteFSDriver):
    """Paths of a volume's files, and which overlay stands for which snapshot."""

    _VALID_IMAGE_EXTENSIONS: ClassVar[list[str]] = []

    def _local_volume_dir(self, volume: Any) -> str:
        """The directory in which the volume's files lie."""
        return str(self._get_mount_point_for_share(volume.provider_location))

    def _local_path_volume(self, volume: Any) -> str:
        """The path of the volume's base image."""
        return os.path.join(self._local_volume_dir(volume), volume.name)

    def _local_path_volume_info(self, volume: Any) -> str:
        """The path of the volume's ``.info`` file."""
        return f"{self.local_path(volume)}{INFO}"

    def _get_new_snap_path(self, snapshot: Any) -> str:
        """The path of the overlay that is made for a snapshot. Raises PathRefused."""
        return f"{self.local_path(snapshot.volume)}.{checked_snapshot_id(snapshot.id)}"

    def _read_file(self, filename: str) -> str:
        """The text of a small file. Raises OSError, NotAFile, UnicodeDecodeError."""
        return info_file.read_text(filename)

    def _read_info_file(self, info_path: str, empty_if_missing: bool = False) -> dict[str, Any]:
        """What the file says, as it stands there: nobody has compared it with the chain.

        empty_if_missing: whether a file that is not there is an empty table rather than an error.
        Raises RemoteFSException for a damaged one.
        """
        if empty_if_missing and not os.path.lexists(info_path):
            return {}
        try:
            values = json.loads(self._read_file(info_path))
        except (ValueError, RecursionError, info_file.NotAFile) as error:
            raise exception.RemoteFSException(f"{info_path} is damaged: {error}") from error
        if not isinstance(values, dict):
            raise exception.RemoteFSException(f"{info_path} is damaged: it holds no table")
        return values

    def _write_info_file(self, info_path: str, snap_info: Mapping[str, Any]) -> None:
        """Put a table in the place of the file's, as a whole. Raises RemoteFSException."""
        if info_file.ACTIVE not in snap_info:
            raise exception.RemoteFSException(f"{info_path} has to say which image is active")
        info_file.replace(info_path, snap_info)

    def _recorded(self, volume: Any, names: VolumeNames) -> Recorded:
        """What the volume's ``.info`` file says; that it is missing or damaged is told as well."""
        try:
            text = self._read_file(self._local_path_volume_info(volume))
        except FileNotFoundError:
            return Recorded(missing=True)
        except (UnicodeDecodeError, info_file.NotAFile) as error:
            return Recorded(damage=str(error))
        return info_file.parse(text, names)
