# SPDX-License-Identifier: Apache-2.0
"""What is over by itself: shares that stayed in the recycle bin, offers that nobody accepted."""

from __future__ import annotations

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite.db import expiry
from manila_lite.db import shares as share_rows
from manila_lite.db.writes import execute_writes
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting, common, delete

LOG = log.getLogger(__name__)

DELETE_SHARE = "_delete_expired_share"


def delete_expired(environment: ShareEnvironment, journal: Journal) -> int:
    """Journal a deletion for each soft-deleted share whose time is over; return their number.

    One whose deletion failed is tried again. Those whose lane has an operation already wait for
    the next round.
    """
    host, now = environment.host, environment.clock.now()

    def find(connection: Connection) -> list[tuple[str, NewOperation]]:
        return [
            (
                casting.lane_of(row["share_id"]),
                casting.internal(DELETE_SHARE, share_instance_id=row["id"]),
            )
            for row in expiry.expired_shares(connection, host, now)
        ]

    count = casting.record_due(environment, journal, find)
    if count:
        LOG.info("%d shares stayed in the recycle bin until their time was over", count)
    return count


@flow(
    DELETE_SHARE,
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    on_failure=delete.deletion_failed,
    internal=True,
)
def delete_expired_share(op: Operation, share_instance_id: str) -> None:
    """Delete a soft-deleted share, unless somebody took it out of the bin meanwhile.

    As when a user asks for it, one with snapshots or replicas or in a group is not deleted.
    """
    instance = common.get_instance(op, share_instance_id)
    if instance is None or not instance["is_soft_deleted"]:
        return common.skip(op, "the share is not in the recycle bin any more")
    if instance["share_group_id"] is not None:
        return common.skip(op, f"the share belongs to group {instance['share_group_id']}")
    share_id = instance["share_id"]
    count, instances = common.read(op, lambda connection: _held_by(connection, share_id))
    if count:
        return common.skip(op, f"the share has {count} snapshots")
    if instances > 1:
        return common.skip(op, f"the share has {instances} instances")
    delete.delete_share_instance(op, share_instance_id)


def _held_by(connection: Connection, share_id: str) -> tuple[int, int]:
    """How many snapshots and how many instances a share has."""
    instances = share_rows.list_instances_of_share(connection, share_id)
    return expiry.snapshots_of(connection, share_id), len(instances)


def end_transfers(environment: ShareEnvironment) -> int:
    """End the offers to transfer a share whose time is over; return their number."""
    host, now = environment.host, environment.clock.now()
    found = environment.db.run(lambda c: expiry.expired_transfers(c, host, now), write=False)
    bundles = [expiry.end_transfer(row, now) for row in found]
    if bundles:
        LOG.info("%d offers to transfer a share are over", len(bundles))
        environment.db.run(lambda connection: execute_writes(connection, bundles))
    return len(bundles)
