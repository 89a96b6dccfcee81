# SPDX-License-Identifier: Apache-2.0
"""Replicas: copies of a share on other back ends, which follow the active one.

All operations on the replicas of one share run on its lane, of which each back end has one of its
own. Operations that change the set of replicas take turns across all back ends: see
:func:`manila_lite.db.replica_changes.take_turn`.
"""

from manila_lite.share.flows.replication import (
    create,
    delete,
    following,
    promote,
    reconcile,
    snapshots,
    update,
)
from manila_lite.share.flows.replication.polls import update_replicas

__all__ = [
    "create",
    "delete",
    "following",
    "promote",
    "reconcile",
    "snapshots",
    "update",
    "update_replicas",
]
