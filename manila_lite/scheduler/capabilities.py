# SPDX-License-Identifier: Apache-2.0
"""A driver's statistics as schedulers want them: no key left out, no pool without its reserves.

Contract: tests/data/wire/update_service_capabilities.to-schedulers.json. Drivers that override
get_share_stats as a whole, or that were written for an older Manila, leave keys out that filters
of today read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNKNOWN: Final = "unknown"

#: What a driver that says nothing about a key is taken to say.
DEFAULTS: Final[Mapping[str, Any]] = {
    "create_share_from_snapshot_support": False,
    "driver_handles_share_servers": False,
    "driver_version": "1.0",
    "encryption_support": None,
    "filter_function": None,
    "free_capacity_gb": UNKNOWN,
    "goodness_function": None,
    "ipv4_support": True,
    "ipv6_support": False,
    "mount_point_name_support": False,
    "mount_snapshot_support": False,
    "network_allocation_update_support": False,
    "pools": None,
    "qos": False,
    "qos_type_support": False,
    "replication_domain": None,
    "reserved_percentage": 0,
    "reserved_share_extend_percentage": 0,
    "reserved_snapshot_percentage": 0,
    "revert_to_snapshot_support": False,
    "security_service_update_support": False,
    "share_replicas_migration_support": False,
    "share_server_multiple_subnet_support": False,
    "snapshot_inherit_share_access_support": False,
    "snapshot_support": False,
    "storage_protocol": None,
    "total_capacity_gb": UNKNOWN,
    "vendor_name": "Open Source",
}

#: What a pool takes from its back end where it does not say it itself.
_INHERITED: Final = (
    "reserved_percentage",
    "reserved_share_extend_percentage",
    "reserved_snapshot_percentage",
)


def complete(stats: Mapping[str, Any], backend_name: str) -> dict[str, Any]:
    """Return a report with all keys; capacities are in GiB, 'unknown' or 'infinite'."""
    report = {**DEFAULTS, "share_backend_name": backend_name, **stats}
    groups = report.get("share_group_stats") or {}
    report["share_group_stats"] = {
        **groups,
        "consistent_snapshot_support": groups.get("consistent_snapshot_support"),
    }
    # A driver that counts its pools by a generator would leave nothing for the second reader.
    if report["pools"] is not None:
        report["pools"] = [_complete_pool(pool, report) for pool in report["pools"]]
    return report


def _complete_pool(pool: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: report[name] for name in _INHERITED}, **pool}
