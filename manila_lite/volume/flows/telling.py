# SPDX-License-Identifier: Apache-2.0
"""Messages for users about volumes and snapshots.

The numbers are Cinder's (cinder.message.message_field); its API turns them into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from manila_lite.db import messages
from manila_lite.db.writes import Write
from manila_lite.engine import Operation

VOLUME: Final = "VOLUME"
SNAPSHOT: Final = "VOLUME_SNAPSHOT"

ACTION_ATTACH: Final = "002"
ACTION_COPY_TO_IMAGE: Final = "003"
ACTION_UPDATE_ATTACHMENT: Final = "004"
ACTION_COPY_FROM_IMAGE: Final = "005"
ACTION_UNMANAGE: Final = "006"
ACTION_EXTEND: Final = "007"
ACTION_CREATE: Final = "008"
ACTION_SNAPSHOT_CREATE: Final = "009"
ACTION_SNAPSHOT_DELETE: Final = "010"

DETAIL_UNKNOWN_ERROR: Final = "001"
DETAIL_FAILED_TO_UPLOAD: Final = "004"
DETAIL_ATTACH_MODE: Final = "005"
DETAIL_NO_ROOM_FOR_IMAGE: Final = "007"
DETAIL_DRIVER_FAILED_EXTEND: Final = "010"
DETAIL_DRIVER_FAILED_CREATE: Final = "012"
DETAIL_SNAPSHOT_CREATE: Final = "013"
DETAIL_SNAPSHOT_BUSY: Final = "015"
DETAIL_SNAPSHOT_DELETE: Final = "016"


def tell_user(
    op: Operation,
    owner: Mapping[str, Any],
    action: str,
    detail: str = DETAIL_UNKNOWN_ERROR,
) -> list[Write]:
    """Write a message for the project that owns a volume, or a snapshot (it has a volume_id)."""
    return messages.message(
        owner["project_id"] or op.context.project_id,
        SNAPSHOT if "volume_id" in owner else VOLUME,
        owner["id"],
        action,
        op.clock.now(),
        detail_id=detail,
        request_id=op.request_id,
    )
