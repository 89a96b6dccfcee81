# SPDX-License-Identifier: Apache-2.0
"""delete_share_replica: one copy of a share goes, with its snapshots."""

from __future__ import annotations

import datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import (
    access,
    messages,
    quotas,
    replica_changes,
    share_changes,
    share_server_changes,
    snapshot_changes,
)
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.delete import deny_all
from manila_lite.share.flows.replication.common import View, look, tell, wait_for_turn
from manila_lite.share.flows.servers import tear_down

_GONE: Final = ("ShareResourceNotFound", "ShareReplicaNotFound")


class LastReplica(exception.ReplicationException):
    message = "Share replica %(replica_id)s is the last one of its share, or its active one."


def deletion_failed(
    op: Operation, error: BaseException, share_replica_id: str, **rest: Any
) -> list[Write]:
    """Put the replica's status and replica_state into error_deleting; its snapshots stay."""
    seen = look(op, share_replica_id)
    if seen is None:
        return []
    now, replica = op.clock.now(), seen.replica
    status = states.ERROR_DELETING
    # A replica that was refused is still what it was.
    state = replica["replica_state"] if isinstance(error, LastReplica) else status
    return [
        *replica_changes.failed(replica, states.DELETING, status, state, now),
        *tell(op, replica, messages.ACTION_DELETE, now),
    ]


@flow(
    "delete_share_replica",
    version="1.8",
    lane="share:{share_id}",
    resource=("share_replica", "share_replica_id"),
    on_failure=deletion_failed,
)
def delete_share_replica(
    op: Operation, share_replica_id: str, share_id: str | None = None, force: bool = False
) -> None:
    """Have the driver remove a replica and its snapshots.

    force: errors of the driver are logged and ignored; what it left stays on the storage. Raises
    LastReplica for the only one that is 'active', unless forced: the others are copies of it.
    """
    seen = look(op, share_replica_id)
    if seen is None:
        return common.skip(op, "the share replica is already deleted")
    wait_for_turn(op, seen.replica["share_id"])
    seen = look(op, share_replica_id) or seen
    replica = seen.replica
    if not force and _is_needed(seen):
        raise LastReplica(replica_id=replica["id"])
    _begin(op, replica)
    _remove(op, seen, force)
    tear_down.give_up(op, replica)
    now = op.clock.now()
    op.finish(
        share_changes.deleted(replica, now, rules=seen.rules, metadata=_metadata(op, seen)),
        _without_snapshots(op, seen, now),
        share_server_changes.left(replica["share_server_id"], now),
        _freed(seen, now),
    )


def _is_needed(seen: View) -> bool:
    """Whether it is the last replica, or the only one that is no copy: as a promotion left it."""
    active = [one for one in seen.replicas if one["replica_state"] == states.REPLICA_ACTIVE]
    return len(seen.replicas) == 1 or [one["id"] for one in active] == [seen.replica["id"]]


def _begin(op: Operation, replica: Record) -> None:
    status, own = replica["status"], states.DELETING
    if status not in states.UNDERWAY and own in states.SHARE_TRANSITIONS.get(status, ()):
        op.record("begin", share_changes.move(replica["id"], status, own, op.clock.now()))
    replica["status"] = own


def _remove(op: Operation, seen: View, force: bool) -> None:
    replica = seen.replica
    mapped = [rule for rule in seen.rules if rule["mapping_id"] is not None]
    with common.forgiving(force):
        if mapped:
            server = common.share_server(op, replica)
            op.step(
                "deny access",
                deny_all,
                op.env.driver,
                op.context,
                replica,
                mapped,
                server,
                retry=common.DRIVER,
            )
            op.record("denied", share_changes.without_mappings(mapped, op.clock.now()))
    with common.forgiving(force):
        server = common.share_server(op, replica)
        op.step("delete", _delete, op, seen, server, retry=common.DRIVER)


def _delete(op: Operation, seen: View, server: Record | None) -> str | None:
    """Delete; a replica that is not on the storage is deleted."""
    replica = seen.replica
    try:
        op.env.driver.delete_replica(
            op.context, seen.replicas, seen.of(replica["id"]), replica, share_server=server
        )
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise
        return "it was already gone"
    return None


def _without_snapshots(op: Operation, seen: View, now: datetime.datetime) -> list[Write]:
    """The snapshots themselves stay: they have instances on other replicas."""

    def work(connection: Connection) -> list[Write]:
        writes: list[Write] = []
        for one in seen.of(seen.replica["id"]):
            one["export_locations"] = snapshot_rows.export_locations_of(connection, one["id"])
            rules = access.rules_of_snapshot_instance(connection, one["snapshot_id"], one["id"])
            writes += snapshot_changes.deleted(one, now, rules=rules)
        return writes

    return common.read(op, work)


def _metadata(op: Operation, seen: View) -> list[Record]:
    """The share's metadata, which go with its last replica only."""
    share_id = seen.replica["share_id"]
    found = common.read(op, lambda connection: share_rows.metadata_of(connection, [share_id]))
    return found.get(share_id, [])


def _freed(seen: View, now: datetime.datetime) -> list[Write]:
    replica = seen.replica
    size = int(replica["size"] or 0)
    deltas = {quotas.REPLICAS: -1, quotas.REPLICA_GIGABYTES: -size}
    if len(seen.replicas) == 1:
        deltas.update({quotas.SHARES: -1, quotas.GIGABYTES: -size})
    return quotas.change(replica, replica["share_type_id"], deltas, now)
