# SPDX-License-Identifier: Apache-2.0
"""Rows in a transitional status with no operation behind them: found, and brought to an end.

They are left by a service that was killed before this one took over, by casts that were lost, and
by operations whose last write was refused. What is in the hands of others (Nova, a backup) is left
alone, and so are migrations.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception, volume_states
from manila_lite.conf import engine as engine_conf
from manila_lite.db import operations, volume_changes, volume_snapshots
from manila_lite.db import volumes as volume_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.volume.environment import VolumeEnvironment
from manila_lite.volume.flows import casting, common, delete, online, snapshots, telling
from manila_lite.volume.flows.casting import LANE, flow

LOG = log.getLogger(__name__)

RECONCILE_VOLUME: Final = "_reconcile_volume"
RECONCILE_SNAPSHOT: Final = "_reconcile_volume_snapshot"
_PAGE: Final = 500

VOLUME_STATUSES: Final = tuple(
    sorted((volume_states.UNDERWAY & volume_states.VOLUME_STATUSES) - volume_states.OTHERS_WORK)
)
SNAPSHOT_STATUSES: Final = (
    volume_states.CREATING,
    volume_states.DELETING,
    volume_states.RESTORING,
)


class Abandoned(exception.ManilaException):
    message = (
        "%(what)s was found in '%(status)s' with no operation behind it, and it cannot be told "
        "how far it came."
    )


# -- finding -----------------------------------------------------------------------------------


def reconcile(environment: VolumeEnvironment, journal: Journal) -> int:
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
    candidates = [*_volumes(connection, host, before), *_snapshots(connection, host, before)]
    lanes = {lane for of_row, _ in candidates for lane in of_row}
    busy = operations.open_lanes(connection, host, lanes) if lanes else set()
    return [operation for of_row, operation in candidates if not busy.intersection(of_row)]


def _volumes(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[Sequence[str], NewOperation]]:
    after: str | None = ""
    while after is not None:
        page = volume_rows.list_of_host(connection, host, after, _PAGE, VOLUME_STATUSES)
        for row in page:
            if _is_old(row, before) and row["migration_status"] in volume_states.MIGRATION_OVER:
                operation = _operation(RECONCILE_VOLUME, row, before, volume_id=row["id"])
                yield _lanes(connection, row), operation
        after = page[-1]["id"] if len(page) == _PAGE else None


def _snapshots(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[Sequence[str], NewOperation]]:
    after: str | None = ""
    while after is not None:
        ids = volume_snapshots.ids_of_host(connection, host, SNAPSHOT_STATUSES, after, _PAGE)
        for row in volume_snapshots.get_snapshots(connection, ids).values():
            if _is_old(row, before):
                operation = _operation(RECONCILE_SNAPSHOT, row, before, snapshot_id=row["id"])
                yield [casting.lane_of(row["volume_id"])], operation
        after = ids[-1] if len(ids) == _PAGE else None


def _lanes(connection: Connection, volume: Record) -> list[str]:
    """The volume's own lane, and that of what it is made of: its creation waits, or runs, there."""
    found = [volume["id"], volume["source_volid"]]
    if volume["snapshot_id"] is not None:
        snapshots = [volume["snapshot_id"]]
        found += volume_rows.volume_ids_of_snapshots(connection, snapshots).values()
    return [casting.lane_of(volume_id) for volume_id in found if volume_id is not None]


def _is_old(row: Record, before: datetime.datetime) -> bool:
    changed = row["updated_at"] or row["created_at"]
    return changed is None or changed <= before


def _operation(
    method: str, row: Record, moment: datetime.datetime, **arguments: Any
) -> NewOperation:
    # Within an hour once; again after it, where the end of the first time could not be recorded.
    hour = moment.strftime("%Y-%m-%d %H")
    message_id = casting.message_id(method, row["id"], row["status"], row["updated_at"], hour)
    return casting.internal(method, message_id=message_id, status=row["status"], **arguments)


# -- bringing to an end ------------------------------------------------------------------------

_ACTIONS: Final = {
    volume_states.EXTENDING: telling.ACTION_EXTEND,
    volume_states.UPLOADING: telling.ACTION_COPY_TO_IMAGE,
    volume_states.DOWNLOADING: telling.ACTION_COPY_FROM_IMAGE,
    volume_states.UNMANAGING: telling.ACTION_UNMANAGE,
}


def _volume_failed(op: Operation, error: BaseException, volume_id: str, status: str) -> list[Write]:
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    return [
        *volume_changes.failed(volume, status, op.clock.now()),
        *telling.tell_user(op, volume, _ACTIONS.get(status, telling.ACTION_CREATE)),
    ]


@flow(
    RECONCILE_VOLUME,
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=_volume_failed,
    internal=True,
)
def reconcile_volume(op: Operation, volume_id: str, status: str) -> None:
    """Bring an abandoned volume to an end.

    A deletion is carried out again, for that is what was asked for. Of a creation whatever is
    there is removed. An upload, or another type, did the volume no harm. Of the rest nobody can
    tell.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None or volume["status"] != status:
        return common.skip(op, "the volume has moved on")
    if status == volume_states.DELETING:
        return delete.delete_volume(op, volume_id)
    if status in (volume_states.UPLOADING, volume_states.RETYPING):
        return op.finish(volume_changes.rested(volume, op.clock.now()))
    if status in (volume_states.CREATING, volume_states.DOWNLOADING):
        _clear_away(op, volume)
    raise Abandoned(what=f"Volume {volume_id}", status=status)


def _clear_away(op: Operation, volume: Record) -> None:
    if volume["provider_location"] is None:
        op.step("clear away", common.discard, op, volume, retry=common.DRIVER)


def _snapshot_failed(
    op: Operation, error: BaseException, snapshot_id: str, status: str
) -> list[Write]:
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return []
    action = telling.ACTION_SNAPSHOT_CREATE
    if status == volume_states.DELETING:
        action = telling.ACTION_SNAPSHOT_DELETE
    return [
        *volume_snapshots.snapshot_failed(snapshot_id, status, op.clock.now()),
        *telling.tell_user(op, snapshot, action),
    ]


@flow(
    RECONCILE_SNAPSHOT,
    lane=LANE,
    resource=("snapshot", "snapshot_id"),
    on_failure=_snapshot_failed,
    internal=True,
)
def reconcile_snapshot(op: Operation, snapshot_id: str, status: str) -> None:
    """Bring an abandoned snapshot to an end.

    A deletion is carried out again. One that is held for a volume's sake is let go. Of a creation
    on a volume that a guest has, the images tell what became of it; without a guest it fails.
    """
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None or snapshot["status"] != status:
        return common.skip(op, "the snapshot has moved on")
    if status == volume_states.DELETING:
        return snapshots.delete_snapshot(op, snapshot_id)
    if status == volume_states.RESTORING:
        return _let_go(op, snapshot)
    if online.was_switched(op, snapshot):
        common.phase(op, "complete", op.env.driver.complete_online_snapshot, snapshot)
        return op.finish(volume_snapshots.snapshot_created(snapshot, None, op.clock.now()))
    raise Abandoned(what=f"Snapshot {snapshot_id}", status=status)


def _let_go(op: Operation, snapshot: Record) -> None:
    old, new = volume_states.RESTORING, volume_states.AVAILABLE
    op.finish(volume_snapshots.move_snapshot(snapshot["id"], old, new, op.clock.now()))
