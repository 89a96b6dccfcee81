# SPDX-License-Identifier: Apache-2.0
"""Shares, their instances and export locations, and what hangs on a share."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
)

from manila_lite.db.models.base import deleted_with_id, deleted_with_number, manila_table

shares = manila_table(
    "shares",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("size", Integer),
    Column("display_name", String(255)),
    Column("display_description", String(255)),
    Column("snapshot_id", String(36)),
    Column("share_proto", String(255)),
    Column("is_public", Boolean, default=False),
    Column("snapshot_support", Boolean, default=True),
    Column(
        "share_group_id", String(36), ForeignKey("share_groups.id", name="fk_shares_share_group_id")
    ),
    Column("source_share_group_snapshot_member_id", String(36)),
    Column("task_state", String(255)),
    Column("replication_type", String(255)),
    Column("create_share_from_snapshot_support", Boolean, default=True),
    Column("revert_to_snapshot_support", Boolean, default=False),
    Column("mount_snapshot_support", Boolean, default=False),
    Column("is_soft_deleted", Boolean, nullable=False, default=False, server_default=false()),
    Column("scheduled_to_be_deleted_at", DateTime),
    Column("source_backup_id", String(36)),
    Column(
        "snapshot_inherit_share_access_support",
        Boolean,
        nullable=False,
        default=False,
        server_default=false(),
    ),
)

share_metadata = manila_table(
    "share_metadata",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("share_id", String(36), ForeignKey("shares.id"), nullable=False),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
)

share_instances = manila_table(
    "share_instances",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("share_id", String(36), ForeignKey("shares.id", name="si_share_fk")),
    Column("host", String(255)),
    Column("status", String(255)),
    Column("scheduled_at", DateTime),
    Column("launched_at", DateTime),
    Column("terminated_at", DateTime),
    Column(
        "share_network_id", String(36), ForeignKey("share_networks.id", name="si_share_network_fk")
    ),
    Column(
        "share_server_id", String(36), ForeignKey("share_servers.id", name="si_share_server_fk")
    ),
    Column(
        "availability_zone_id", String(36), ForeignKey("availability_zones.id", name="si_az_id_fk")
    ),
    Column("access_rules_status", String(255), default="active"),
    Column("replica_state", String(255)),
    Column("share_type_id", String(36), ForeignKey("share_types.id", name="si_st_id_fk")),
    Column("cast_rules_to_readonly", Boolean, nullable=False, default=False),
    Column("progress", String(32)),
    Column("mount_point_name", String(255)),
    Column("encryption_key_ref", String(36)),
    Column("qos_type_id", String(36), ForeignKey("qos_types.id", name="qt_id_fk")),
    Index("share_instances_share_id_idx", "share_id"),
)

share_instance_metadata = manila_table(
    "share_instance_metadata",
    Column("id", Integer, primary_key=True),
    deleted_with_id(),
    Column("share_instance_id", String(36), ForeignKey("share_instances.id"), nullable=False),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
)

share_instance_export_locations = manila_table(
    "share_instance_export_locations",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("path", String(2000)),
    Column(
        "share_instance_id", String(36), ForeignKey("share_instances.id", name="sel_instance_id_fk")
    ),
    Column("is_admin_only", Boolean, default=False),
    Column("uuid", String(36), nullable=False, unique=True),
)

share_instance_export_locations_metadata = manila_table(
    "share_instance_export_locations_metadata",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column(
        "export_location_id",
        Integer,
        ForeignKey("share_instance_export_locations.id", name="elm_id_fk"),
        nullable=False,
    ),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
    UniqueConstraint("export_location_id", "key", "deleted", name="elm_el_id_uc"),
)

share_backups = manila_table(
    "share_backups",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("fail_reason", String(255)),
    Column("display_name", String(255)),
    Column("display_description", String(255)),
    Column("host", String(255)),
    Column("topic", String(255)),
    Column("status", String(255)),
    Column("progress", String(32)),
    Column("restore_progress", String(32)),
    Column("size", Integer),
    Column("share_id", String(36), ForeignKey("shares.id", name="fk_backups_share_id_shares")),
    Column(
        "availability_zone_id", String(36), ForeignKey("availability_zones.id", name="sb_az_id_fk")
    ),
    Column("backup_type", String(32)),
)

transfers = manila_table(
    "transfers",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("resource_id", String(36), nullable=False),
    Column("resource_type", String(255), nullable=False),
    Column("display_name", String(255)),
    Column("salt", String(255)),
    Column("crypt_hash", String(255)),
    Column("expires_at", DateTime),
    Column("source_project_id", String(255)),
    Column("destination_project_id", String(255)),
    Column("accepted", Boolean, default=False),
)

encryption_refs = manila_table(
    "encryption_refs",
    Column("id", String(36), primary_key=True),
    Column("share_server_id", String(36), ForeignKey("share_servers.id"), unique=True),
    Column("share_instance_id", String(36), ForeignKey("share_instances.id"), unique=True),
    Column("encryption_key_ref", String(36)),
    Column("project_id", String(255), nullable=False),
    deleted_with_id(),
)
