# SPDX-License-Identifier: Apache-2.0
"""Which share a volume is put on, and what the scheduler is told of the shares."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from manila_lite import exception
from manila_lite.conf.volume_driver import over_subscription_ratio
from manila_lite.volume.drivers.files.base import GIB, OwnFiles
from manila_lite.volume.hosts import extract_host
from manila_lite.volume.qcow2 import header

LOG = logging.getLogger(__name__)

_OVERLAY = re.compile(r"\.(tmp-snap-)?[0-9a-f][0-9a-f-]{7,}$")


class PlacementMethods(OwnFiles):
    """Each share is a pool, whose name is the share's address."""

    def _get_pool_name_from_share(self, share: str) -> str:
        return share

    def _get_share_from_pool_name(self, pool_name: Any) -> str:
        """Raises RemoteFSNoSharesMounted where the share is configured but cannot be mounted."""
        if pool_name in self._mounted_shares:
            return str(pool_name)
        raise self._nothing_mounted(f"share {pool_name} is not mounted")

    def get_pool(self, volume: Any) -> str | None:
        """The share on which the volume is, else the one that its host names."""
        return volume.provider_location or extract_host(volume["host"], level="pool")

    def _find_share(self, volume: Any) -> str:
        """The share that the scheduler chose, else the one that has promised least.

        Raises RemoteFSNoSharesMounted, or RemoteFSNoSuitableShareFound where there is no room.
        """
        if not self._mounted_shares:
            raise self._nothing_mounted(None)
        pool = self._get_pool_name_from_volume(volume)
        chosen = [self._get_share_from_pool_name(pool)] if pool in self.shares else None
        measured = {
            share: self._get_capacity_info(share) for share in chosen or self._mounted_shares
        }
        fitting = [
            share
            for share, capacity in measured.items()
            if self._is_share_eligible(share, volume.size, capacity)
        ]
        if not fitting:
            raise self._no_room(volume.size)
        return min(fitting, key=lambda share: measured[share][2])

    def _nothing_mounted(self, reason: str | None) -> exception.RemoteFSException:
        return exception.RemoteFSNoSharesMounted(reason)

    def _no_room(self, size: int) -> exception.RemoteFSException:
        return exception.RemoteFSNoSuitableShareFound(volume_size=size)

    def _is_share_eligible(
        self,
        share: str,
        volume_size_in_gib: int,
        capacity: tuple[float, float, float] | None = None,
    ) -> bool:
        """Whether so many GiB more may be promised on a share that is mounted."""
        size, free, provisioned = capacity or self._get_capacity_info(share)
        wanted = volume_size_in_gib * GIB
        reserved = size * self.configuration.reserved_percentage / 100
        if not self._promises_more_than_it_has():
            return free - wanted >= reserved
        ratio = over_subscription_ratio(self.configuration.max_over_subscription_ratio)
        return free >= reserved and provisioned + wanted <= size * ratio

    def _promises_more_than_it_has(self) -> bool:
        return bool(self._prefixed_option("qcow2_volumes")) or self._thin_volumes()

    def _get_capacity_info(self, share: str) -> tuple[float, float, float]:
        """(size, available, promised to volumes) of a share that is mounted, in bytes."""
        available, size = self._get_available_capacity(share)
        directory = self._get_mount_point_for_share(share)
        return size, available, sum(_promised_bytes(entry) for entry in _files(directory))

    def _get_provisioned_capacity(self) -> float:
        """GiB that are promised to volumes on all shares."""
        promised = (self._get_capacity_info(share)[2] for share in self._mounted_shares)
        return round(sum(promised) / GIB, 2)

    def _pool_stats(self, share: str) -> dict[str, Any]:
        thin = self._promises_more_than_it_has()
        return {
            **super()._pool_stats(share),
            "thin_provisioning_support": thin,
            "thick_provisioning_support": not thin,
            "multiattach": False,
        }

    def _update_volume_stats(self) -> None:
        super()._update_volume_stats()
        self._stats["sparse_copy_volume"] = True
        for name in ("filter_function", "goodness_function"):
            self._stats[name] = self.configuration.safe_get(name)


def _files(directory: str) -> Iterator[os.DirEntry[str]]:
    """Files in a directory; what begins with a dot, such as the marker, is no volume's."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                yield entry


def _promised_bytes(entry: os.DirEntry[str]) -> int:
    """What a file may grow to: a volume to its size; an overlay counts with what it has."""
    found = _status(entry)
    if found is None:
        return 0
    if _OVERLAY.search(entry.name):
        return found.st_blocks * 512
    # A raw volume has whole GiB; what its guest wrote into it is no header to go by.
    is_raw = found.st_size % GIB == 0 and found.st_size > 0
    return found.st_size if is_raw else max(found.st_size, _virtual_size(entry.path))


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        found = entry.stat(follow_symlinks=False)
        return found if stat.S_ISREG(found.st_mode) else None
    return None


def _virtual_size(path: str) -> int:
    """Of a qcow2 image; 0 for what is none, or may not be read."""
    try:
        found = header.read(path)
    except (OSError, header.HeaderDamaged):
        return 0
    return 0 if found is None else found.virtual_size
