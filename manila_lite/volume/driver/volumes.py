# SPDX-License-Identifier: Apache-2.0
"""Volumes and their snapshots."""

from __future__ import annotations

from typing import Any

from manila_lite.volume.driver.base import DriverBase, Model, Update


class VolumeMethods(DriverBase):
    """Creation, deletion, growth, snapshots."""

    def create_volume(self, volume: Model) -> Update:
        """Make an empty volume."""
        raise NotImplementedError

    def create_volume_from_snapshot(self, volume: Model, snapshot: Model) -> Update:
        """Make a volume with the data of a snapshot; it may be larger than that."""
        raise NotImplementedError

    def create_cloned_volume(self, volume: Model, src_vref: Model) -> Update:
        """Make a volume with the data of another one; it may be larger than that."""
        raise NotImplementedError

    def delete_volume(self, volume: Model) -> None:
        """Remove a volume; one that is gone already is no error."""
        raise NotImplementedError

    def extend_volume(self, volume: Model, new_size: int) -> None:
        """Make a volume larger, to new_size GiB."""
        raise NotImplementedError

    def create_snapshot(self, snapshot: Model) -> Update:
        """Keep the present data of a volume."""
        raise NotImplementedError

    def delete_snapshot(self, snapshot: Model) -> None:
        """Remove a snapshot; the volume and its other snapshots keep their data."""
        raise NotImplementedError

    def revert_to_snapshot(self, context: Any, volume: Model, snapshot: Model) -> None:
        """Give a volume the data back that it had when its latest snapshot was made."""
        raise NotImplementedError

    def local_path(self, volume: Model) -> str:
        """The path of the volume's file or device on this host."""
        raise NotImplementedError
