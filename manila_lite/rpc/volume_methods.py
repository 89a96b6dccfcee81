# SPDX-License-Identifier: Apache-2.0
"""The volume RPC API as this project's client sends it: a table.

Methods, versions and kinds are Cinder's (3.0 to 3.20). Where Cinder's client sends a whole object
ours sends its id under the name that Cinder's 2.x had for it; the service takes either.
"""

from __future__ import annotations

from manila_lite.rpc.share_methods import CALL, CAST, FANOUT, Method

#: What Cinder 29 speaks; a sender may be older than we are, never newer.
RPC_API_VERSION = "3.20"


def _cast(name: str, version: str, *args: str) -> Method:
    return Method(name, version, CAST, args)


def _call(name: str, version: str, *args: str) -> Method:
    return Method(name, version, CALL, args)


_TABLE = (
    # Volumes
    _cast("create_volume", "3.0",
          "volume_id", "request_spec", "filter_properties", "allow_reschedule"),
    _cast("delete_volume", "3.0", "volume_id", "unmanage_only", "cascade"),
    _cast("extend_volume", "3.0", "volume_id", "new_size", "reservations"),
    _cast("revert_to_snapshot", "3.15", "volume_id", "snapshot_id"),
    _cast("migrate_volume", "3.5", "volume_id", "host", "force_host_copy"),
    _cast("manage_existing", "3.0", "volume_id", "ref"),
    _cast("retype", "3.5",
          "volume_id", "new_type_id", "host", "migration_policy", "reservations",
          "old_reservations"),
    _call("accept_transfer", "3.16", "volume_id", "new_user", "new_project", "no_snapshots"),
    # Snapshots
    _cast("create_snapshot", "3.0", "snapshot_id"),
    _cast("delete_snapshot", "3.0", "snapshot_id", "unmanage_only"),
    _cast("manage_existing_snapshot", "3.0", "snapshot_id", "ref"),
    # Images
    _cast("copy_volume_to_image", "3.0", "volume_id", "image_meta"),
    # Connections
    _call("initialize_connection", "3.0", "volume_id", "connector"),
    _call("terminate_connection", "3.0", "volume_id", "connector", "force"),
    _cast("remove_export", "3.0", "volume_id"),
    _call("attach_volume", "3.0",
          "volume_id", "instance_uuid", "host_name", "mountpoint", "mode"),
    _call("detach_volume", "3.0", "volume_id", "attachment_id"),
    _call("attachment_update", "3.9", "volume_id", "connector", "attachment_id"),
    _call("attachment_delete", "3.9", "volume_id", "attachment_id"),
    # The service itself
    _call("secure_file_operations_enabled", "3.0", "volume_id"),
    _call("get_capabilities", "3.0", "discover"),
    Method("publish_service_capabilities", "3.0", FANOUT, ()),
)  # fmt: skip

METHODS = {method.name: method for method in _TABLE}
