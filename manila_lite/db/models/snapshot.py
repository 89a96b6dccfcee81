# SPDX-License-Identifier: Apache-2.0
"""Snapshots and their instances."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String

from manila_lite.db.models.base import deleted_with_id, manila_table

share_snapshots = manila_table(
    "share_snapshots",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("share_id", String(36), ForeignKey("shares.id"), nullable=False),
    Column("size", Integer),
    Column("display_name", String(255)),
    Column("display_description", String(255)),
    Column("share_size", Integer),
    Column("share_proto", String(255)),
)

share_snapshot_metadata = manila_table(
    "share_snapshot_metadata",
    Column("id", Integer, primary_key=True),
    deleted_with_id(),
    Column("share_snapshot_id", String(36), ForeignKey("share_snapshots.id"), nullable=False),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
)

share_snapshot_instances = manila_table(
    "share_snapshot_instances",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("snapshot_id", String(36)),
    Column(
        "share_instance_id",
        String(36),
        ForeignKey("share_instances.id", name="ssi_share_instance_fk"),
    ),
    Column("status", String(255)),
    Column("progress", String(255)),
    Column("provider_location", String(255)),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("size", Integer),
    Column("share_proto", String(255)),
    Column("share_group_snapshot_id", String(36)),
)

share_snapshot_instance_export_locations = manila_table(
    "share_snapshot_instance_export_locations",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column(
        "share_snapshot_instance_id",
        String(36),
        ForeignKey("share_snapshot_instances.id", name="ssiel_snapshot_instance_fk"),
    ),
    Column("path", String(2000)),
    Column("is_admin_only", Boolean, nullable=False, default=False),
)
