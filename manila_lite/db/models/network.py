# SPDX-License-Identifier: Apache-2.0
"""Share networks, share servers and the addresses they hold."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, false

from manila_lite.db.models.base import deleted_with_id, deleted_with_number, manila_table

share_networks = manila_table(
    "share_networks",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("project_id", String(255), nullable=False),
    Column("user_id", String(255)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("status", String(36), nullable=False, default="active", server_default="active"),
)

share_network_subnets = manila_table(
    "share_network_subnets",
    Column("id", String(36), primary_key=True),
    Column("neutron_net_id", String(36)),
    Column("neutron_subnet_id", String(36)),
    Column("network_type", String(32)),
    Column("cidr", String(64)),
    Column("segmentation_id", Integer),
    Column("gateway", String(64)),
    Column("mtu", Integer),
    Column(
        "share_network_id",
        String(36),
        ForeignKey(
            "share_networks.id", name="fk_share_network_subnets_share_network_id_share_networks"
        ),
    ),
    Column("ip_version", Integer),
    Column(
        "availability_zone_id",
        String(36),
        ForeignKey(
            "availability_zones.id",
            name="fk_share_network_subnets_availaility_zone_id_availability_zones",
        ),
    ),
    deleted_with_id(),
)

share_network_subnet_metadata = manila_table(
    "share_network_subnet_metadata",
    Column("id", Integer, primary_key=True),
    deleted_with_id(),
    Column(
        "share_network_subnet_id",
        String(36),
        ForeignKey("share_network_subnets.id"),
        nullable=False,
    ),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
)

share_network_security_service_association = manila_table(
    "share_network_security_service_association",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column("share_network_id", String(36), ForeignKey("share_networks.id"), nullable=False),
    Column("security_service_id", String(36), ForeignKey("security_services.id"), nullable=False),
)

security_services = manila_table(
    "security_services",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("project_id", String(255), nullable=False),
    Column("type", String(32), nullable=False),
    Column("dns_ip", String(64)),
    Column("server", String(255)),
    Column("domain", String(255)),
    Column("user", String(255)),
    Column("password", String(255)),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("ou", String(255)),
    Column("default_ad_site", String(255)),
)

share_servers = manila_table(
    "share_servers",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("host", String(255)),
    Column("status", String(32)),
    Column("is_auto_deletable", Boolean, default=True),
    Column("identifier", String(255)),
    Column("task_state", String(255)),
    Column(
        "source_share_server_id",
        String(36),
        ForeignKey("share_servers.id", name="fk_share_servers_source_share_server_id"),
    ),
    Column(
        "security_service_update_support",
        Boolean,
        nullable=False,
        default=False,
        server_default=false(),
    ),
    Column(
        "network_allocation_update_support",
        Boolean,
        nullable=False,
        default=False,
        server_default=false(),
    ),
    Column(
        "share_replicas_migration_support",
        Boolean,
        nullable=False,
        default=False,
        server_default=false(),
    ),
    Column("encryption_key_ref", String(36)),
    Column("application_credential_id", String(36)),
)

share_server_backend_details = manila_table(
    "share_server_backend_details",
    Column("id", Integer, primary_key=True),
    deleted_with_id(),
    Column("share_server_id", String(36), ForeignKey("share_servers.id"), nullable=False),
    Column("key", String(255), nullable=False),
    Column("value", String(1023), nullable=False),
)

share_server_share_network_subnet_mappings = manila_table(
    "share_server_share_network_subnet_mappings",
    Column("id", Integer, primary_key=True),
    deleted_with_number(),
    Column(
        "share_server_id",
        String(36),
        ForeignKey("share_servers.id", name="fk_ss_sns_m_share_server_id_share_servers"),
        nullable=False,
    ),
    Column(
        "share_network_subnet_id",
        String(36),
        ForeignKey(
            "share_network_subnets.id",
            name="fk_ss_sns_m_share_network_subnet_id_share_network_subnets",
        ),
        nullable=False,
    ),
)

network_allocations = manila_table(
    "network_allocations",
    Column("id", String(36), primary_key=True),
    deleted_with_id(),
    Column("ip_address", String(64)),
    Column("mac_address", String(32)),
    Column("share_server_id", String(36), ForeignKey("share_servers.id"), nullable=False),
    Column("label", String(255), default="user", server_default="user"),
    Column("network_type", String(32)),
    Column("segmentation_id", Integer),
    Column("ip_version", Integer),
    Column("cidr", String(64)),
    Column("gateway", String(64)),
    Column("mtu", Integer),
    Column(
        "share_network_subnet_id",
        String(36),
        ForeignKey(
            "share_network_subnets.id", name="fk_network_allocation_subnet_id_share_network_subnets"
        ),
    ),
)
