# SPDX-License-Identifier: Apache-2.0
"""The driver's methods, each for the share server that it is called with.

A share's record may lack its server, or still have another one: the argument decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite.share.driver.base import Model, Rules, ShareServer
from manila_lite.share.drivers.btrfs import BtrfsDriver


class PlacedMethods(BtrfsDriver):
    """As the btrfs driver's; shares and snapshots know their server once they reach those."""

    def create_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Make an empty subvolume; return its export locations on the server."""
        return super().create_share(context, placed(share, share_server))

    def create_share_from_snapshot(
        self, context: Any, share: Model, snapshot: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Clone the snapshot to a new share on the server; return its export locations."""
        return super().create_share_from_snapshot(context, placed(share, share_server), snapshot)

    def ensure_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Return the export locations; a server whose directory was lost is set up again."""
        return super().ensure_share(context, placed(share, share_server))

    def get_share_status(self, share: Model, share_server: ShareServer = None) -> dict[str, Any]:
        """What became of a share that was being made on the server."""
        return super().get_share_status(placed(share, share_server))

    def update_access(
        self,
        context: Any,
        share: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> dict[str, dict[str, str]] | None:
        """Let in on the server whom the rules name."""
        share = placed(share, share_server)
        return super().update_access(context, share, access_rules, add_rules, delete_rules)

    def create_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> dict[str, Any]:
        """Make a read-only clone, which the server exports as well."""
        return super().create_snapshot(context, _with_share(snapshot, share_server))

    def revert_to_snapshot(
        self,
        context: Any,
        snapshot: Model,
        share_access_rules: Rules,
        snapshot_access_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Replace the share's data, and what the server shows, by the snapshot's."""
        snapshot = _with_share(snapshot, share_server)
        super().revert_to_snapshot(context, snapshot, share_access_rules, snapshot_access_rules)

    def snapshot_update_access(
        self,
        context: Any,
        snapshot: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Let in on the server, to read, whom the snapshot's rules name."""
        snapshot = _with_share(snapshot, share_server)
        super().snapshot_update_access(context, snapshot, access_rules, add_rules, delete_rules)

    def manage_existing_with_server(
        self, share: Model, driver_options: Mapping[str, Any], share_server: ShareServer = None
    ) -> dict[str, Any]:
        """Take over a subvolume under the root, and export it on the server.

        Returns size (GiB) and export_locations; raises as `manage_existing`.
        """
        return self.manage_existing(placed(share, share_server), driver_options)

    def unmanage_with_server(self, share: Model, share_server: ShareServer = None) -> None:
        """Forget the share; its subvolume and its export stay as they are."""
        self.unmanage(share)

    def manage_existing_snapshot_with_server(
        self, snapshot: Model, driver_options: Mapping[str, Any], share_server: ShareServer = None
    ) -> dict[str, Any]:
        """Take over a subvolume under the root as a snapshot of a share on the server.

        Returns and raises as `manage_existing_snapshot`.
        """
        return self.manage_existing_snapshot(_with_share(snapshot, share_server), driver_options)

    def unmanage_snapshot_with_server(
        self, snapshot: Model, share_server: ShareServer = None
    ) -> None:
        """Forget the snapshot; its subvolume stays as it is."""
        self.unmanage_snapshot(snapshot)


def placed(share: Model, share_server: ShareServer) -> Model:
    """A share on the server that a method is called with; as it is where there is none."""
    if share_server is None:
        return share
    return {**share, "share_server_id": share_server["id"], "share_server": share_server}


def _with_share(snapshot: Model, share_server: ShareServer) -> Model:
    return {**snapshot, "share": placed(snapshot["share"], share_server)}
