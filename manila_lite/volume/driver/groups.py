# SPDX-License-Identifier: Apache-2.0
"""Groups of volumes, and snapshots of a group at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manila_lite.volume.driver.base import DriverBase, Model


class GroupMethods(DriverBase):
    """What no driver that ships here supports."""

    def create_group(self, context: Any, group: Model) -> Any:
        """Make an empty group."""
        raise NotImplementedError

    def delete_group(self, context: Any, group: Model, volumes: Sequence[Model]) -> Any:
        """Remove a group with its volumes."""
        raise NotImplementedError

    def update_group(
        self, context: Any, group: Model, add_volumes: Any = None, remove_volumes: Any = None
    ) -> Any:
        """Add volumes to a group, and remove others from it."""
        raise NotImplementedError

    def create_group_from_src(
        self,
        context: Any,
        group: Model,
        volumes: Sequence[Model],
        group_snapshot: Model | None = None,
        snapshots: Any = None,
        source_group: Model | None = None,
        source_vols: Any = None,
    ) -> Any:
        """Make a group from a snapshot of a group, or from another group."""
        raise NotImplementedError

    def create_group_snapshot(
        self, context: Any, group_snapshot: Model, snapshots: Sequence[Model]
    ) -> Any:
        """Keep the present data of all volumes of a group."""
        raise NotImplementedError

    def delete_group_snapshot(
        self, context: Any, group_snapshot: Model, snapshots: Sequence[Model]
    ) -> Any:
        """Remove the snapshots that were made together."""
        raise NotImplementedError
