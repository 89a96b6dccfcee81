# SPDX-License-Identifier: Apache-2.0
"""Services, user messages, and small stores of keys and values."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    String,
    UniqueConstraint,
    false,
)

from manila_lite.db.models.base import deleted_with_id, deleted_with_number, manila_table

availability_zones = manila_table(
    "availability_zones",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("name", String(255)),
    UniqueConstraint("name", "deleted", name="az_name_uc"),
)

services = manila_table(
    "services",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("host", String(255)),
    Column("binary", String(255)),
    Column("topic", String(255)),
    Column("report_count", Integer, nullable=False, default=0),
    Column("disabled", Boolean, default=False),
    Column(
        "availability_zone_id",
        String(36),
        ForeignKey("availability_zones.id", name="service_az_id_fk"),
    ),
    Column("state", String(36)),
    Column("disabled_reason", String(255)),
    Column("ensuring", Boolean, nullable=False, default=False, server_default=false()),
)

backend_info = manila_table(
    "backend_info",
    deleted_with_number(),
    Column("host", String(255), primary_key=True),
    Column("info_hash", String(255), nullable=False),
)

drivers_private_data = manila_table(
    "drivers_private_data",
    deleted_with_number(),
    Column("entity_uuid", String(36), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", String(1023), nullable=False),
)

async_operation_data = manila_table(
    "async_operation_data",
    deleted_with_number(),
    Column("entity_uuid", String(36), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", String(1023), nullable=False),
)

messages = manila_table(
    "messages",
    Column("id", String(36), primary_key=True),
    Column("project_id", String(255), nullable=False),
    Column("request_id", String(255)),
    Column("resource_type", String(255)),
    Column("resource_id", String(36)),
    Column("action_id", String(10), nullable=False),
    Column("detail_id", String(10)),
    Column("message_level", String(255), nullable=False),
    deleted_with_id(),
    Column("expires_at", DateTime),
)
