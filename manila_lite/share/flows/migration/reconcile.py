# SPDX-License-Identifier: Apache-2.0
"""Migrations with no operation behind them: taken on, or brought to an end.

They are left by a Manila that was stopped, whose migrations go on here, and by casts that were
lost. One whose first phase is done waits for its user, and is left alone.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import states, task_states
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import casting
from manila_lite.share.flows import common as flows
from manila_lite.share.flows.abandoned import Abandoned, message_id, older
from manila_lite.share.flows.migration import common, complete, ending, phase1

RECONCILE: Final = "_reconcile_migration"
_LEFT_ALONE: Final = task_states.COPYING | {task_states.MIGRATION_DRIVER_PHASE1_DONE}


def candidates(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, operation) for each migration from the host that last changed before then."""
    pages = share_rows.iterate_instances(connection, host, (states.MIGRATING,))
    for row in older(itertools.chain.from_iterable(pages), before):
        if row["task_state"] in _LEFT_ALONE:
            continue
        found = share_rows.list_instances_of_share(connection, row["share_id"])
        there = [one["id"] for one in found if one["status"] == states.MIGRATING_TO]
        yield _candidate(row, there[0] if there else None, before)


def _candidate(
    row: Record, destination_id: str | None, before: datetime.datetime
) -> tuple[str, NewOperation]:
    share_id = row["share_id"]
    if destination_id is not None and _is_in_phase1(row):
        key = message_id(phase1.CONTINUE, row, before)
        lane = common.PHASE1_LANE.format(share_id=share_id)
        return lane, phase1.operation(share_id, row["id"], destination_id, key)
    return (
        casting.lane_of(share_id),
        casting.internal(
            RECONCILE,
            message_id=message_id(RECONCILE, row, before),
            share_instance_id=row["id"],
            task_state=row["task_state"],
        ),
    )


def _is_in_phase1(row: Record) -> bool:
    return bool(row["task_state"] == task_states.MIGRATION_DRIVER_IN_PROGRESS)


def _failed(
    op: Operation, error: BaseException, share_instance_id: str, task_state: str | None
) -> list[Write]:
    """As a migration that fails at its start, or at its completion."""
    source = flows.get_instance(op, share_instance_id)
    if source is None or source["status"] != states.MIGRATING:
        return []
    destination = common.destination_of(op.env, source["share_id"])
    message = ending.told(op, source)
    if destination is None:
        return [*ending.source_freed(op, source, task_states.MIGRATION_ERROR), *message]
    if source["task_state"] == task_states.MIGRATION_COMPLETING:
        return complete.completion_failed(op, error, source["id"], destination["id"])
    migration = common.with_snapshots(op.env, source, destination)
    ending.try_to_undo(op, migration)
    return [*ending.given_up(op, migration, task_states.MIGRATION_ERROR), *message]


@flow(
    RECONCILE,
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    on_failure=_failed,
    internal=True,
)
def reconcile_migration(op: Operation, share_instance_id: str, task_state: str | None) -> None:
    """Complete an abandoned second phase; give up a migration that came no further than a start."""
    if not op.is_done("switch"):
        source = flows.get_instance(op, share_instance_id)
        if (
            source is None
            or source["status"] != states.MIGRATING
            or source["task_state"] not in (task_state, task_states.MIGRATION_COMPLETING)
        ):
            return flows.skip(op, "the migration has moved on")
    destination_id = op.step("look", _destination_id, op, share_instance_id)
    if task_state == task_states.MIGRATION_COMPLETING and destination_id is not None:
        return complete.migration_complete(op, share_instance_id, destination_id)
    raise Abandoned(what=f"The migration of share instance {share_instance_id}", status=task_state)


def _destination_id(op: Operation, share_instance_id: str) -> Any:
    source = flows.get_instance(op, share_instance_id)
    found = None if source is None else common.destination_of(op.env, source["share_id"])
    return None if found is None else found["id"]
