# SPDX-License-Identifier: Apache-2.0
"""migrate_volume: to another pool of the same back end, as far as the driver can.

There is no generic migration here: one that copies through this service to any back end there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow

# What an API may have put the volume into meanwhile, so that nobody touches it.
_HELD = (volume_states.MAINTENANCE, volume_states.RETYPING)


def migration_failed(
    op: Operation, error: BaseException, volume_id: str, **rest: Any
) -> list[Write]:
    """The volume is where it was, and as good as it was; its migration_status says error."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    return [
        *_ended(op, volume, migration_status=volume_states.MIGRATION_ERROR),
        *telling.tell_user(op, volume, telling.ACTION_CREATE),
    ]


def _ended(op: Operation, volume: Record, **columns: Any) -> list[Write]:
    now = op.clock.now()
    if volume["status"] in _HELD:
        return volume_changes.rested(volume, now, **columns)
    return volume_changes.move(volume["id"], volume["status"], volume["status"], now, **columns)


@flow(
    "migrate_volume",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=migration_failed,
)
def migrate_volume(
    op: Operation,
    volume_id: str,
    host: dict[str, Any],
    force_host_copy: bool = False,
    new_type_id: str | None = None,
    extend_spec: dict[str, Any] | None = None,
) -> None:
    """Have the driver move the volume to host['host'], a pool of this back end."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    target = _checked_target(host)
    if target == volume["host"]:
        ended = _ended(op, volume, migration_status=volume_states.MIGRATION_SUCCESS)
        return common.skip(op, f"the volume is on {target}", ended)
    if force_host_copy or new_type_id is not None:
        raise exception.VolumeMigrationFailed(reason="only the driver's own way is served here")
    op.record("begin", _shown(op, volume, volume_states.MIGRATION_MIGRATING))
    moved, update = op.step(
        "migrate", op.env.driver.migrate_volume, op.context, volume, host, retry=common.DRIVER
    )
    if not moved:
        raise exception.VolumeMigrationFailed(
            reason=f"the driver cannot move a volume that is {volume['status']} to {target}"
        )
    columns = volume_changes.model_columns(update)
    columns |= {"host": target, "migration_status": volume_states.MIGRATION_SUCCESS}
    op.finish(_ended(op, volume, **columns))


def _checked_target(host: Mapping[str, Any]) -> str:
    target = host.get("host")
    if not isinstance(target, str) or not target:
        raise exception.InvalidHost(reason="the request names none")
    return target


def _shown(op: Operation, volume: Record, migration_status: str) -> list[Write]:
    status = volume["status"]
    return volume_changes.move(
        volume["id"], status, status, op.clock.now(), migration_status=migration_status
    )
