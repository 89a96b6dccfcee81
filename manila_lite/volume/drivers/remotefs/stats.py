# SPDX-License-Identifier: Apache-2.0
"""What the scheduler is told of the shares."""

from __future__ import annotations

import logging
from typing import Any, Final

from manila_lite.volume.drivers.remotefs.shares import ShareMethods

LOG = logging.getLogger(__name__)

GIB: Final = 1 << 30


class StatisticsMethods(ShareMethods):
    """Capacity of all shares together; RemoteFSPoolMixin reports each one by itself."""

    driver_volume_type: str | None = None
    volume_backend_name: str | None = None
    vendor_name = "Open Source"

    _execute_as_root: bool

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """What the scheduler is told; measured when refresh is true, or the first time.

        Capacities are in GiB.
        """
        if refresh or not self._stats:
            self._update_volume_stats()
        return self._stats

    def _update_volume_stats(self) -> None:
        """Measure the shares that can be mounted and keep what the scheduler is to be told."""
        self._ensure_shares_mounted()
        measured = [self._get_capacity_info(share) for share in self._mounted_shares]
        self._stats = {
            **self._common_stats(),
            "total_capacity_gb": sum(size for size, _, _ in measured) / GIB,
            "free_capacity_gb": sum(free for _, free, _ in measured) / GIB,
            "reserved_percentage": self.configuration.reserved_percentage,
            "QoS_support": False,
        }

    def _common_stats(self) -> dict[str, Any]:
        name = self.configuration.safe_get("volume_backend_name")
        return {
            "volume_backend_name": name or self.volume_backend_name,
            "vendor_name": self.vendor_name,
            "driver_version": self.get_version(),
            "storage_protocol": self.driver_volume_type,
        }

    def _get_capacity_info(self, share: str) -> tuple[float, float, float]:
        """(size, available, used or promised) of a share that is mounted, in bytes."""
        raise NotImplementedError

    def _get_provisioned_capacity(self) -> float:
        """GiB that all files on all shares take as they show themselves, holes included."""
        return round(sum(self._apparent_bytes(share) for share in list(self.shares)) / GIB, 2)

    def _apparent_bytes(self, share: str) -> int:
        mount_point = self._get_mount_point_for_share(share)
        output, _ = self._execute("du", "--bytes", mount_point, run_as_root=self._execute_as_root)
        # du lists the directories below first; the last line is the whole. One line comes from
        # callers that run something else.
        return int(output.splitlines()[-1].split()[0])
