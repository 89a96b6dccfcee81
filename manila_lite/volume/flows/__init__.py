# SPDX-License-Identifier: Apache-2.0
"""The flows of volumes and their snapshots; importing this package registers all of them.

All operations of one volume and its snapshots run on the lane ``volume:<volume id>``.
"""

from manila_lite.volume.flows import (
    callback,
    capabilities,
    check,
    connections,
    create,
    delete,
    ensure,
    extend,
    images,
    manage,
    migrate,
    retype,
    revert,
    snapshots,
    transfer,
)
from manila_lite.volume.flows.casting import LANE_RESOLVERS, registry
from manila_lite.volume.flows.reconcile import reconcile

__all__ = [
    "LANE_RESOLVERS",
    "callback",
    "capabilities",
    "check",
    "connections",
    "create",
    "delete",
    "ensure",
    "extend",
    "images",
    "manage",
    "migrate",
    "reconcile",
    "registry",
    "retype",
    "revert",
    "snapshots",
    "transfer",
]
