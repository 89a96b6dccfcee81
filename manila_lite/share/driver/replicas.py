# SPDX-License-Identifier: Apache-2.0
"""Replicas of shares, and the snapshots that all replicas have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manila_lite.share.driver.base import DriverBase, Model, Rules, ShareServer

Replicas = Sequence[Model]
Snapshots = Sequence[Model]


class ReplicaMethods(DriverBase):
    """Replication between back ends of one replication_domain.

    A replica is a share instance with a replica_state: active, in_sync, out_of_sync or error.
    replica_list has all replicas of the share, with their share servers. The replica_snapshots of
    create_replica and update_replica_state are pairs: active_replica_snapshot and
    share_replica_snapshot, for each snapshot that is available; elsewhere, snapshot instances.
    """

    def create_replica(
        self,
        context: Any,
        replica_list: Replicas,
        new_replica: Model,
        access_rules: Rules,
        replica_snapshots: Snapshots,
        share_server: ShareServer = None,
    ) -> dict[str, Any] | None:
        """Make a replica; called at the new replica's back end.

        The rules apply to it as far as they make sense there. Returns export_locations,
        replica_state ("active" for the writable type of replication) and access_rules_status, or
        None. A replica counts as in_sync only once it has the snapshots too.
        """
        raise NotImplementedError

    def delete_replica(
        self,
        context: Any,
        replica_list: Replicas,
        replica_snapshots: Snapshots,
        replica: Model,
        share_server: ShareServer = None,
    ) -> None:
        """Remove a replica and its snapshots, finished or not; called at its own back end.

        Any exception puts the replica into error_deleting and leaves its snapshots' rows alone.
        """
        raise NotImplementedError

    def promote_replica(
        self,
        context: Any,
        replica_list: Replicas,
        replica: Model,
        access_rules: Rules,
        share_server: ShareServer = None,
    ) -> Replicas | None:
        """Make a replica the active one; called at its own back end.

        Returns replicas with what changed: export_locations, access_rules_status, replica_state;
        or None. After an exception the state of every replica is unknown, until
        update_replica_state or an administrator finds it out.
        """
        raise NotImplementedError

    def update_replica_state(
        self,
        context: Any,
        replica_list: Replicas,
        replica: Model,
        access_rules: Rules,
        replica_snapshots: Snapshots,
        share_server: ShareServer = None,
    ) -> str | None:
        """Find out, and mend if possible, how a replica that is not active is doing.

        Called from time to time and on request, at the replica's back end. Returns in_sync or
        out_of_sync; None leaves the state as it is.
        """
        raise NotImplementedError

    def create_replicated_snapshot(
        self,
        context: Any,
        replica_list: Replicas,
        replica_snapshots: Snapshots,
        share_server: ShareServer = None,
    ) -> Sequence[Model] | None:
        """Make a snapshot at the active replica and bring it to the others.

        Called at the active replica's back end. Returns updates of snapshot instances; a status of
        available is a finished one. Any exception puts all instances into error.
        """
        raise NotImplementedError

    def revert_to_replicated_snapshot(
        self,
        context: Any,
        active_replica: Model,
        replica_list: Replicas,
        active_replica_snapshot: Model,
        replica_snapshots: Snapshots,
        share_access_rules: Rules,
        snapshot_access_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Set a replicated share back to its latest snapshot; at the active replica's back end."""
        raise NotImplementedError

    def delete_replicated_snapshot(
        self,
        context: Any,
        replica_list: Replicas,
        replica_snapshots: Snapshots,
        share_server: ShareServer = None,
    ) -> Sequence[Model] | None:
        """Delete a snapshot from all replicas; called at the active replica's back end.

        Returns updates of snapshot instances; a status of deleted is one that is gone. Any
        exception puts all instances into error_deleting.
        """
        raise NotImplementedError

    def update_replicated_snapshot(
        self,
        context: Any,
        replica_list: Replicas,
        share_replica: Model,
        replica_snapshots: Snapshots,
        replica_snapshot: Model,
        share_server: ShareServer = None,
    ) -> dict[str, Any] | None:
        """Find out how a snapshot is doing at a replica, while it is created or deleted there.

        Called from time to time at the replica's back end. Returns updates of replica_snapshot.
        Raises SnapshotResourceNotFound where it is gone: right for one that is being deleted. Any
        other exception, or that one at another time, puts the instance into error.
        """
        raise NotImplementedError
