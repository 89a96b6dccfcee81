# SPDX-License-Identifier: Apache-2.0
"""Groups of shares, by default made of single shares and single snapshots."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from manila_lite import exception
from manila_lite.share.driver.base import Model, ShareServer
from manila_lite.share.driver.capabilities import CapabilityMethods
from manila_lite.share.driver.shares import ShareMethods
from manila_lite.share.driver.snapshots import SnapshotMethods

LOG = logging.getLogger(__name__)

GroupUpdate = dict[str, Any] | None
MemberUpdates = list[dict[str, Any]] | None


class GroupMethods(ShareMethods, SnapshotMethods, CapabilityMethods):
    """Share groups. Drivers that can snapshot several shares at one moment redefine these.

    Updates of the group and of its members are dictionaries of columns; None changes nothing.
    """

    def create_share_group(
        self, context: Any, share_group_dict: Model, share_server: ShareServer = None
    ) -> GroupUpdate:
        """Make an empty group; return what to update of it."""
        LOG.debug("Share group %s needs nothing on the storage", share_group_dict["id"])
        return None

    def create_share_group_from_share_group_snapshot(
        self,
        context: Any,
        share_group_dict: Model,
        share_group_snapshot_dict: Model,
        share_server: ShareServer = None,
    ) -> tuple[GroupUpdate, MemberUpdates]:
        """Make the shares of a new group, each from its member of the group snapshot.

        Returns updates of the group, and for each share its id and export_locations. Raises
        InvalidShareGroup where a share has no member to be made from.
        """
        if not share_group_snapshot_dict["share_group_snapshot_members"]:
            return None, None
        pairs = self._collate_share_group_snapshot_info(share_group_dict, share_group_snapshot_dict)
        server = {"share_server": share_server} if self.driver_handles_share_servers else {}
        updates = [
            {
                "id": pair["share"]["id"],
                "export_locations": self.create_share_from_snapshot(
                    context, pair["share"], pair["snapshot"], **server
                ),
            }
            for pair in pairs
        ]
        return None, updates

    def delete_share_group(
        self, context: Any, share_group_dict: Model, share_server: ShareServer = None
    ) -> GroupUpdate:
        """Delete an empty group; return what to update of it."""
        return None

    def create_share_group_snapshot(
        self, context: Any, snap_dict: Model, share_server: ShareServer = None
    ) -> tuple[GroupUpdate, MemberUpdates]:
        """Make a snapshot of each share of a group, one after the other.

        Returns updates of the group snapshot, and of those members for which create_snapshot
        returned something. When one snapshot fails, those made before are deleted and its
        exception is raised. Raises ShareGroupSnapshotNotSupported where the statistics say that
        there are no snapshots.
        """
        if not self._stats.get("snapshot_support"):
            raise exception.ShareGroupSnapshotNotSupported(share_group=snap_dict["share_group_id"])
        members = snap_dict.get("share_group_snapshot_members", [])
        if not members:
            LOG.warning("Share group snapshot %s is empty: its group is", snap_dict["id"])
            return None, None
        return None, self._snapshot_members(context, members, share_server)

    def _snapshot_members(
        self, context: Any, members: Sequence[Model], share_server: ShareServer
    ) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        updates: list[dict[str, Any]] = []
        for member in members:
            snapshot = _snapshot_of_member(member, provider_location=None)
            try:
                update = self.create_snapshot(context, snapshot, share_server=share_server)
            except Exception:
                # Any exception, since a third-party driver's need not derive from ours.
                LOG.exception(
                    "Snapshot %s of share %s failed; its group's snapshot is undone",
                    snapshot["id"],
                    snapshot["share_id"],
                )
                self._undo_members(context, made, share_server)
                raise
            made.append(snapshot)
            if update:
                updates.append({**update, "id": member["id"]})
        return updates

    def _undo_members(
        self, context: Any, snapshots: Sequence[Model], share_server: ShareServer
    ) -> None:
        """Delete all snapshots, also after one could not be; then raise the first failure."""
        failures: list[Exception] = []
        for snapshot in snapshots:
            try:
                self._cleanup_group_share_snapshot(context, snapshot, share_server)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _cleanup_group_share_snapshot(
        self, context: Any, share_snapshot: Model, share_server: ShareServer
    ) -> None:
        """Delete one snapshot of a group; log and raise where that fails."""
        try:
            self.delete_snapshot(context, share_snapshot, share_server=share_server)
        except Exception:
            LOG.error(
                "Snapshot %s of share %s, made for a group, could not be deleted",
                share_snapshot["id"],
                share_snapshot["share_id"],
            )
            raise

    def delete_share_group_snapshot(
        self, context: Any, snap_dict: Model, share_server: ShareServer = None
    ) -> tuple[GroupUpdate, MemberUpdates]:
        """Delete each snapshot of a group snapshot. The first failure ends it and is raised.

        One that the storage does not have is deleted: an earlier attempt may have come so far.
        """
        for member in snap_dict.get("share_group_snapshot_members", []):
            snapshot = _snapshot_of_member(member, member["provider_location"])
            try:
                self.delete_snapshot(context, snapshot, share_server=share_server)
            except Exception as error:
                if not _is_gone(error):
                    raise
                LOG.info("Snapshot %s of a group was already gone", snapshot["id"])
        LOG.debug("Share group snapshot %s is deleted", snap_dict["id"])
        return None, None

    def _collate_share_group_snapshot_info(
        self, share_group_dict: Model, share_group_snapshot_dict: Model
    ) -> list[dict[str, Any]]:
        """Pair each new share of a group with the snapshot member it is made from.

        Returns dictionaries with share and snapshot. Raises InvalidShareGroup for a share whose
        member is not in the snapshot.
        """
        members = {
            member["id"]: member
            for member in share_group_snapshot_dict["share_group_snapshot_members"]
        }
        pairs = []
        for share in share_group_dict["shares"]:
            member = members.get(share["source_share_group_snapshot_member_id"])
            if member is None:
                raise exception.InvalidShareGroup(
                    reason=f"share {share['id']} has no counterpart in share group snapshot "
                    f"{share_group_snapshot_dict['id']}."
                )
            pairs.append({"share": share, "snapshot": member})
        return pairs


def _is_gone(error: Exception) -> bool:
    """Whether the storage does not have the snapshot: a driver may bring a class of its own."""
    return any(cls.__name__ == "SnapshotResourceNotFound" for cls in type(error).__mro__)


def _snapshot_of_member(member: Model, provider_location: str | None) -> dict[str, Any]:
    """A member of a group snapshot, in the form in which drivers get single snapshots."""
    share: Mapping[str, Any] = member["share"]
    return {
        "snapshot_id": member["share_group_snapshot_id"],
        "share_id": member["share_id"],
        "share_instance_id": share["id"],
        "id": member["id"],
        "share": share,
        "share_name": member["share_name"],
        "name": member["name"],
        "size": share["size"],
        "share_size": share["size"],
        "share_proto": share["share_proto"],
        "provider_location": provider_location,
    }
