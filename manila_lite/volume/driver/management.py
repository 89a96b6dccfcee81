# SPDX-License-Identifier: Apache-2.0
"""Taking volumes over, giving them away, moving them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite.volume.driver.base import DriverBase, Model, Update


class ManagementMethods(DriverBase):
    """What administrators do with volumes."""

    def manage_existing(self, volume: Model, existing_ref: Mapping[str, Any]) -> Update:
        """Make a volume of what the storage has already; existing_ref says which."""
        raise NotImplementedError

    def manage_existing_get_size(self, volume: Model, existing_ref: Mapping[str, Any]) -> int:
        """The size in GiB, rounded up, that manage_existing would find."""
        raise NotImplementedError

    def unmanage(self, volume: Model) -> None:
        """Forget a volume; its data stay where they are."""
        raise NotImplementedError

    def manage_existing_snapshot(self, snapshot: Model, existing_ref: Mapping[str, Any]) -> Update:
        """Make a snapshot of what the storage has already."""
        raise NotImplementedError

    def manage_existing_snapshot_get_size(
        self, snapshot: Model, existing_ref: Mapping[str, Any]
    ) -> int:
        """The size in GiB that manage_existing_snapshot would find."""
        raise NotImplementedError

    def unmanage_snapshot(self, snapshot: Model) -> None:
        """Forget a snapshot; its data stay where they are."""
        raise NotImplementedError

    def migrate_volume(
        self, context: Any, volume: Model, host: Mapping[str, Any]
    ) -> tuple[bool, Update]:
        """Move a volume to host['host']; (False, None) where the storage cannot do that itself."""
        return False, None

    def update_migrated_volume(
        self, ctxt: Any, volume: Model, new_volume: Model, original_volume_status: str
    ) -> Update:
        """Give a volume that the service copied to new_volume its own name on the storage."""
        raise NotImplementedError

    def retype(
        self, context: Any, volume: Model, new_type: Model, diff: Any, host: Mapping[str, Any]
    ) -> tuple[bool, Update]:
        """Change a volume's type; (False, None) where it would have to move for that."""
        return False, None

    def freeze_backend(self, context: Any) -> bool:
        """Prepare for a time in which nothing is changed. Return whether that worked."""
        return True

    def thaw_backend(self, context: Any) -> bool:
        """Undo freeze_backend. Return whether that worked."""
        return True

    def failover_host(
        self, context: Any, volumes: Any, secondary_id: str | None = None, groups: Any = None
    ) -> Any:
        """Go on with the replicas of another storage."""
        raise NotImplementedError
