# SPDX-License-Identifier: Apache-2.0
"""request_spec and filter_properties of a new share, in the shape that Manila 23 casts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARE = (
    "create_share_from_snapshot_support", "id", "is_public", "metadata", "mount_snapshot_support",
    "project_id", "replication_type", "revert_to_snapshot_support", "share_group_id",
    "share_proto", "share_server_id", "share_type_id", "size", "snapshot_id", "snapshot_support",
    "source_share_group_snapshot_member_id", "user_id",
)  # fmt: skip
_INSTANCE = (
    "availability_zone_id", "encryption_key_ref", "host", "id", "qos_type_id", "replica_state",
    "share_id", "share_network_id", "share_server_id", "share_type_id", "status",
)  # fmt: skip
_TYPE = ("created_at", "deleted", "deleted_at", "description", "extra_specs", "id", "is_public",
         "name", "updated_at")  # fmt: skip


def request_spec(
    share: Mapping[str, Any],
    instance: Mapping[str, Any],
    share_type: Mapping[str, Any] | None,
    snapshot_host: str | None = None,
) -> dict[str, Any]:
    """What is asked for, as the schedulers pass it on."""
    share_values = {key: share.get(key) for key in _SHARE}
    share_values["share_type_id"] = instance.get("share_type_id")
    instance_values = {key: instance.get(key) for key in _INSTANCE}
    return {
        "availability_zone_id": instance.get("availability_zone_id"),
        "availability_zones": [],
        "az_request_multiple_subnet_support_map": None,
        "resource_properties": {**share_values, **instance_values},
        "share_group": None,
        "share_id": share["id"],
        "share_instance_properties": instance_values,
        "share_properties": share_values,
        "share_proto": share["share_proto"],
        "share_type": _type(share_type),
        "snapshot_host": snapshot_host,
        "snapshot_id": share.get("snapshot_id"),
    }


def filter_properties(spec: Mapping[str, Any], host: str) -> dict[str, Any]:
    """What a scheduler adds: the host that was chosen, for a second choice after a failure."""
    share = spec["share_properties"]
    return {
        "availability_zone_id": spec["availability_zone_id"],
        "config_options": {},
        "is_share_extend": None,
        "metadata": share["metadata"],
        "replication_domain": None,
        "request_spec": dict(spec),
        "resource_type": spec["share_type"],
        "retry": {"hosts": [host], "num_attempts": 1},
        "scheduler_hints": {},
        "server_pools_mapping": {},
        "share_group": None,
        "share_type": spec["share_type"],
        "size": share["size"],
        "snapshot_id": share["snapshot_id"],
        "user_id": share["user_id"],
    }


def _type(share_type: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if share_type is None:
        return None
    values = {key: share_type.get(key) for key in _TYPE}
    for key in ("created_at", "updated_at", "deleted_at"):
        moment = values[key]
        values[key] = None if moment is None else moment.isoformat()
    return values
