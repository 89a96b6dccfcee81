# SPDX-License-Identifier: Apache-2.0
"""The share RPC API as Manila 23's client casts it: a table, from the contract of 1.0 to 1.30.

Each method is sent with the version that introduced it in its present form, so that a share
service no older than that understands it.
"""

from __future__ import annotations

import dataclasses

CAST = "cast"
CALL = "call"
FANOUT = "fanout"


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """One method: how it is sent, and with which arguments."""

    name: str
    version: str
    kind: str
    args: tuple[str, ...]


def _cast(name: str, version: str, *args: str) -> Method:
    return Method(name, version, CAST, args)


def _call(name: str, version: str, *args: str) -> Method:
    return Method(name, version, CALL, args)


_TABLE = (
    # Shares
    _cast("create_share_instance", "1.4",
          "share_instance_id", "request_spec", "filter_properties", "snapshot_id"),
    _cast("delete_share_instance", "1.27", "share_instance_id", "force", "deferred_delete"),
    _cast("extend_share", "1.2", "share_id", "new_size", "reservations"),
    _cast("shrink_share", "1.3", "share_id", "new_size"),
    _cast("manage_share", "1.1", "share_id", "driver_options"),
    _cast("unmanage_share", "1.1", "share_id"),
    _cast("update_share_from_metadata", "1.28", "share_id", "metadata"),
    _call("transfer_accept", "1.25", "share_id", "new_user", "new_project", "clear_rules"),
    # Access
    _cast("update_access", "1.14", "share_instance_id"),
    _cast("update_access_for_instances", "1.21", "share_instance_ids", "share_server_id"),
    _cast("snapshot_update_access", "1.17", "snapshot_instance_id"),
    # Snapshots
    _cast("create_snapshot", "1.0", "share_id", "snapshot_id"),
    _cast("delete_snapshot", "1.27", "snapshot_id", "force", "deferred_delete"),
    _cast("revert_to_snapshot", "1.18", "snapshot_id", "reservations"),
    _cast("manage_snapshot", "1.9", "snapshot_id", "driver_options"),
    _cast("unmanage_snapshot", "1.9", "snapshot_id"),
    _cast("create_replicated_snapshot", "1.11", "snapshot_id", "share_id"),
    _cast("delete_replicated_snapshot", "1.11", "snapshot_id", "share_id", "force"),
    # Replicas
    _cast("create_share_replica", "1.8",
          "share_replica_id", "request_spec", "filter_properties", "share_id"),
    _cast("delete_share_replica", "1.8", "share_replica_id", "share_id", "force"),
    _cast("promote_share_replica", "1.24", "share_replica_id", "share_id", "quiesce_wait_time"),
    _cast("update_share_replica", "1.8", "share_replica_id", "share_id"),
    # Groups
    _cast("create_share_group", "1.16", "share_group_id"),
    _cast("delete_share_group", "1.16", "share_group_id"),
    _cast("create_share_group_snapshot", "1.16", "share_group_snapshot_id"),
    _cast("delete_share_group_snapshot", "1.16", "share_group_snapshot_id"),
    # Migration
    _cast("migration_start", "1.15",
          "share_id", "dest_host", "force_host_assisted_migration", "preserve_metadata",
          "writable", "nondisruptive", "preserve_snapshots", "new_share_network_id",
          "new_share_type_id"),
    _cast("migration_complete", "1.12", "src_instance_id", "dest_instance_id"),
    _cast("migration_cancel", "1.12", "src_instance_id", "dest_instance_id"),
    _call("migration_get_progress", "1.12", "src_instance_id", "dest_instance_id"),
    _call("connection_get_info", "1.12", "share_instance_id"),
    # Share servers
    _cast("create_share_server", "1.20", "share_server_id", "share_instance_id"),
    _cast("delete_share_server", "1.0", "share_server"),
    _cast("manage_share_server", "1.19", "share_server_id", "identifier", "driver_opts"),
    _cast("unmanage_share_server", "1.19", "share_server_id", "force"),
    _call("provide_share_server", "1.12",
          "share_instance_id", "share_network_id", "snapshot_id"),
    _cast("share_server_migration_start", "1.21",
          "share_server_id", "dest_host", "writable", "nondisruptive", "preserve_snapshots",
          "new_share_network_id"),
    _call("share_server_migration_check", "1.21",
          "share_server_id", "dest_host", "writable", "nondisruptive", "preserve_snapshots",
          "new_share_network_id"),
    _cast("share_server_migration_complete", "1.21",
          "src_share_server_id", "dest_share_server_id"),
    _cast("share_server_migration_cancel", "1.21",
          "src_share_server_id", "dest_share_server_id"),
    _call("share_server_migration_get_progress", "1.21",
          "src_share_server_id", "dest_share_server_id"),
    # Share networks
    _cast("update_share_network_security_service", "1.22",
          "share_network_id", "new_security_service_id", "current_security_service_id"),
    _cast("check_update_share_network_security_service", "1.22",
          "share_network_id", "new_security_service_id", "current_security_service_id"),
    _cast("update_share_server_network_allocations", "1.23",
          "share_network_id", "new_share_network_subnet_id"),
    _cast("check_update_share_server_network_allocations", "1.23",
          "share_network_id", "new_share_network_subnet"),
    _cast("update_share_network_subnet_from_metadata", "1.30",
          "share_network_id", "share_network_subnet_id", "share_server_id", "metadata"),
    # Backups
    _cast("create_backup", "1.26", "backup"),
    _cast("delete_backup", "1.26", "backup"),
    _cast("restore_backup", "1.26", "backup", "share_id"),
    # The service itself
    _cast("ensure_driver_resources", "1.29", "skip_backend_info_check"),
    Method("publish_service_capabilities", "1.0", FANOUT, ()),
)  # fmt: skip

METHODS = {method.name: method for method in _TABLE}
