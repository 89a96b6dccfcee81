# SPDX-License-Identifier: Apache-2.0
"""The flows of shares and snapshots; importing this package registers all of them.

All operations of one share and its snapshots run on the lane ``share:<share id>``, those of a
share group and its snapshots on ``share_group:<group id>``, those of a share server on
``share_server:<server id>``.
"""

from manila_lite.scheduler.reports import report_alive, report_capabilities
from manila_lite.share.flows import (
    access,
    backups,
    capabilities,
    connection,
    create,
    delete,
    ensure,
    group_snapshots,
    groups,
    manage,
    manage_snapshots,
    metadata,
    migration,
    replication,
    resize,
    revert,
    servers,
    snapshot_access,
    snapshots,
    transfer,
)
from manila_lite.share.flows.casting import LANE_RESOLVERS
from manila_lite.share.flows.deferred import delete_deferred
from manila_lite.share.flows.expired import delete_expired, end_transfers
from manila_lite.share.flows.hooks import around, run_periodic_hooks
from manila_lite.share.flows.reconcile import reconcile
from manila_lite.share.flows.replication import update_replicas
from manila_lite.share.flows.servers.tear_down import delete_unused_servers
from manila_lite.share.flows.usage import update_share_usage

__all__ = [
    "LANE_RESOLVERS",
    "access",
    "around",
    "backups",
    "capabilities",
    "connection",
    "create",
    "delete",
    "delete_deferred",
    "delete_expired",
    "delete_unused_servers",
    "end_transfers",
    "ensure",
    "group_snapshots",
    "groups",
    "manage",
    "manage_snapshots",
    "metadata",
    "migration",
    "reconcile",
    "replication",
    "report_alive",
    "report_capabilities",
    "resize",
    "revert",
    "run_periodic_hooks",
    "servers",
    "snapshot_access",
    "snapshots",
    "transfer",
    "update_replicas",
    "update_share_usage",
]
