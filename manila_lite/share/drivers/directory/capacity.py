# SPDX-License-Identifier: Apache-2.0
"""What the scheduler is told of the file system under the root."""

from __future__ import annotations

import os
from typing import Any

from manila_lite.share.drivers.directory.usage import gib

_RESERVATIONS = {
    "reserved_percentage": "reserved_share_percentage",
    "reserved_snapshot_percentage": "reserved_share_from_snapshot_percentage",
    "reserved_share_extend_percentage": "reserved_share_extend_percentage",
}


def capacity(path: str) -> dict[str, float]:
    """Total and free GiB of the file system, free for users who are not root."""
    present = os.statvfs(path)
    return {
        "total_capacity_gb": gib(present.f_blocks * present.f_frsize),
        "free_capacity_gb": gib(present.f_bavail * present.f_frsize),
    }


def reservations(configuration: Any) -> dict[str, int]:
    """Percentages kept back, by the names that the scheduler reads.

    Those for snapshots and for extending are the one for shares where they are not set.
    """
    shares = int(configuration.safe_get("reserved_share_percentage") or 0)
    found = {}
    for name, option in _RESERVATIONS.items():
        value = configuration.safe_get(option)
        found[name] = int(value) if value else shares
    return found
