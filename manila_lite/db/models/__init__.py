# SPDX-License-Identifier: Apache-2.0
"""Every table as a SQLAlchemy ``Table``, under its own name: ``models.shares``, ``models.quotas``.

Ours are under ``models.lite`` without their prefix: ``models.lite.operations``.
"""

from manila_lite.db.models import lite
from manila_lite.db.models.access import (
    resource_locks,
    share_access_map,
    share_access_rules_metadata,
    share_instance_access_map,
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
)
from manila_lite.db.models.base import LITE_PREFIX, is_lite, metadata
from manila_lite.db.models.group import (
    share_group_share_type_mappings,
    share_group_snapshots,
    share_group_type_projects,
    share_group_type_share_type_mappings,
    share_group_type_specs,
    share_group_types,
    share_groups,
)
from manila_lite.db.models.network import (
    network_allocations,
    security_services,
    share_network_security_service_association,
    share_network_subnet_metadata,
    share_network_subnets,
    share_networks,
    share_server_backend_details,
    share_server_share_network_subnet_mappings,
    share_servers,
)
from manila_lite.db.models.quota import (
    project_share_type_quotas,
    project_user_quotas,
    quota_classes,
    quota_usages,
    quotas,
    reservations,
)
from manila_lite.db.models.service import (
    async_operation_data,
    availability_zones,
    backend_info,
    drivers_private_data,
    messages,
    services,
)
from manila_lite.db.models.share import (
    encryption_refs,
    share_backups,
    share_instance_export_locations,
    share_instance_export_locations_metadata,
    share_instance_metadata,
    share_instances,
    share_metadata,
    shares,
    transfers,
)
from manila_lite.db.models.snapshot import (
    share_snapshot_instance_export_locations,
    share_snapshot_instances,
    share_snapshot_metadata,
    share_snapshots,
)
from manila_lite.db.models.type import (
    qos_type_specs,
    qos_types,
    share_type_extra_specs,
    share_type_projects,
    share_types,
)

__all__ = [
    "LITE_PREFIX",
    "async_operation_data",
    "availability_zones",
    "backend_info",
    "drivers_private_data",
    "encryption_refs",
    "is_lite",
    "lite",
    "messages",
    "metadata",
    "network_allocations",
    "project_share_type_quotas",
    "project_user_quotas",
    "qos_type_specs",
    "qos_types",
    "quota_classes",
    "quota_usages",
    "quotas",
    "reservations",
    "resource_locks",
    "security_services",
    "services",
    "share_access_map",
    "share_access_rules_metadata",
    "share_backups",
    "share_group_share_type_mappings",
    "share_group_snapshots",
    "share_group_type_projects",
    "share_group_type_share_type_mappings",
    "share_group_type_specs",
    "share_group_types",
    "share_groups",
    "share_instance_access_map",
    "share_instance_export_locations",
    "share_instance_export_locations_metadata",
    "share_instance_metadata",
    "share_instances",
    "share_metadata",
    "share_network_security_service_association",
    "share_network_subnet_metadata",
    "share_network_subnets",
    "share_networks",
    "share_server_backend_details",
    "share_server_share_network_subnet_mappings",
    "share_servers",
    "share_snapshot_access_map",
    "share_snapshot_instance_access_map",
    "share_snapshot_instance_export_locations",
    "share_snapshot_instances",
    "share_snapshot_metadata",
    "share_snapshots",
    "share_type_extra_specs",
    "share_type_projects",
    "share_types",
    "shares",
    "transfers",
]
