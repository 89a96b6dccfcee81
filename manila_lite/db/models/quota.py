# SPDX-License-Identifier: Apache-2.0
"""Limits, usage and reservations."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Index, Integer, String, UniqueConstraint

from manila_lite.db.models.base import deleted_with_number, manila_table

quotas = manila_table(
    "quotas",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("project_id", String(255)),
    Column("resource", String(255), nullable=False),
    Column("hard_limit", Integer),
)

quota_classes = manila_table(
    "quota_classes",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("class_name", String(255)),
    Column("resource", String(255)),
    Column("hard_limit", Integer),
    Index("ix_quota_classes_class_name", "class_name"),
)

quota_usages = manila_table(
    "quota_usages",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("user_id", String(255)),
    Column("project_id", String(255)),
    Column("resource", String(255)),
    Column("in_use", Integer, nullable=False, default=0),
    Column("reserved", Integer, nullable=False, default=0),
    Column("until_refresh", Integer),
    Column("share_type_id", String(36)),
    Index("ix_quota_usages_project_id", "project_id"),
)

project_user_quotas = manila_table(
    "project_user_quotas",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("user_id", String(255), nullable=False),
    Column("project_id", String(255), nullable=False),
    Column("resource", String(25), nullable=False),
    Column("hard_limit", Integer),
)

project_share_type_quotas = manila_table(
    "project_share_type_quotas",
    Column("id", Integer, primary_key=True),
    Column("project_id", String(255)),
    Column("resource", String(255), nullable=False),
    Column("hard_limit", Integer),
    deleted_with_number(),
    Column(
        "share_type_id",
        String(36),
        ForeignKey("share_types.id", name="share_type_id_fk"),
        nullable=False,
    ),
    UniqueConstraint(
        "share_type_id", "resource", "deleted", "project_id", name="uc_quotas_per_share_types"
    ),
)

reservations = manila_table(
    "reservations",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("user_id", String(255)),
    Column("uuid", String(36), nullable=False),
    Column("usage_id", Integer, ForeignKey("quota_usages.id"), nullable=False),
    Column("project_id", String(255)),
    Column("resource", String(255)),
    Column("delta", Integer, nullable=False),
    Column("expire", DateTime),
    Column("share_type_id", String(36)),
    Index("ix_reservations_project_id", "project_id"),
    Index("reservations_deleted_expire_idx", "deleted", "expire"),
)
