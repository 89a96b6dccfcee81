# SPDX-License-Identifier: Apache-2.0
"""Snapshots of shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite.share.driver.base import DriverBase, Model, Rules, ShareServer


class SnapshotMethods(DriverBase):
    """The life of a snapshot on the storage.

    A snapshot is a snapshot instance; its share instance is snapshot["share"]. A driver that
    redefines create_snapshot and delete_snapshot reports snapshot_support.
    """

    def create_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> dict[str, Any] | None:
        """Make a snapshot. Returns what to keep: provider_location, size (GiB),
        export_locations where snapshots can be mounted; or None.
        """
        raise NotImplementedError

    def delete_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> None:
        """Remove a snapshot; one that is already gone is no error.

        Raises ShareSnapshotIsBusy where something depends on it: it stays available.
        """
        raise NotImplementedError

    def manage_existing_snapshot(
        self, snapshot: Model, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Take over a snapshot that exists on the storage, without share servers.

        Returns at least its size in GiB; export_locations where snapshots can be mounted. Raises
        ManageInvalidShareSnapshot for one that cannot be managed.
        """
        raise NotImplementedError

    def manage_existing_snapshot_with_server(
        self,
        snapshot: Model,
        driver_options: Mapping[str, Any],
        share_server: ShareServer = None,
    ) -> dict[str, Any]:
        """Do as manage_existing_snapshot does, for a share on a share server."""
        raise NotImplementedError

    def unmanage_snapshot(self, snapshot: Model) -> None:
        """Forget a snapshot, without share servers, and leave it on the storage.

        Most drivers have nothing to do. Raises UnmanageInvalidShareSnapshot where it may not be
        forgotten.
        """

    def unmanage_snapshot_with_server(
        self, snapshot: Model, share_server: ShareServer = None
    ) -> None:
        """Do as unmanage_snapshot does, for a share on a share server."""

    def revert_to_snapshot(
        self,
        context: Any,
        snapshot: Model,
        share_access_rules: Rules,
        snapshot_access_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Set the share back to the contents of its latest snapshot, in place.

        The snapshot stays. Whoever asks has seen to it that it is the latest one.
        """
        raise NotImplementedError

    def snapshot_update_access(
        self,
        context: Any,
        snapshot: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Give a mounted snapshot exactly access_rules.

        Parameters as for update_access. Adding a rule that exists and deleting one that does not
        are no errors.
        """
        raise NotImplementedError
