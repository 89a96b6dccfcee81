# SPDX-License-Identifier: Apache-2.0
"""The registry of volume flows, their lanes, and operations that the service starts itself."""

from __future__ import annotations

from collections.abc import Mapping

from manila_lite.db import volumes as volume_rows
from manila_lite.engine import FlowRegistry
from manila_lite.engine.common import internal as internal
from manila_lite.engine.common import message_id as message_id
from manila_lite.engine.journal import LaneResolver

registry = FlowRegistry()
flow = registry.flow

#: All operations of a volume and of its snapshots run on it.
LANE = "volume:{volume_id}"

#: Whoever reads a volume to make another one of it works on it as well. For an empty volume, and
#: for one made of an image, that is the new volume itself.
SOURCE_LANE = "volume:{source_id}"

#: Nova's words about a snapshot. A lane apart: the volume's own is held by the one who waits.
CALLBACK_LANE = "nova-callback:{snapshot_id}"

#: {argument: (lane field, look-up for a whole batch)}: casts that name no volume.
LANE_RESOLVERS: Mapping[str, tuple[str, LaneResolver]] = {
    "snapshot_id": ("volume_id", volume_rows.volume_ids_of_snapshots),
    "source_snapshot_id": ("source_id", volume_rows.volume_ids_of_snapshots),
}


def lane_of(volume_id: str) -> str:
    """The lane on which all operations of a volume and of its snapshots run."""
    return LANE.format(volume_id=volume_id)
