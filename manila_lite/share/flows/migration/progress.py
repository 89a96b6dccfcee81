# SPDX-License-Identifier: Apache-2.0
"""migration_get_progress: how far the first phase is, in percent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite import exception, task_states
from manila_lite.context import RequestContext
from manila_lite.engine.registry import CALL, flow
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows.migration import common, looking


@flow("migration_get_progress", version="1.12", lane="call", kind=CALL)
def migration_get_progress(
    environment: ShareEnvironment,
    context: RequestContext,
    src_instance_id: str,
    dest_instance_id: str,
) -> dict[str, Any]:
    """Return what the driver says, with a total_progress that never goes back and never is 100.

    Raises InvalidShare unless the driver is in the first phase of that migration.
    """
    migration = common.read(environment, src_instance_id, dest_instance_id)
    task_state = None if migration is None else migration.task_state
    if migration is None or task_state != task_states.MIGRATION_DRIVER_IN_PROGRESS:
        raise exception.InvalidShare(
            reason=f"share instance {src_instance_id} is in no first phase of a migration"
        )
    shown = looking.shown_progress(environment, migration.share_id)
    answer = migration.call(environment.driver.migration_get_progress, context)
    known = dict(answer) if isinstance(answer, Mapping) else {}
    known["total_progress"] = common.percent(answer, common.percent_of(shown))
    return known
