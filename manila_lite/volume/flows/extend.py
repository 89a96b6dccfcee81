# SPDX-License-Identifier: Apache-2.0
"""extend_volume."""

from __future__ import annotations

from manila_lite import volume_states
from manila_lite.db import volume_changes
from manila_lite.db import volumes as volume_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow


def extension_failed(
    op: Operation,
    error: BaseException,
    volume_id: str,
    new_size: int,
    reservations: list[str] | None = None,
) -> list[Write]:
    """Put the volume into error_extending."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    return [
        *volume_changes.failed(volume, volume_states.EXTENDING, op.clock.now()),
        *telling.tell_user(op, volume, telling.ACTION_EXTEND, telling.DETAIL_DRIVER_FAILED_EXTEND),
    ]


@flow(
    "extend_volume",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=extension_failed,
)
def extend_volume(
    op: Operation, volume_id: str, new_size: int, reservations: list[str] | None = None
) -> None:
    """Have the driver grow the volume to new_size GiB.

    reservations: of Cinder's quotas, which its own service would settle. They expire.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    if not _is_due(volume):
        return common.skip(op, f"the volume is {volume['status']}")
    common.begin(op, volume, volume_states.EXTENDING)
    if int(new_size) <= volume["size"]:
        return _keep_size(op, volume)
    op.step(
        "extend",
        op.env.driver.extend_volume,
        # The driver goes by the status to tell whether a guest has the volume.
        volume.merged({"status": volume_rows.resting_status(volume)}),
        int(new_size),
        retry=common.DRIVER,
    )
    op.finish(volume_changes.extended(volume, int(new_size), op.clock.now()))


def _is_due(volume: Record) -> bool:
    status, own = volume["status"], volume_states.EXTENDING
    return status == own or own in volume_states.VOLUME_TRANSITIONS.get(status, ())


def _keep_size(op: Operation, volume: Record) -> None:
    """End an operation that finds the size where it was to bring it."""
    at_rest = volume_changes.rested(volume, op.clock.now())
    common.skip(op, f"the volume has {volume['size']} GiB", at_rest)
