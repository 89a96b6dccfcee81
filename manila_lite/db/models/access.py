# SPDX-License-Identifier: Apache-2.0
"""Access rules of shares and snapshots, and locks on resources."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String

from manila_lite.db.models.base import deleted_with_id, manila_table

share_access_map = manila_table(
    "share_access_map",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("share_id", String(36), ForeignKey("shares.id"), nullable=False),
    Column("access_type", String(255)),
    Column("access_to", String(255)),
    Column("access_level", String(2)),
    Column("access_key", String(255)),
)

share_access_rules_metadata = manila_table(
    "share_access_rules_metadata",
    Column("id", Integer, primary_key=True),
    deleted_with_id(),
    Column("access_id", String(36), ForeignKey("share_access_map.id"), nullable=False),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
)

share_instance_access_map = manila_table(
    "share_instance_access_map",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column(
        "share_instance_id", String(36), ForeignKey("share_instances.id", name="siam_instance_fk")
    ),
    Column("access_id", String(36), ForeignKey("share_access_map.id", name="siam_access_fk")),
    Column("state", String(255)),
)

share_snapshot_access_map = manila_table(
    "share_snapshot_access_map",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column(
        "share_snapshot_id", String(36), ForeignKey("share_snapshots.id", name="ssam_snapshot_fk")
    ),
    Column("access_type", String(255)),
    Column("access_to", String(255)),
)

share_snapshot_instance_access_map = manila_table(
    "share_snapshot_instance_access_map",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column(
        "share_snapshot_instance_id",
        String(36),
        ForeignKey("share_snapshot_instances.id", name="ssiam_snapshot_instance_fk"),
    ),
    Column(
        "access_id", String(36), ForeignKey("share_snapshot_access_map.id", name="ssam_access_fk")
    ),
    Column("state", String(255)),
)

resource_locks = manila_table(
    "resource_locks",
    Column("id", String(36), primary_key=True),
    Column("user_id", String(255), nullable=False),
    Column("project_id", String(255), nullable=False),
    Column("resource_action", String(255)),
    Column("resource_type", String(255), nullable=False),
    Column("resource_id", String(36), nullable=False),
    Column("lock_context", String(16), nullable=False),
    Column("lock_reason", String(1023)),
    deleted_with_id(),
)
