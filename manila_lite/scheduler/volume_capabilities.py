# SPDX-License-Identifier: Apache-2.0
"""A volume driver's statistics as Cinder's schedulers want them.

Each pool is completed from its back end: the schedulers' filters read a pool alone. A back end
without pools is one pool of the back end's own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNKNOWN: Final = "unknown"

#: What a driver that says nothing about a key is taken to say.
DEFAULTS: Final[Mapping[str, Any]] = {
    "vendor_name": "Open Source",
    "driver_version": "1.0",
    "storage_protocol": None,
    "total_capacity_gb": UNKNOWN,
    "free_capacity_gb": UNKNOWN,
    "reserved_percentage": 0,
    "QoS_support": False,
    "filter_function": None,
    "goodness_function": None,
    "multiattach": False,
    "thin_provisioning_support": False,
    "thick_provisioning_support": False,
}

#: What a pool takes from its back end where it does not say it itself.
_INHERITED: Final = (
    "reserved_percentage",
    "QoS_support",
    "filter_function",
    "goodness_function",
    "multiattach",
    "thin_provisioning_support",
    "thick_provisioning_support",
)


def complete(
    stats: Mapping[str, Any], backend_name: str, allocated: Mapping[str, int]
) -> dict[str, Any]:
    """Return a report with all keys; capacities are in GiB, 'unknown' or 'infinite'.

    allocated: GiB of the volumes by pool. It goes before what a driver says of the same key: the
    schedulers mean the sizes of volumes by it, not the space that files take.
    """
    named = {**stats, "volume_backend_name": stats.get("volume_backend_name") or backend_name}
    report = {**DEFAULTS, **named}
    pools = report.get("pools")
    if pools is None:
        return {**report, "allocated_capacity_gb": sum(allocated.values())}
    report["pools"] = [_complete_pool(pool, report, allocated) for pool in pools]
    return report


def _complete_pool(
    pool: Mapping[str, Any], report: Mapping[str, Any], allocated: Mapping[str, int]
) -> dict[str, Any]:
    inherited = {name: report[name] for name in _INHERITED}
    gib = allocated.get(str(pool.get("pool_name")), 0)
    return {**inherited, **pool, "allocated_capacity_gb": gib}
