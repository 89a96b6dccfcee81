# SPDX-License-Identifier: Apache-2.0
"""Share groups, their types and their snapshots."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Enum, ForeignKey, Integer, String, UniqueConstraint

from manila_lite.db.models.base import deleted_with_id, deleted_with_number, manila_table

share_groups = manila_table(
    "share_groups",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("user_id", String(255), nullable=False),
    Column("project_id", String(255), nullable=False),
    Column("host", String(255)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(255)),
    Column("source_share_group_snapshot_id", String(36)),
    Column(
        "share_network_id",
        String(36),
        ForeignKey("share_networks.id", name="fk_share_group_share_network_id"),
    ),
    Column(
        "share_server_id",
        String(36),
        ForeignKey("share_servers.id", name="fk_share_group_share_server_id"),
    ),
    Column(
        "share_group_type_id",
        String(36),
        ForeignKey("share_group_types.id", name="sgt_id_sg_id_uc"),
    ),
    Column("consistent_snapshot_support", Enum("pool", "host", name="consistent_snapshot_support")),
    Column("availability_zone_id", String(36)),
)

share_group_snapshots = manila_table(
    "share_group_snapshots",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("user_id", String(255), nullable=False),
    Column("project_id", String(255), nullable=False),
    Column(
        "share_group_id",
        String(36),
        ForeignKey("share_groups.id", name="fk_share_group_snapshots_share_group_id"),
        nullable=False,
    ),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(255)),
)

share_group_types = manila_table(
    "share_group_types",
    Column("id", String(36), primary_key=True),
    Column("is_public", Boolean, default=True),
    Column("name", String(255)),
    deleted_with_id(),
    UniqueConstraint("name", "deleted", name="uniq_share_group_type_name"),
)

share_group_type_specs = manila_table(
    "share_group_type_specs",
    Column("id", Integer, primary_key=True),
    Column("spec_key", String(255)),
    Column("spec_value", String(255)),
    deleted_with_number(),
    Column(
        "share_group_type_id",
        String(36),
        ForeignKey("share_group_types.id", name="sgtp_id_extra_specs_fk"),
    ),
)

share_group_type_projects = manila_table(
    "share_group_type_projects",
    Column("id", Integer, primary_key=True),
    Column(
        "share_group_type_id", String(36), ForeignKey("share_group_types.id", name="sgtp_id_fk")
    ),
    Column("project_id", String(255)),
    deleted_with_number(),
    UniqueConstraint("share_group_type_id", "project_id", "deleted", name="sgtp_project_id_uc"),
)

share_group_type_share_type_mappings = manila_table(
    "share_group_type_share_type_mappings",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column(
        "share_group_type_id",
        String(36),
        ForeignKey("share_group_types.id", name="sgtp_id_sgt_id_uc"),
        nullable=False,
    ),
    Column(
        "share_type_id",
        String(36),
        ForeignKey("share_types.id", name="sgtp_id_st_id_uc"),
        nullable=False,
    ),
)

share_group_share_type_mappings = manila_table(
    "share_group_share_type_mappings",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column(
        "share_group_id",
        String(36),
        ForeignKey("share_groups.id", name="fk_sgstm_share_group_id"),
        nullable=False,
    ),
    Column(
        "share_type_id",
        String(36),
        ForeignKey("share_types.id", name="fk_sgstm_share_type_id"),
        nullable=False,
    ),
)
