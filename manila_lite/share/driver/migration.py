# SPDX-License-Identifier: Apache-2.0
"""Migration of a share between back ends, carried out by the drivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manila_lite.share.driver.base import DriverBase, Model, ShareServer

Snapshots = Sequence[Model]


class MigrationMethods(DriverBase):
    """Called at the source's back end; nothing here is needed for host-assisted migration.

    Parameters of all: source_share and destination_share are share instances, source_snapshots the
    snapshot instances of the source, snapshot_mappings the destination's by the source's id.
    """

    def migration_check_compatibility(
        self,
        context: Any,
        source_share: Model,
        destination_share: Model,
        share_server: ShareServer = None,
        destination_share_server: ShareServer = None,
    ) -> dict[str, bool]:
        """Tell whether this driver can migrate the share to that destination, and how well.

        Keys: compatible, writable (for clients meanwhile), preserve_metadata, nondisruptive,
        preserve_snapshots. All false: the service copies the data itself, if it may.
        """
        aspects = (
            "compatible",
            "writable",
            "preserve_metadata",
            "nondisruptive",
            "preserve_snapshots",
        )
        return dict.fromkeys(aspects, False)

    def migration_start(
        self,
        context: Any,
        source_share: Model,
        destination_share: Model,
        source_snapshots: Snapshots,
        snapshot_mappings: Mapping[str, Model],
        share_server: ShareServer = None,
        destination_share_server: ShareServer = None,
    ) -> None:
        """Start the first phase and return at once; migration_continue does the rest."""
        raise NotImplementedError

    def migration_continue(
        self,
        context: Any,
        source_share: Model,
        destination_share: Model,
        source_snapshots: Snapshots,
        snapshot_mappings: Mapping[str, Model],
        share_server: ShareServer = None,
        destination_share_server: ShareServer = None,
    ) -> bool:
        """Do the next bit of the first phase; return whether that phase is finished.

        Asked again and again, every migration_driver_continue_update_interval seconds.
        """
        raise NotImplementedError

    def migration_complete(
        self,
        context: Any,
        source_share: Model,
        destination_share: Model,
        source_snapshots: Snapshots,
        snapshot_mappings: Mapping[str, Model],
        share_server: ShareServer = None,
        destination_share_server: ShareServer = None,
    ) -> dict[str, Any] | None:
        """Do the second, disruptive phase, and delete the source's data.

        Returns what changed: export_locations of the share, and snapshot_updates with
        provider_location and export_locations by the destination snapshot instance's id.
        """
        raise NotImplementedError

    def migration_cancel(
        self,
        context: Any,
        source_share: Model,
        destination_share: Model,
        source_snapshots: Snapshots,
        snapshot_mappings: Mapping[str, Model],
        share_server: ShareServer = None,
        destination_share_server: ShareServer = None,
    ) -> None:
        """Give the migration up and leave the source as it was."""
        raise NotImplementedError

    def migration_get_progress(
        self,
        context: Any,
        source_share: Model,
        destination_share: Model,
        source_snapshots: Snapshots,
        snapshot_mappings: Mapping[str, Model],
        share_server: ShareServer = None,
        destination_share_server: ShareServer = None,
    ) -> dict[str, Any]:
        """Return how far the migration is: total_progress, in percent, and what else is known."""
        raise NotImplementedError
