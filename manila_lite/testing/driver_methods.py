# SPDX-License-Identifier: Apache-2.0
"""Who calls each method of the share driver interface, and what its exceptions lead to.

The table docs/reference/driver-methods.rst is made of this. A test holds each claim against the
code: the module that is named makes the call, the flows and timers that are named reach it, and
no other module makes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

FLOW: Final = "flow"
TIMER: Final = "timer"
START: Final = "start"
METHOD: Final = "method"
DRIVERS: Final = "drivers"


@dataclasses.dataclass(frozen=True)
class Caller:
    """One module that calls a method.

    kind: FLOW (names: RPC methods, or internal operations), TIMER (names of tasks), START (of
    the service), METHOD (names of other methods of the interface), DRIVERS (their own use).
    module: below manila_lite, None for DRIVERS.
    """

    kind: str
    module: str | None
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Method:
    """What becomes of one method. errors: what an exception leads to, in reStructuredText."""

    callers: tuple[Caller, ...]
    errors: str


def _flow(module: str, *names: str) -> Caller:
    return Caller(FLOW, f"share.flows.{module}", names)


def _timer(module: str, *names: str) -> Caller:
    return Caller(TIMER, module, names)


def _method(module: str, *names: str) -> Caller:
    return Caller(METHOD, f"share.driver.{module}", names)


def _drivers() -> Caller:
    return Caller(DRIVERS, None)


def _at_start() -> Caller:
    return Caller(START, "worker_service")


def _of(errors: str, *callers: Caller) -> Method:
    return Method(callers, errors)


_CREATE = ("create_share_instance",)
_ENSURE = ("ensure_driver_resources",)
_DELETE = ("delete_share_instance", "_delete_deferred_share", "_delete_expired_share",
           "_reconcile_share")  # fmt: skip
_DELETE_SNAPSHOT = ("delete_snapshot", "_delete_deferred_snapshot", "_reconcile_snapshot")
_ACCESS = ("update_access", "_update_access", "update_access_for_instances")
_GROUP_MADE = ("create_share_group",)
_SET_UP = ("create_share_server", "_set_up_share_server")
_TEAR_DOWN = ("delete_share_server", "_delete_unused_share_server", "_reconcile_share_server")
_SNAPSHOT_DELETED = (
    "The snapshot is in ``error_deleting``, with a message; ``ShareSnapshotIsBusy``: it is "
    "``available`` again; ``SnapshotResourceNotFound``: it counts as deleted."
)
_STARTS_LATER = "The service takes casts and lets them wait; the start is tried again, for ever."
_NOT_STARTED = "The driver cannot be made: as for ``do_setup``."
_REPORT = "There is no report this time; the next round tries again."
_SERVER_ERROR = (
    "The share server is in ``error``; the shares and groups that wait for it are in ``error``, "
    "with messages. ``detail_data['server_details']`` is kept for the teardown."
)
_SERVER_STAYS = "The share server is in ``error``, and keeps what it has."
_GROUP_ERROR = (
    "The group is in ``error``, with a message, and so are the shares that were made with it."
)
_NEVER = "None is expected: it reads the configuration."
_CALLERS = "As for the method that calls it."
_SHARE_CREATED = (
    "The share instance is in ``error``, with a message; export locations in ``detail_data`` are "
    "kept."
)
_MANAGED = "The share is in ``manage_error`` with a size of 0, with a message."
_SNAPSHOT_MANAGED = "The snapshot is in ``manage_error`` with a size of 0, with a message."
_UNMANAGED = (
    "It is in ``unmanage_error``, with a message; what the storage does not have counts as let go."
)
_SERVER_MANAGED = "The share server is in ``manage_error``."

_NOT_BEGUN = "The share is as it was, its task state ``migration_error``, with a message."

METHODS: Final[Mapping[str, Method]] = {
    # -- construction and start
    "init_execute_mixin": _of(_NOT_STARTED, _method("base", "__init__")),
    "init_ganesha_mixin": _of(_NOT_STARTED, _method("base", "__init__")),
    "set_execute": _of(_NOT_STARTED, _method("execute", "init_execute_mixin")),
    "_try_execute": _of("The driver's affair.", _drivers()),
    "_verify_share_server_handling": _of(_NOT_STARTED, _method("base", "__init__")),
    "driver_handles_share_servers": _of(
        _NEVER,
        Caller(FLOW, "share.environment", _CREATE),
        _method("base", "__init__", "_verify_share_server_handling"),
        _method("capabilities", "_update_share_stats", "add_ip_version_capability"),
        _method("groups", "create_share_group_from_share_group_snapshot"),
        _method("servers", "setup_server", "teardown_server"),
    ),
    "do_setup": _of(_STARTS_LATER, _at_start()),
    "check_for_setup_error": _of(_STARTS_LATER, _at_start()),
    "_has_redefined_driver_methods": _of(
        _NEVER,
        _method(
            "capabilities", "snapshots_are_supported", "creating_shares_from_snapshots_is_supported"
        ),
        _flow("ensure", *_ENSURE),
    ),
    # -- reports
    "get_share_stats": _of(
        _REPORT,
        Caller(TIMER, "share.environment", ("capabilities",)),
        Caller(FLOW, "share.environment", ("publish_service_capabilities",)),
        _flow("groups", *_GROUP_MADE, "create_share_group_snapshot"),
    ),
    "_update_share_stats": _of(_REPORT, _method("capabilities", "get_share_stats")),
    "snapshots_are_supported": _of(
        _REPORT,
        _method(
            "capabilities", "_update_share_stats", "creating_shares_from_snapshots_is_supported"
        ),
    ),
    "creating_shares_from_snapshots_is_supported": _of(
        _REPORT, _method("capabilities", "_update_share_stats")
    ),
    "replication_domain": _of(_REPORT, _method("capabilities", "_update_share_stats")),
    "get_filter_function": _of(_REPORT, _method("capabilities", "_update_share_stats")),
    "get_goodness_function": _of(_REPORT, _method("capabilities", "_update_share_stats")),
    "get_default_filter_function": _of(_REPORT, _method("capabilities", "get_filter_function")),
    "get_default_goodness_function": _of(_REPORT, _method("capabilities", "get_goodness_function")),
    "add_ip_version_capability": _of(_REPORT, _method("capabilities", "_update_share_stats")),
    "get_configured_ip_versions": _of(
        _REPORT, _method("capabilities", "add_ip_version_capability")
    ),
    "get_share_server_pools": _of(
        "The share server is left out of the report.",
        Caller(TIMER, "share.environment", ("capabilities",)),
        Caller(FLOW, "share.environment", ("publish_service_capabilities",)),
    ),
    "get_periodic_hook_data": _of(
        "No hook is called this time; the next round tries again.",
        _timer("share.flows.hooks", "hooks"),
    ),
    "update_share_usage_size": _of(
        "Nothing is told this time; the next round tries again.",
        _timer("share.flows.usage", "share usage"),
    ),
    # -- shares
    "create_share": _of(_SHARE_CREATED, _flow("create", *_CREATE)),
    "create_share_from_snapshot": _of(
        _SHARE_CREATED,
        _flow("create", *_CREATE),
        _method("groups", "create_share_group_from_share_group_snapshot"),
    ),
    "delete_share": _of(
        "The share instance is in ``error_deleting`` (``error_deferred_deleting`` in a deferred "
        "deletion), with a message; ``ShareResourceNotFound``: it counts as deleted; with force "
        "it is deleted all the same.",
        _flow("delete", *_DELETE),
    ),
    "extend_share": _of(
        "The share is in ``extending_error``, with a message, and reservations go back.",
        _flow("resize", "extend_share"),
    ),
    "shrink_share": _of(
        "The share is in ``shrinking_error``, with a message; ``ShareShrinkingPossibleDataLoss``: "
        "in ``shrinking_possible_data_loss_error``, as large as it was.",
        _flow("resize", "shrink_share"),
    ),
    "get_pool": _of("Logged; the share stays without a pool.", _flow("pools", *_ENSURE)),
    "get_backend_info": _of(
        "The operation fails; the next start tries again. ``NotImplementedError``: all shares are "
        "ensured at every start.",
        _flow("ensure", *_ENSURE),
    ),
    "ensure_shares": _of(
        "The operation fails; the next start tries again. ``NotImplementedError``: "
        "``ensure_share`` for one share after the other.",
        _flow("ensure", *_ENSURE),
    ),
    "ensure_share": _of(
        "Logged; the share stays as it is. In a probe: ``ShareResourceNotFound`` says that a share "
        "in doubt was not made, other final errors that nobody knows.",
        _flow("ensure", "_ensure_share"),
        _flow(
            "probes", *_CREATE, "create_share_group", "_reconcile_share", "_reconcile_share_group"
        ),
    ),
    "manage_existing": _of(_MANAGED, _flow("manage", "manage_share")),
    "manage_existing_with_server": _of(_MANAGED, _flow("manage", "manage_share")),
    "unmanage": _of(_UNMANAGED, _flow("manage", "unmanage_share")),
    "unmanage_with_server": _of(_UNMANAGED, _flow("manage", "unmanage_share")),
    "connection_get_info": _of(
        "The caller gets the error.", _flow("connection", "connection_get_info")
    ),
    # -- migration
    "migration_check_compatibility": _of(_NOT_BEGUN, _flow("migration.start", "migration_start")),
    "migration_start": _of(_NOT_BEGUN, _flow("migration.start", "migration_start")),
    "migration_continue": _of(
        f"Asked again, unless it is final: ``migration_cancel`` is called. {_NOT_BEGUN}",
        _flow("migration.phase1", "_continue_migration"),
    ),
    "migration_complete": _of(
        "Both instances are in ``error``, with a message; an operator's retry does it again.",
        _flow("migration.complete", "migration_complete", "_reconcile_migration"),
    ),
    "migration_cancel": _of(
        "The migration goes on, with a message; where it has failed already, that is logged.",
        _flow("migration.cancel", "migration_cancel"),
        _flow("migration.phase1", "_continue_migration"),
        _flow("migration.start", "migration_start"),
        _flow("migration.ending", "_continue_migration", "migration_start", "_reconcile_migration"),
    ),
    "migration_get_progress": _of(
        "The caller gets the error; a migration shows no progress.",
        _flow("migration.progress", "migration_get_progress"),
        _flow("migration.phase1", "_continue_migration"),
    ),
    "_get_access_mapping": _of(_CALLERS, _method("connection", "connection_get_info")),
    "_get_mount_command": _of(_CALLERS, _method("connection", "connection_get_info")),
    "_get_mount_export": _of(_CALLERS, _method("connection", "_get_mount_command")),
    "_get_unmount_command": _of(_CALLERS, _method("connection", "connection_get_info")),
    # -- replicas
    "create_replica": _of(
        "The replica, its ``replica_state`` and its access rules are in ``error``, with a message.",
        _flow("replication.create", "create_share_replica"),
    ),
    "delete_replica": _of(
        "``status`` and ``replica_state`` of the replica are ``error_deleting``, with a message; "
        "``ShareResourceNotFound``: it counts as deleted.",
        _flow("replication.delete", "delete_share_replica", "_reconcile_replica"),
    ),
    "promote_replica": _of(
        "All replicas that were ``available`` are in ``error``, with messages; their "
        "``replica_state`` stays.",
        _flow("replication.promote", "promote_share_replica", "_reconcile_replica"),
    ),
    "update_replica_state": _of(
        "The replica and its ``replica_state`` are in ``error``, with a message.",
        _flow("replication.update", "update_share_replica", "_update_replica_state"),
    ),
    "create_replicated_snapshot": _of(
        "All instances of the snapshot are in ``error``, with a message.",
        _flow("replication.snapshots", "create_replicated_snapshot"),
    ),
    "delete_replicated_snapshot": _of(
        "All instances of the snapshot are in ``error_deleting``, with a message.",
        _flow("replication.snapshots", "delete_replicated_snapshot", "_reconcile_snapshot"),
    ),
    "update_replicated_snapshot": _of(
        "The snapshot instance is in ``error``, with a message; ``SnapshotResourceNotFound`` while "
        "it is being deleted: it is deleted.",
        _flow("replication.following", "_update_replicated_snapshot"),
    ),
    "revert_to_replicated_snapshot": _of(
        "As for ``revert_to_snapshot``.", _flow("revert", "revert_to_snapshot")
    ),
    # -- access rules
    "update_access": _of(
        "All rules that were under way are in ``error``, with a message. ``NotImplementedError``: "
        "``allow_access`` and ``deny_access`` rule by rule.",
        _flow("access_driver", *_ACCESS, *_DELETE),
    ),
    "allow_access": _of(
        "The rule is in ``error``; ``ShareAccessExists``: it is there.",
        _flow("access_driver", *_ACCESS),
    ),
    "deny_access": _of(
        "The rule is in ``error``; ``ShareResourceNotFound``: it is gone. At a deletion: as for "
        "``delete_share``.",
        _flow("access_driver", *_ACCESS),
        _flow("delete", *_DELETE),
    ),
    "snapshot_update_access": _of(
        "All rules that were under way are in ``error``. At a deletion: as for "
        "``delete_snapshot``.",
        _flow("snapshot_access", "snapshot_update_access", "_snapshot_update_access"),
        _flow("snapshots", *_DELETE_SNAPSHOT),
    ),
    # -- snapshots
    "create_snapshot": _of(
        "The snapshot is in ``error``, with a message.",
        _flow("snapshots", "create_snapshot"),
        _method("groups", "create_share_group_snapshot"),
    ),
    "delete_snapshot": _of(
        _SNAPSHOT_DELETED,
        _flow("snapshots", *_DELETE_SNAPSHOT),
        _method("groups", "_cleanup_group_share_snapshot", "delete_share_group_snapshot"),
    ),
    "revert_to_snapshot": _of(
        "The share is in ``reverting_error``, with a message; its snapshot is ``available`` again, "
        "and reservations go back.",
        _flow("revert", "revert_to_snapshot"),
    ),
    "manage_existing_snapshot": _of(
        _SNAPSHOT_MANAGED, _flow("manage_snapshots", "manage_snapshot")
    ),
    "manage_existing_snapshot_with_server": _of(
        _SNAPSHOT_MANAGED, _flow("manage_snapshots", "manage_snapshot")
    ),
    "unmanage_snapshot": _of(_UNMANAGED, _flow("manage_snapshots", "unmanage_snapshot")),
    "unmanage_snapshot_with_server": _of(
        _UNMANAGED, _flow("manage_snapshots", "unmanage_snapshot")
    ),
    # -- groups
    "create_share_group": _of(_GROUP_ERROR, _flow("groups", *_GROUP_MADE)),
    "create_share_group_from_share_group_snapshot": _of(
        _GROUP_ERROR, _flow("groups", *_GROUP_MADE)
    ),
    "delete_share_group": _of(
        "The group is in ``error``, with a message, and can be deleted again.",
        _flow("groups", "delete_share_group", "_reconcile_share_group"),
    ),
    "create_share_group_snapshot": _of(
        "The group snapshot and its members are in ``error``, with a message about the group.",
        _flow("group_snapshots", "create_share_group_snapshot"),
    ),
    "delete_share_group_snapshot": _of(
        "The group snapshot is in ``error``, its members in ``error_deleting``, with a message "
        "about the group; ``SnapshotResourceNotFound``: it counts as deleted.",
        _flow("group_snapshots", "delete_share_group_snapshot", "_reconcile_share_group_snapshot"),
    ),
    "_cleanup_group_share_snapshot": _of(
        "Logged; the others are undone all the same, and the first error is raised.",
        _method("groups", "create_share_group_snapshot"),
    ),
    "_collate_share_group_snapshot_info": _of(
        _CALLERS, _method("groups", "create_share_group_from_share_group_snapshot")
    ),
    # -- share servers
    "choose_share_server_compatible_with_share": _of(
        "The share instance is in ``error``, with a message.",
        _flow("servers.customers", *_CREATE, "provide_share_server"),
    ),
    "choose_share_server_compatible_with_share_group": _of(
        _GROUP_ERROR, _flow("servers.customers", *_GROUP_MADE)
    ),
    "setup_server": _of(_SERVER_ERROR, _flow("servers.set_up", *_SET_UP)),
    "_setup_server": _of(_CALLERS, _method("servers", "setup_server")),
    "teardown_server": _of(_SERVER_STAYS, _flow("servers.tear_down", *_TEAR_DOWN)),
    "_teardown_server": _of(_CALLERS, _method("servers", "teardown_server")),
    "get_network_allocations_number": _of(
        _SERVER_ERROR,
        _flow("servers.set_up", *_SET_UP),
        _flow("servers.managing", "manage_share_server", "unmanage_share_server"),
        _method("servers", "allocate_network", "deallocate_network"),
    ),
    "get_admin_network_allocations_number": _of(
        _SERVER_ERROR,
        _flow("servers.set_up", *_SET_UP),
        _flow("servers.common", *_SET_UP, *_TEAR_DOWN),
        _flow("servers.managing", "manage_share_server", "unmanage_share_server"),
        _method("servers", "allocate_admin_network", "update_admin_network_allocation"),
    ),
    "admin_network_api": _of(
        _NEVER,
        _flow("servers.common", *_SET_UP, *_TEAR_DOWN),
        _flow("servers.managing", "manage_share_server", "unmanage_share_server"),
        _method("servers", "allocate_admin_network", "update_admin_network_allocation"),
    ),
    "allocate_network": _of(_SERVER_ERROR, _flow("servers.set_up", *_SET_UP)),
    "allocate_admin_network": _of(_SERVER_ERROR, _flow("servers.set_up", *_SET_UP)),
    "deallocate_network": _of(
        "The addresses stay with the share server until it is deleted.",
        _flow("servers.common", *_SET_UP, *_TEAR_DOWN),
    ),
    "update_network_allocation": _of(
        _SERVER_ERROR,
        _flow("servers.set_up", *_SET_UP),
        _flow("servers.subnets", "update_share_server_network_allocations"),
    ),
    "update_admin_network_allocation": _of(_SERVER_ERROR, _flow("servers.set_up", *_SET_UP)),
    "get_share_server_network_info": _of(
        _SERVER_MANAGED, _flow("servers.managing", "manage_share_server")
    ),
    "manage_server": _of(_SERVER_MANAGED, _flow("servers.managing", "manage_share_server")),
    "unmanage_server": _of(
        "The share server is in ``unmanage_error``; ``NotImplementedError``: with force it is "
        "forgotten here all the same.",
        _flow("servers.managing", "unmanage_share_server"),
    ),
}

_NETWORK_CHANGED = (
    "The share server is in ``error``, and so are its shares that the driver reports as such; "
    "``NotImplementedError``: the change is not supported."
)
_BACKUP_FAILED = (
    "The backup is in ``error`` with the reason, with a message; the share is ``available``."
)
_RESTORE_FAILED = (
    "The share is in ``backup_restoring_error``, with a message; the backup is ``available``."
)
_CHECKED = "The API is told that the change is not supported."

#: Methods that are not of the interface: those of newer drivers, asked for where they exist.
NEWER: Final[Mapping[str, Method]] = {
    "get_share_status": _of(
        "Of a copy in the background: asked again, unless it is final; then as for "
        "``create_share_from_snapshot``. In a probe: as for ``ensure_share``.",
        _flow(
            "probes", *_CREATE, "create_share_group", "_reconcile_share", "_reconcile_share_group"
        ),
    ),
    "update_share_from_metadata": _of(
        "The share stays as it is, with a message.",
        _flow("metadata", "update_share_from_metadata"),
    ),
    "create_backup": _of(_BACKUP_FAILED, _flow("backup_polls", "create_backup")),
    "create_backup_continue": _of(
        f"Asked again, unless it is final. {_BACKUP_FAILED}",
        _flow("backup_polls", "create_backup", "_reconcile_backup", "_reconcile_share"),
    ),
    "delete_backup": _of(
        "The backup is in ``error_deleting`` with the reason, with a message.",
        _flow("backup_polls", "delete_backup", "_reconcile_backup"),
    ),
    "restore_backup": _of(_RESTORE_FAILED, _flow("backup_polls", "restore_backup")),
    "restore_backup_continue": _of(
        f"Asked again, unless it is final. {_RESTORE_FAILED}",
        _flow("backup_polls", "restore_backup", "_reconcile_backup", "_reconcile_share"),
    ),
    "transfer_accept": _of("The caller gets the error.", _flow("transfer", "transfer_accept")),
    "check_update_share_server_security_service": _of(
        _CHECKED, _flow("servers.security", "check_update_share_network_security_service")
    ),
    "update_share_server_security_service": _of(
        _NETWORK_CHANGED, _flow("servers.security", "update_share_network_security_service")
    ),
    "check_update_share_server_network_allocations": _of(
        _CHECKED, _flow("servers.subnets", "check_update_share_server_network_allocations")
    ),
    "update_share_server_network_allocations": _of(
        _NETWORK_CHANGED, _flow("servers.subnets", "update_share_server_network_allocations")
    ),
    "update_share_network_subnet_from_metadata": _of(
        "Nothing changes; the user of the share network is told.",
        _flow("servers.subnets", "update_share_network_subnet_from_metadata"),
    ),
}

#: Methods that nothing calls as yet, by what is going to.
AWAITED: Final[Mapping[str, str]] = {}
