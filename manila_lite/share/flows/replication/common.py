# SPDX-License-Identifier: Apache-2.0
"""What all operations on replicas have in common: the set of replicas, and whose turn it is."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import access, messages, replica_changes
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, Pending, Schedule
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import common

# Another back end's operation may copy for days; this is only the last resort.
_DEADLINE: Final = 30 * 24 * 3600.0  # seconds
_SCHEDULE: Final = Schedule(((0, 0.5), (5, 2), (60, 10)))
#: Rules that are on their way out are none that other replicas obey.
LEAVING: Final = (states.ACCESS_QUEUED_TO_DENY, states.ACCESS_DENYING)
_SYNCED: Final = (states.REPLICA_ACTIVE, states.REPLICA_IN_SYNC)
_AGGREGATES: Final = (states.DELETING, states.CREATING, states.ERROR, states.MIGRATING)


class NoActiveReplica(exception.ReplicationException):
    message = "Share %(share_id)s has no replica whose replica_state is 'active'%(more)s."


@dataclasses.dataclass
class View:
    """A replica among all replicas of its share, as drivers get them."""

    replica: Record
    replicas: list[Record]
    rules: list[Record]
    snapshots: list[Record]

    @property
    def active(self) -> Record | None:
        """The replica that is 'active', an available one first."""
        return active_of(self.replicas)

    @property
    def obeyed(self) -> list[Record]:
        """The rules that the replicas obey, or are to obey."""
        return [rule for rule in self.rules if rule["state"] not in (*LEAVING, states.ACCESS_ERROR)]

    def of(self, replica_id: str) -> list[Record]:
        """Return the snapshot instances on a replica."""
        return [one for one in self.snapshots if one["share_instance_id"] == replica_id]


def active_of(replicas: Sequence[Record]) -> Record | None:
    """Return the replica that is 'active', an available one first; None without one."""
    found = [one for one in replicas if one["replica_state"] == states.REPLICA_ACTIVE]
    return min(found, key=lambda one: one["status"] != states.AVAILABLE, default=None)


def look(op: Operation, replica_id: str) -> View | None:
    """Read a replica and all that belongs to its share; None where it is deleted."""
    return common.read(op, lambda connection: view(op.env, connection, replica_id))


def view(environment: ShareEnvironment, connection: Connection, replica_id: str) -> View | None:
    """Read the same, on a connection."""
    template = environment.share_name_template
    found = share_rows.get_instance(connection, replica_id, template)
    if found is None:
        return None
    replicas = share_rows.list_instances_of_share(connection, found["share_id"], template)
    share_rows.complete(connection, replicas)
    by_id = {one["id"]: one for one in replicas}
    if replica_id not in by_id:
        return None
    names = environment.snapshot_name_template, template
    snapshots = snapshot_rows.on_instances(connection, list(by_id), *names)
    for one in snapshots:
        snapshot_rows.with_share(one, by_id[one["share_instance_id"]])
    rules = access.rules_of_instance(connection, found["share_id"], replica_id)
    return View(by_id[replica_id], replicas, rules, snapshots)


def available_snapshots(seen: View) -> list[dict[str, Record]]:
    """Pair the instances of the share's available snapshots on the active replica and on this one.

    A snapshot is as available as its instances on all replicas that are 'active' or 'in_sync'.
    """
    active = seen.active
    here = {one["snapshot_id"]: one for one in seen.of(seen.replica["id"])}
    return [
        {
            "active_replica_snapshot": one,
            "share_replica_snapshot": here[one["snapshot_id"]],
        }
        for one in ([] if active is None else seen.of(active["id"]))
        if one["snapshot_id"] in here
        and aggregate_status(seen, one["snapshot_id"]) == states.AVAILABLE
    ]


def aggregate_status(seen: View, snapshot_id: str) -> str:
    """Return what the instances of a snapshot on the synchronous replicas say together."""
    found = {
        one["status"]
        for one in seen.snapshots
        if one["snapshot_id"] == snapshot_id and one["share"]["replica_state"] in _SYNCED
    }
    for status in _AGGREGATES:
        if status in found:
            return status
    return next(iter(sorted(found - {states.AVAILABLE})), states.AVAILABLE)


def tell(
    op: Operation, replica: Mapping[str, Any], action: str, now: datetime.datetime, **detail: str
) -> list[Write]:
    """Write a message about a replica for its project."""
    resource = (messages.RESOURCE_REPLICA, replica["id"])
    return common.tell_user(op, replica, action, now, resource=resource, **detail)


def is_passive(row: Mapping[str, Any]) -> bool:
    """Whether a share instance is a replica other than the active one."""
    return row["replica_state"] not in (None, states.REPLICA_ACTIVE)


def record_next(op: Operation, name: str, writes: Sequence[Write]) -> None:
    """Record writes as a step of their own each time: retries of an operation keep its steps."""
    number = 1
    while op.is_done(f"{name} {number}"):
        number += 1
    if writes:
        op.record(f"{name} {number}", writes)


# -- turns -------------------------------------------------------------------------------------


def wait_for_turn(op: Operation, share_id: str) -> None:
    """Wait until no operation of another back end changes the replicas of the share.

    A turn that was taken away while this back end had no worker is waited for once more.
    """
    number = 1
    while op.is_done(f"turn {number}"):
        number += 1
    if number > 1 and common.read(
        op, lambda connection: replica_changes.has_turn(connection, share_id, op.id)
    ):
        return
    ask = functools.partial(_take, op.env, share_id, op.id)
    op.wait(f"turn {number}", ask, schedule=_SCHEDULE, deadline=_DEADLINE)


def _take(environment: ShareEnvironment, share_id: str, operation_id: int) -> Any:
    now = environment.clock.now()
    taken = environment.db.run(
        lambda connection: replica_changes.take_turn(connection, share_id, operation_id, now)
    )
    return None if taken else Pending("waiting for another change of the replicas")
