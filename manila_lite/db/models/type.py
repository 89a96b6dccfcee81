# SPDX-License-Identifier: Apache-2.0
"""Share types and quality-of-service types."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, UniqueConstraint

from manila_lite.db.models.base import deleted_with_id, deleted_with_number, manila_table

share_types = manila_table(
    "share_types",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("name", String(255)),
    Column("is_public", Boolean, default=True),
    Column("description", String(255)),
    UniqueConstraint("name", "deleted", name="st_name_uc"),
)

share_type_extra_specs = manila_table(
    "share_type_extra_specs",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column(
        "share_type_id", String(36), ForeignKey("share_types.id", name="st_id_fk"), nullable=False
    ),
    Column("spec_key", String(255)),
    Column("spec_value", String(255)),
)

share_type_projects = manila_table(
    "share_type_projects",
    Column("id", Integer, primary_key=True),
    Column("share_type_id", String(36), ForeignKey("share_types.id", name="stp_id_fk")),
    Column("project_id", String(255)),
    deleted_with_number(),
    UniqueConstraint("share_type_id", "project_id", "deleted", name="stp_project_id_uc"),
)

qos_types = manila_table(
    "qos_types",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("name", String(255)),
    Column("description", String(255)),
    UniqueConstraint("name", "deleted", name="uc_qos_type_name"),
)

qos_type_specs = manila_table(
    "qos_type_specs",
    Column("id", Integer, primary_key=True),
    deleted_with_id(),
    Column("qos_type_id", String(36), ForeignKey("qos_types.id", name="qos_type_specs_ibfk_1")),
    Column("key", String(255)),
    Column("value", String(255)),
)
