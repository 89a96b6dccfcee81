# SPDX-License-Identifier: Apache-2.0
"""The first phase of a migration: the driver is asked again and again, and no thread waits."""

from __future__ import annotations

import functools
from typing import Any, Final

from manila_lite import states, task_states
from manila_lite.db import migration_changes
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.outcomes import Pending, Schedule
from manila_lite.share.flows import casting
from manila_lite.share.flows import common as flows
from manila_lite.share.flows.migration import common, ending
from manila_lite.share.flows.migration.common import Migration

CONTINUE: Final = "_continue_migration"


def operation(share_id: str, source_id: str, destination_id: str, message_id: str) -> NewOperation:
    """Return the operation that sees to the first phase."""
    return casting.internal(
        CONTINUE,
        message_id=message_id,
        share_id=share_id,
        src_instance_id=source_id,
        dest_instance_id=destination_id,
    )


def begin(op: Operation, migration: Migration) -> None:
    """Journal it, once for an operation that asks for it."""
    key = casting.message_id(CONTINUE, op.uuid)
    source, destination = migration.source["id"], migration.destination["id"]
    new = operation(migration.share_id, source, destination, key)
    casting.journal_of(op.env).record([new])


def _ended(
    op: Operation, src_instance_id: str, dest_instance_id: str, task_state: str
) -> tuple[Migration | None, list[Write]]:
    migration = common.read(op.env, src_instance_id, dest_instance_id)
    if migration is None or not _is_under_way(migration):
        return None, []
    ending.try_to_undo(op, migration)
    return migration, ending.given_up(op, migration, task_state)


def phase1_failed(
    op: Operation,
    error: BaseException,
    share_id: str,
    src_instance_id: str,
    dest_instance_id: str,
) -> list[Write]:
    """Leave the share as it was, with migration_error, and no destination."""
    state = task_states.MIGRATION_ERROR
    migration, writes = _ended(op, src_instance_id, dest_instance_id, state)
    return writes if migration is None else [*writes, *ending.told(op, migration.source)]


def phase1_cancelled(
    op: Operation,
    error: BaseException,
    share_id: str,
    src_instance_id: str,
    dest_instance_id: str,
) -> list[Write]:
    """The driver gives the migration up; what it cannot is left to whoever asked for it.

    Raises what the driver raises: then the migration goes on.
    """
    migration = common.read(op.env, src_instance_id, dest_instance_id)
    if migration is None or not _is_under_way(migration):
        return []
    migration.call(op.env.driver.migration_cancel, op.context)
    return ending.given_up(op, migration, task_states.MIGRATION_CANCELLED)


@flow(
    CONTINUE,
    lane=common.PHASE1_LANE,
    resource=("share", "share_id"),
    on_failure=phase1_failed,
    on_cancel=phase1_cancelled,
    internal=True,
)
def continue_migration(
    op: Operation, share_id: str, src_instance_id: str, dest_instance_id: str
) -> None:
    """Ask the driver to go on until the first phase is done."""
    interval = float(op.env.conf.migration_driver_continue_update_interval)
    answer = op.wait(
        "phase 1",
        functools.partial(_ask, op, src_instance_id, dest_instance_id),
        schedule=Schedule(((0, interval),)),
    )
    if not answer["done"]:
        return flows.skip(op, "the migration has come to an end")
    old, new = task_states.MIGRATION_DRIVER_IN_PROGRESS, task_states.MIGRATION_DRIVER_PHASE1_DONE
    op.finish(migration_changes.task_after(share_id, old, new, op.clock.now()))


def _is_under_way(migration: Migration) -> bool:
    return (
        migration.source["status"] == states.MIGRATING
        and migration.task_state == task_states.MIGRATION_DRIVER_IN_PROGRESS
    )


def _ask(op: Operation, source_id: str, destination_id: str) -> Any:
    migration = common.read(op.env, source_id, destination_id)
    if migration is None or not _is_under_way(migration):
        return {"done": False}
    if migration.call(op.env.driver.migration_continue, op.context):
        return {"done": True}
    return Pending(_progress(op, migration))


def _progress(op: Operation, migration: Migration) -> str | None:
    """How far it is, as the driver says; what it does not know is not shown."""
    before = common.percent_of(op.shown_progress)
    try:
        answer = migration.call(op.env.driver.migration_get_progress, op.context)
    except Exception:
        # Of any class: the migration itself goes on.
        return None
    return f"{common.percent(answer, before)}%"
