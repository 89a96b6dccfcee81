# SPDX-License-Identifier: Apache-2.0
"""Volumes, their snapshots, attachments, metadata and types.

Names and types are those that Cinder's migrations leave (release 2023.1 and later); the tables
are ours to make. Two things are left out: the foreign keys and indexes on columns that refer to
tables which do not exist here (groups, clusters, services of Cinder's), and Cinder's whole
seconds: snapshots are put in order by their creation, so MariaDB keeps fractions as well.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Text, true
from sqlalchemy.sql.schema import Table

from manila_lite.db.models.base import Moment, cinder_table

volumes = cinder_table(
    "volumes",
    Column("id", String(36), primary_key=True),
    # The id that its files carry, after a migration that gave it another volume's.
    Column("_name_id", String(36)),
    Column("ec2_id", String(255)),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("snapshot_id", String(36)),
    Column("cluster_name", String(255)),
    Column("host", String(255)),
    Column("size", Integer),
    Column("availability_zone", String(255)),
    Column("status", String(255)),
    Column("attach_status", String(255)),
    Column("migration_status", String(255)),
    Column("scheduled_at", Moment),
    Column("launched_at", Moment),
    Column("terminated_at", Moment),
    Column("display_name", String(255)),
    Column("display_description", String(255)),
    Column("provider_location", String(256)),
    Column("provider_auth", String(256)),
    Column("provider_geometry", String(255)),
    Column("provider_id", String(255)),
    Column("volume_type_id", String(36), nullable=False),
    Column("source_volid", String(36)),
    Column("encryption_key_id", String(36)),
    Column("consistencygroup_id", String(36)),
    Column("group_id", String(36)),
    Column("bootable", Boolean, default=False),
    Column("multiattach", Boolean, default=False),
    Column("replication_status", String(255)),
    Column("replication_extended_status", String(255)),
    Column("replication_driver_data", String(255)),
    Column("previous_status", String(255)),
    Column("service_uuid", String(36)),
    Column("shared_targets", Boolean, default=True),
    Column("use_quota", Boolean, nullable=False, default=True, server_default=true()),
    Index("volumes_deleted_project_id_idx", "deleted", "project_id"),
    Index("volumes_deleted_host_idx", "deleted", "host"),
)

snapshots = cinder_table(
    "snapshots",
    Column("id", String(36), primary_key=True),
    Column(
        "volume_id",
        String(36),
        ForeignKey("volumes.id", name="snapshots_volume_id_fkey"),
        nullable=False,
        index=True,
    ),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("status", String(255)),
    Column("progress", String(255)),
    Column("volume_size", Integer),
    Column("scheduled_at", Moment),
    Column("display_name", String(255)),
    Column("display_description", String(255)),
    Column("provider_location", String(255)),
    Column("provider_auth", String(255)),
    Column("provider_id", String(255)),
    Column("encryption_key_id", String(36)),
    Column("volume_type_id", String(36), nullable=False),
    Column("cgsnapshot_id", String(36)),
    Column("group_snapshot_id", String(36)),
    Column("use_quota", Boolean, nullable=False, default=True, server_default=true()),
    Index("snapshots_deleted_project_id_idx", "deleted", "project_id"),
)

volume_attachment = cinder_table(
    "volume_attachment",
    Column("id", String(36), primary_key=True),
    Column("volume_id", String(36), ForeignKey("volumes.id"), nullable=False, index=True),
    Column("attached_host", String(255)),
    Column("instance_uuid", String(36)),
    Column("mountpoint", String(255)),
    Column("attach_time", Moment),
    Column("detach_time", Moment),
    Column("attach_mode", String(36)),
    Column("attach_status", String(255)),
    Column("connection_info", Text),
    Column("connector", Text),
)


def _pairs(name: str, owner: str) -> Table:
    """Declare a table of keys and values of the rows of another one."""
    column = f"{owner.removesuffix('s')}_id"
    return cinder_table(
        name,
        Column("id", Integer, primary_key=True),
        Column(column, String(36), ForeignKey(f"{owner}.id"), nullable=False, index=True),
        Column("key", String(255)),
        Column("value", String(255)),
    )


volume_metadata = _pairs("volume_metadata", "volumes")
volume_admin_metadata = _pairs("volume_admin_metadata", "volumes")
snapshot_metadata = _pairs("snapshot_metadata", "snapshots")

volume_glance_metadata = cinder_table(
    "volume_glance_metadata",
    Column("id", Integer, primary_key=True),
    Column("volume_id", String(36), ForeignKey("volumes.id"), index=True),
    Column("snapshot_id", String(36), ForeignKey("snapshots.id"), index=True),
    Column("key", String(255)),
    Column("value", Text),
)

volume_types = cinder_table(
    "volume_types",
    Column("id", String(36), primary_key=True),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("qos_specs_id", String(36)),
    Column("is_public", Boolean, default=True),
)

volume_type_extra_specs = cinder_table(
    "volume_type_extra_specs",
    Column("id", Integer, primary_key=True),
    Column(
        "volume_type_id",
        String(36),
        ForeignKey("volume_types.id", name="volume_type_extra_specs_ibfk_1"),
        nullable=False,
        index=True,
    ),
    Column("key", String(255)),
    Column("value", String(255)),
)
