# SPDX-License-Identifier: Apache-2.0
"""Volumes, under Cinder's names, beside whatever is there.

Tables that are found are left as they are; db.sync has seen that they have our columns.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from manila_lite.db.migrations.once import create_index, create_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    _create_types()
    _create_volumes()
    _create_snapshots()
    _create_attachments()
    _create_pairs("volume_metadata", "volume_id", "volumes.id")
    _create_pairs("volume_admin_metadata", "volume_id", "volumes.id")
    _create_pairs("snapshot_metadata", "snapshot_id", "snapshots.id")
    _create_glance_metadata()


def downgrade() -> None:
    """Leave the tables: nobody knows any more whether they were made here, and they are data."""


def _create(name: str, *items: Any) -> None:
    create_table(
        name,
        *items,
        sa.Column("created_at", Moment),
        sa.Column("updated_at", Moment),
        sa.Column("deleted_at", Moment),
        sa.Column("deleted", sa.Boolean),
        sa.PrimaryKeyConstraint("id"),
        **MYSQL,
    )


def _create_types() -> None:
    _create(
        "volume_types",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255)),
        sa.Column("description", sa.String(255)),
        sa.Column("qos_specs_id", sa.String(36)),
        sa.Column("is_public", sa.Boolean),
    )
    _create(
        "volume_type_extra_specs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("volume_type_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("value", sa.String(255)),
        sa.ForeignKeyConstraint(
            ["volume_type_id"], ["volume_types.id"], name="volume_type_extra_specs_ibfk_1"
        ),
    )
    _index("volume_type_extra_specs", "volume_type_id")


def _create_volumes() -> None:
    _create(
        "volumes",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("_name_id", sa.String(36)),
        sa.Column("ec2_id", sa.String(255)),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255)),
        sa.Column("snapshot_id", sa.String(36)),
        sa.Column("cluster_name", sa.String(255)),
        sa.Column("host", sa.String(255)),
        sa.Column("size", sa.Integer),
        sa.Column("availability_zone", sa.String(255)),
        sa.Column("status", sa.String(255)),
        sa.Column("attach_status", sa.String(255)),
        sa.Column("migration_status", sa.String(255)),
        sa.Column("scheduled_at", Moment),
        sa.Column("launched_at", Moment),
        sa.Column("terminated_at", Moment),
        sa.Column("display_name", sa.String(255)),
        sa.Column("display_description", sa.String(255)),
        sa.Column("provider_location", sa.String(256)),
        sa.Column("provider_auth", sa.String(256)),
        sa.Column("provider_geometry", sa.String(255)),
        sa.Column("provider_id", sa.String(255)),
        sa.Column("volume_type_id", sa.String(36), nullable=False),
        sa.Column("source_volid", sa.String(36)),
        sa.Column("encryption_key_id", sa.String(36)),
        sa.Column("consistencygroup_id", sa.String(36)),
        sa.Column("group_id", sa.String(36)),
        sa.Column("bootable", sa.Boolean),
        sa.Column("multiattach", sa.Boolean),
        sa.Column("replication_status", sa.String(255)),
        sa.Column("replication_extended_status", sa.String(255)),
        sa.Column("replication_driver_data", sa.String(255)),
        sa.Column("previous_status", sa.String(255)),
        sa.Column("service_uuid", sa.String(36)),
        sa.Column("shared_targets", sa.Boolean),
        sa.Column("use_quota", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    create_index("volumes_deleted_project_id_idx", "volumes", ["deleted", "project_id"])
    create_index("volumes_deleted_host_idx", "volumes", ["deleted", "host"])


def _create_snapshots() -> None:
    _create(
        "snapshots",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("volume_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255)),
        sa.Column("status", sa.String(255)),
        sa.Column("progress", sa.String(255)),
        sa.Column("volume_size", sa.Integer),
        sa.Column("scheduled_at", Moment),
        sa.Column("display_name", sa.String(255)),
        sa.Column("display_description", sa.String(255)),
        sa.Column("provider_location", sa.String(255)),
        sa.Column("provider_auth", sa.String(255)),
        sa.Column("provider_id", sa.String(255)),
        sa.Column("encryption_key_id", sa.String(36)),
        sa.Column("volume_type_id", sa.String(36), nullable=False),
        sa.Column("cgsnapshot_id", sa.String(36)),
        sa.Column("group_snapshot_id", sa.String(36)),
        sa.Column("use_quota", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.ForeignKeyConstraint(["volume_id"], ["volumes.id"], name="snapshots_volume_id_fkey"),
    )
    _index("snapshots", "volume_id")
    create_index("snapshots_deleted_project_id_idx", "snapshots", ["deleted", "project_id"])


def _create_attachments() -> None:
    _create(
        "volume_attachment",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("volume_id", sa.String(36), nullable=False),
        sa.Column("attached_host", sa.String(255)),
        sa.Column("instance_uuid", sa.String(36)),
        sa.Column("mountpoint", sa.String(255)),
        sa.Column("attach_time", Moment),
        sa.Column("detach_time", Moment),
        sa.Column("attach_mode", sa.String(36)),
        sa.Column("attach_status", sa.String(255)),
        sa.Column("connection_info", sa.Text),
        sa.Column("connector", sa.Text),
        sa.ForeignKeyConstraint(["volume_id"], ["volumes.id"]),
    )
    _index("volume_attachment", "volume_id")


def _create_pairs(name: str, owner: str, owner_key: str) -> None:
    _create(
        name,
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column(owner, sa.String(36), nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("value", sa.String(255)),
        sa.ForeignKeyConstraint([owner], [owner_key]),
    )
    _index(name, owner)


def _create_glance_metadata() -> None:
    _create(
        "volume_glance_metadata",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("volume_id", sa.String(36)),
        sa.Column("snapshot_id", sa.String(36)),
        sa.Column("key", sa.String(255)),
        sa.Column("value", sa.Text),
        sa.ForeignKeyConstraint(["volume_id"], ["volumes.id"]),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"]),
    )
    _index("volume_glance_metadata", "volume_id")
    _index("volume_glance_metadata", "snapshot_id")


def _index(table: str, column: str) -> None:
    create_index(f"ix_{table}_{column}", table, [column])
