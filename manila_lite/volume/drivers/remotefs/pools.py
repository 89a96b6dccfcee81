# SPDX-License-Identifier: Apache-2.0
"""Shares as pools: the scheduler chooses among them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from manila_lite import exception
from manila_lite.volume.hosts import extract_host

if TYPE_CHECKING:
    from manila_lite.volume.drivers.remotefs.base import RemoteFSDriver as _Driver
else:
    _Driver = object

LOG = logging.getLogger(__name__)

_GIB: Final = float(1 << 30)


class RemoteFSPoolMixin(_Driver):
    """Put before a RemoteFS driver's class, it reports each share as a pool.

    The driver says how shares and names of pools belong together.
    """

    def _find_share(self, volume: Any) -> str:
        """The share that is the pool in the volume's host."""
        return self._get_share_from_pool_name(self._get_pool_name_from_volume(volume))

    def _get_pool_name_from_volume(self, volume: Any) -> str | None:
        return extract_host(volume["host"], level="pool")

    def _get_pool_name_from_share(self, share: str) -> str:
        raise NotImplementedError

    def _get_share_from_pool_name(self, pool_name: Any) -> str:
        raise NotImplementedError

    def _update_volume_stats(self) -> None:
        """Measure the shares that can be mounted, each as a pool."""
        self._ensure_shares_mounted()
        self._stats = {
            **self._common_stats(),
            # The pools have the numbers; 0 here, so that nothing counts twice.
            "total_capacity_gb": 0,
            "free_capacity_gb": 0,
            "pools": list(self._measured_pools()),
        }

    def _measured_pools(self) -> Iterator[dict[str, Any]]:
        for share in self._mounted_shares:
            try:
                yield self._pool_stats(share)
            except (exception.ProcessExecutionError, exception.CommandTimeout, OSError) as error:
                LOG.error("Share %s is not reported, it cannot be measured: %s", share, error)

    def _pool_stats(self, share: str) -> dict[str, Any]:
        size, free, provisioned = self._get_capacity_info(share)
        return {
            "pool_name": self._get_pool_name_from_share(share),
            "total_capacity_gb": size / _GIB,
            "free_capacity_gb": free / _GIB,
            "provisioned_capacity_gb": provisioned / _GIB,
            "allocated_capacity_gb": (size - free) / _GIB,
            "reserved_percentage": self.configuration.reserved_percentage,
            "max_over_subscription_ratio": self.configuration.max_over_subscription_ratio,
            "thin_provisioning_support": self._thin_provisioning_support,
            "QoS_support": False,
        }
