# SPDX-License-Identifier: Apache-2.0
"""What a back end tells the scheduler, and the checks it makes of itself at start."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

from manila_lite import exception
from manila_lite.share.driver.base import DriverBase

LOG = logging.getLogger(__name__)


class CapabilityMethods(DriverBase):
    """Set-up, the dictionary of statistics, IP versions, filter and goodness functions."""

    # What Manila's drivers set on themselves, and the statistics report.
    security_service_update_support: bool = False
    network_allocation_update_support: bool = False
    share_server_multiple_subnet_support: bool = False
    share_replicas_migration_support: bool = False
    mount_point_name_support: bool = False
    snapshot_inherit_share_access_support: bool = False
    qos_type_support: bool = False
    encryption_support: list[str] | None = None

    _REPORTED: ClassVar[tuple[str, ...]] = (
        "security_service_update_support",
        "network_allocation_update_support",
        "share_server_multiple_subnet_support",
        "share_replicas_migration_support",
        "mount_point_name_support",
        "snapshot_inherit_share_access_support",
        "qos_type_support",
        "encryption_support",
    )

    def do_setup(self, context: Any) -> None:
        """Connect to the storage. Any exception leaves the driver uninitialized; it is retried."""

    def check_for_setup_error(self) -> None:
        """Raise where the configuration or the storage make no service possible.

        Raises InvalidParameterValue for a max_over_subscription_ratio below 1.0.
        """
        ratio = self._option("max_over_subscription_ratio")
        if not ratio or float(ratio) < 1.0:
            raise exception.InvalidParameterValue(
                err=f"max_over_subscription_ratio has to be at least 1.0, not '{ratio}'."
            )

    def get_share_stats(self, refresh: bool = False) -> dict[str, Any]:
        """Return the statistics of the back end, measured anew where refresh is true."""
        if refresh:
            self._update_share_stats()
        return self._stats

    def _update_share_stats(self, data: dict[str, Any] | None = None) -> None:
        """Put the statistics together; what data has replaces what all drivers report.

        Drivers call this with what they measured, usually from their own redefinition without
        data. Capacities are in GiB, or "unknown", or "infinite".
        """
        stats = self._common_stats()
        given = data if isinstance(data, dict) else {}
        stats.update(given)
        groups = given.get("share_group_stats") or {}
        stats["share_group_stats"] = {
            "consistent_snapshot_support": groups.get("consistent_snapshot_support")
        }
        self.add_ip_version_capability(stats)
        self._stats = stats

    def _common_stats(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self._REPORTED},
            **self._support_stats(),
            "share_backend_name": self._backend_name(),
            "driver_handles_share_servers": self.driver_handles_share_servers,
            "vendor_name": "Open Source",
            "driver_version": "1.0",
            "storage_protocol": None,
            "total_capacity_gb": "unknown",
            "free_capacity_gb": "unknown",
            "reserved_percentage": 0,
            "reserved_snapshot_percentage": 0,
            "reserved_share_extend_percentage": 0,
            "qos": False,
            "pools": self.pools or None,
            "replication_domain": self.replication_domain,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
        }

    def _support_stats(self) -> dict[str, Any]:
        return {
            "snapshot_support": self.snapshots_are_supported,
            "create_share_from_snapshot_support": (
                self.creating_shares_from_snapshots_is_supported
            ),
            "revert_to_snapshot_support": False,
            "mount_snapshot_support": False,
        }

    def _backend_name(self) -> str:
        own = self._option("share_backend_name")
        return own or self._default_option("share_backend_name") or "Generic_NFS"

    @property
    def snapshots_are_supported(self) -> bool:
        """Whether the driver has its own way to make and to delete snapshots."""
        if not hasattr(self, "_snapshots_are_supported"):
            self._snapshots_are_supported = self._has_redefined_driver_methods(
                ("create_snapshot", "delete_snapshot")
            )
        return self._snapshots_are_supported

    @property
    def creating_shares_from_snapshots_is_supported(self) -> bool:
        """Whether the driver supports snapshots and has its own way to make shares from them."""
        if not hasattr(self, "_creating_shares_from_snapshots_is_supported"):
            self._creating_shares_from_snapshots_is_supported = self._has_redefined_driver_methods(
                "create_share_from_snapshot"
            )
        return self._creating_shares_from_snapshots_is_supported and self.snapshots_are_supported

    def _has_redefined_driver_methods(self, methods: str | Iterable[str]) -> bool:
        """Return whether the driver has its own version of each of the methods named."""
        raise NotImplementedError

    def get_filter_function(self) -> str | None:
        """Return the back end's filter_function, else [DEFAULT]'s, else the driver's; or None.

        None: the scheduler's driver filter lets every request pass.
        """
        return self._function("filter_function") or self.get_default_filter_function()

    def get_goodness_function(self) -> str | None:
        """Return the back end's goodness_function, else [DEFAULT]'s, else the driver's; or None.

        None: the scheduler's goodness weigher gives the lowest rating.
        """
        return self._function("goodness_function") or self.get_default_goodness_function()

    def _function(self, option: str) -> str | None:
        return self._option(option) or self._default_option(option)

    def get_default_filter_function(self) -> str | None:
        """Return the filter function that suits this kind of back end, None without one."""
        return None

    def get_default_goodness_function(self) -> str | None:
        """Return the goodness function that suits this kind of back end, None without one."""
        return None

    def get_configured_ip_versions(self) -> Iterable[int]:
        """Return the IP versions in which shares are exported: [4], [6] or [4, 6].

        A driver that sets ipv6_implemented redefines this and asks its storage. A share has an
        export location for each version.
        """
        if not self.ipv6_implemented:
            return [4]
        raise NotImplementedError

    def add_ip_version_capability(self, data: dict[str, Any]) -> dict[str, Any]:
        """Add ipv4_support and ipv6_support to the statistics, and return them.

        Where share servers are handled, the network plugin has to give out that version as well.
        """
        versions = set(self.get_configured_ip_versions())
        name = data["share_backend_name"]
        if not versions:
            LOG.error("Back end %s exports shares neither over IPv4 nor over IPv6", name)
        if self.driver_handles_share_servers:
            versions &= self.network_api.enabled_ip_versions
            if not versions:
                LOG.error("Back end %s and its network plugin have no IP version in common", name)
        self.ip_versions = versions
        data["ipv4_support"] = 4 in versions
        data["ipv6_support"] = 6 in versions
        return data
