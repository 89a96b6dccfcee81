# SPDX-License-Identifier: Apache-2.0
"""Rows in a transitional status with no operation behind them: found, and brought to an end.

They are left by a Manila that was killed, by casts that were lost before this service took over,
and by operations whose last write was refused. Replicas are left alone: their state is more than
one row.
"""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Iterator
from typing import Any, Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.conf import engine as engine_conf
from manila_lite.db import messages, share_changes, snapshot_changes
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Done, Operation, flow
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import (
    access,
    casting,
    common,
    create,
    delete,
    manage,
    manage_snapshots,
    probes,
    reconcile_backups,
    reconcile_groups,
    revert,
    snapshot_access,
    snapshots,
)
from manila_lite.share.flows.abandoned import Abandoned, message_id, older
from manila_lite.share.flows.migration import reconcile as reconcile_migrations
from manila_lite.share.flows.replication import reconcile as reconcile_replicas
from manila_lite.share.flows.replication import snapshots as replicated_snapshots
from manila_lite.share.flows.replication.common import is_passive
from manila_lite.share.flows.servers import reconcile as reconcile_servers

LOG = log.getLogger(__name__)

RECONCILE_SHARE: Final = "_reconcile_share"
RECONCILE_SNAPSHOT: Final = "_reconcile_snapshot"

SHARE_STATUSES: Final = (
    states.CREATING,
    states.CREATING_FROM_SNAPSHOT,
    states.DELETING,
    states.EXTENDING,
    states.SHRINKING,
    states.ENSURING,
    states.MANAGE_STARTING,
    states.UNMANAGE_STARTING,
    states.MANAGE_ERROR_UNMANAGE_STARTING,
    states.REVERTING,
    states.REVERTING_TO_SNAPSHOT,
    *reconcile_backups.SHARE_STATUSES,
)
SNAPSHOT_STATUSES: Final = (
    states.CREATING,
    states.DELETING,
    states.MANAGE_STARTING,
    states.UNMANAGE_STARTING,
    states.RESTORING,
)


# -- finding -----------------------------------------------------------------------------------


def reconcile(environment: ShareEnvironment, journal: Journal) -> int:
    """Journal a reconciliation for each row that is stuck; return how many there are.

    A row is stuck when it has stood in a transitional status for reconcile_grace seconds and its
    lane is empty.
    """
    grace = float(environment.conf[engine_conf.GROUP].reconcile_grace)
    before = environment.clock.now() - datetime.timedelta(seconds=grace)
    found = environment.db.run(
        lambda connection: find_stuck(connection, environment.host, before), write=False
    )
    if found:
        LOG.warning("%d rows are stuck in a transitional status", len(found))
        journal.record(found)
    return len(found)


def find_stuck(connection: Connection, host: str, before: datetime.datetime) -> list[NewOperation]:
    """Return an operation for each row of the host that last changed before that time.

    The same row in the same state makes the same message id within an hour: it is then taken up
    once.
    """
    candidates = [
        *_shares(connection, host, before),
        *_snapshots(connection, host, before),
        *reconcile_groups.candidates(connection, host, before),
        *reconcile_backups.candidates(connection, host, before),
        *reconcile_migrations.candidates(connection, host, before),
        *reconcile_replicas.candidates(connection, host, before),
        *access.stuck(connection, host, before),
        *snapshot_access.stuck(connection, host, before),
        *reconcile_servers.candidates(connection, host, before),
    ]
    return casting.on_idle_lanes(connection, host, candidates)


def _shares(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    in_the_making = reconcile_groups.groups_being_made(connection, host)
    pages = share_rows.iterate_instances(connection, host, SHARE_STATUSES)
    for row in older(itertools.chain.from_iterable(pages), before):
        if reconcile_replicas.is_ours(row) or _is_made_with_its_group(row, in_the_making):
            continue
        if reconcile_backups.waits_for_others(connection, host, row):
            continue
        yield (
            casting.lane_of(row["share_id"]),
            casting.internal(
                RECONCILE_SHARE,
                message_id=message_id(RECONCILE_SHARE, row, before),
                share_instance_id=row["id"],
                status=row["status"],
            ),
        )


def _is_made_with_its_group(row: Record, in_the_making: set[str]) -> bool:
    return (
        row["source_share_group_snapshot_member_id"] is not None
        and row["share_group_id"] in in_the_making
        and row["status"] in (states.CREATING, states.CREATING_FROM_SNAPSHOT)
    )


def _snapshots(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    pages = snapshot_rows.iterate_instances(connection, host, SNAPSHOT_STATUSES)
    for row in older(itertools.chain.from_iterable(pages), before):
        if is_passive(row):
            # It follows the active replica's: it has no end of its own.
            continue
        yield (
            casting.lane_of(row["parent_share_id"]),
            casting.internal(
                RECONCILE_SNAPSHOT,
                message_id=message_id(RECONCILE_SNAPSHOT, row, before),
                snapshot_id=row["snapshot_id"],
                status=row["status"],
            ),
        )


# -- bringing to an end ------------------------------------------------------------------------

_ACTIONS: Final = {
    states.CREATING: messages.ACTION_CREATE,
    states.CREATING_FROM_SNAPSHOT: messages.ACTION_CREATE,
    states.DELETING: messages.ACTION_DELETE,
    states.EXTENDING: messages.ACTION_EXTEND,
    states.SHRINKING: messages.ACTION_SHRINK,
    states.REVERTING: messages.ACTION_REVERT_TO_SNAPSHOT,
    states.REVERTING_TO_SNAPSHOT: messages.ACTION_REVERT_TO_SNAPSHOT,
}


def _share_failed(
    op: Operation, error: BaseException, share_instance_id: str, status: str
) -> list[Write]:
    instance = common.get_instance(op, share_instance_id)
    if instance is None:
        return []
    if status in reconcile_backups.SHARE_STATUSES:
        return reconcile_backups.share_failed(op, error, instance)
    if status in (states.REVERTING, states.REVERTING_TO_SNAPSHOT):
        return _revert_failed(op, error, instance)
    if status == states.MANAGE_STARTING:
        return manage.managing_failed(op, error, instance["share_id"])
    now = op.clock.now()
    old = common.own_status(instance, status, states.CREATING_FROM_SNAPSHOT)
    action = _ACTIONS.get(status, messages.ACTION_UPDATE)
    return [
        *share_changes.move(instance["id"], old, states.SHARE_ERROR_STATUS[old], now),
        *common.tell_user(op, instance, action, now),
    ]


def _revert_failed(op: Operation, error: BaseException, instance: Record) -> list[Write]:
    snapshot_id = _restoring(op, instance)
    if snapshot_id is not None:
        return revert.reverting_failed(op, error, snapshot_id)
    return revert.given_up(op, instance)


def _restoring(op: Operation, instance: Record) -> str | None:
    """The snapshot that the share is being set back to; None where no row tells."""
    return common.read(
        op,
        lambda connection: snapshot_rows.snapshot_in_status(
            connection, instance["id"], states.RESTORING
        ),
    )


@flow(
    RECONCILE_SHARE,
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    on_failure=_share_failed,
    internal=True,
)
def reconcile_share(op: Operation, share_instance_id: str, status: str) -> None:
    """Bring an abandoned instance to an end, by asking the driver what became of it.

    A creation that took effect becomes available; a deletion, an unmanaging and a revert are
    carried out again, for that is what was asked for; of the rest nobody can tell, and it fails
    with the reason.
    """
    instance = common.get_instance(op, share_instance_id)
    if instance is None or instance["status"] not in (status, states.CREATING_FROM_SNAPSHOT):
        return common.skip(op, "the share instance has moved on")
    if status == states.DELETING:
        return delete.delete_share_instance(op, share_instance_id)
    if status in reconcile_backups.SHARE_STATUSES:
        return reconcile_backups.reconcile_share(op, instance)
    if status == states.ENSURING:
        return op.finish(
            share_changes.move(instance["id"], status, states.AVAILABLE, op.clock.now())
        )
    if status in (states.CREATING, states.CREATING_FROM_SNAPSHOT):
        return _finish_creation(op, instance)
    if status in (states.UNMANAGE_STARTING, states.MANAGE_ERROR_UNMANAGE_STARTING):
        return manage.unmanage_share(op, instance["share_id"])
    if status in (states.REVERTING, states.REVERTING_TO_SNAPSHOT):
        snapshot_id = _restoring(op, instance)
        if snapshot_id is not None:
            return revert.revert_to_snapshot(op, snapshot_id)
    raise Abandoned(what=f"Share {instance['share_id']}", status=status)


# How long a back end that does not answer is asked about one share, in seconds.
_PATIENCE: Final = 600.0


def _finish_creation(op: Operation, instance: Record) -> None:
    found = op.wait("look", functools.partial(_look, op, instance), deadline=_PATIENCE)
    if not found["made"]:
        raise Abandoned(what=f"Share {instance['share_id']}", status=instance["status"])
    exports = create.copied(op, instance, found["result"])
    op.finish(share_changes.created(instance, exports, op.clock.now(), zone_id=op.env.zone_id()))


def _look(op: Operation, instance: Record) -> dict[str, Any]:
    answer = probes.was_created(op, instance)
    return {"made": isinstance(answer, Done), "result": getattr(answer, "result", None)}


def _snapshot_failed(
    op: Operation, error: BaseException, snapshot_id: str, status: str
) -> list[Write]:
    instance = snapshots.get_snapshot(op, snapshot_id)
    if instance is None:
        return []
    if status == states.MANAGE_STARTING:
        return manage_snapshots.managing_failed(op, error, snapshot_id)
    if status == states.RESTORING:
        return revert.reverting_failed(op, error, snapshot_id)
    now = op.clock.now()
    resource = (messages.RESOURCE_SNAPSHOT, snapshot_id)
    action = _ACTIONS.get(status, messages.ACTION_UPDATE)
    new = states.SNAPSHOT_ERROR_STATUS[status]
    return [
        *snapshot_changes.move(instance["id"], status, new, now),
        *common.tell_user(op, instance, action, now, resource=resource),
    ]


@flow(
    RECONCILE_SNAPSHOT,
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    on_failure=_snapshot_failed,
    internal=True,
)
def reconcile_snapshot(op: Operation, snapshot_id: str, status: str) -> None:
    """Bring an abandoned snapshot to an end.

    A deletion, an unmanaging and the revert of its share are carried out again; the rest fails,
    for drivers cannot be asked about snapshots.
    """
    instance = snapshots.get_snapshot(op, snapshot_id)
    if instance is None or instance["status"] != status:
        return common.skip(op, "the snapshot has moved on")
    if status == states.DELETING:
        return _delete_snapshot(op, snapshot_id, instance["parent_share_id"])
    if status == states.UNMANAGE_STARTING:
        return manage_snapshots.unmanage_snapshot(op, snapshot_id)
    if status == states.RESTORING:
        return _restore(op, instance)
    raise Abandoned(what=f"Snapshot {snapshot_id}", status=status)


def _delete_snapshot(op: Operation, snapshot_id: str, share_id: str) -> None:
    if replicated_snapshots.has_replicas(op, share_id):
        return replicated_snapshots.delete_replicated_snapshot(op, snapshot_id, share_id)
    snapshots.delete_snapshot(op, snapshot_id)


def _restore(op: Operation, instance: Record) -> None:
    """Revert the share, if it is still in the middle of that: else the snapshot is as it was."""
    share = instance["share"]
    if share is not None and share["status"] in (states.REVERTING, states.REVERTING_TO_SNAPSHOT):
        return revert.revert_to_snapshot(op, instance["snapshot_id"])
    now = op.clock.now()
    op.finish(snapshot_changes.move(instance["id"], states.RESTORING, states.AVAILABLE, now))
