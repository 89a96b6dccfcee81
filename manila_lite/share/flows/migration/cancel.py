# SPDX-License-Identifier: Apache-2.0
"""migration_cancel: the driver gives the migration up, and the share stays where it is."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import states, task_states
from manila_lite.db import operation_requests
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.engine.outcomes import Pending, Schedule
from manila_lite.share.flows import common as flows
from manila_lite.share.flows.migration import common, ending, looking, phase1

_CANCELLABLE: Final = (
    task_states.MIGRATION_DRIVER_IN_PROGRESS,
    task_states.MIGRATION_DRIVER_PHASE1_DONE,
)
_SOON: Final = Schedule(((0, 1),))


def cancel_failed(
    op: Operation, error: BaseException, src_instance_id: str, dest_instance_id: str
) -> list[Write]:
    """The migration goes on where it was; its user is told."""
    migration = common.read(op.env, src_instance_id, dest_instance_id)
    if migration is None or migration.task_state not in _CANCELLABLE:
        return []
    if migration.task_state == task_states.MIGRATION_DRIVER_IN_PROGRESS:
        phase1.begin(op, migration)
    return ending.told(op, migration.source)


@flow(
    "migration_cancel",
    version="1.12",
    lane="share:{share_id}",
    resource=("share_instance", "src_instance_id"),
    on_failure=cancel_failed,
)
def migration_cancel(op: Operation, src_instance_id: str, dest_instance_id: str) -> None:
    """Stop the first phase, if it is under way, and have the driver give the migration up.

    Nothing is cancelled any more once the second phase has begun.
    """
    migration = common.read(op.env, src_instance_id, dest_instance_id)
    if migration is None or migration.source["status"] != states.MIGRATING:
        return flows.skip(op, "the migration is over")
    if migration.task_state not in _CANCELLABLE:
        return flows.skip(op, f"the share's task state is {migration.task_state}")
    share_id = migration.share_id
    op.wait("stop", lambda: _stopped(op, share_id), schedule=_SOON)
    migration = common.read(op.env, src_instance_id, dest_instance_id)
    if migration is None or migration.task_state not in _CANCELLABLE:
        # The first phase's operation saw to it, or it came to another end by itself.
        return op.finish()
    op.step(
        "cancel",
        migration.call,
        op.env.driver.migration_cancel,
        op.context,
        probe=lambda: AGAIN,
        retry=flows.DRIVER,
    )
    op.finish(ending.given_up(op, migration, task_states.MIGRATION_CANCELLED))


def _stopped(op: Operation, share_id: str) -> Any:
    """Have the first phase's operation cancelled; whether there is none any more."""

    def work(connection: Connection) -> bool:
        found = looking.open_operations(connection, op.env.host, share_id)
        for row in found:
            operation_requests.request_cancel(connection, row.uuid)
        return not found

    return True if op.env.db.run(work) else Pending()
