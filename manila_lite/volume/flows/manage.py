# SPDX-License-Identifier: Apache-2.0
"""manage_existing and manage_existing_snapshot: what lies on the storage becomes ours."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes, volume_snapshots
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow


def managing_failed(
    op: Operation, error: BaseException, volume_id: str, ref: Mapping[str, Any]
) -> list[Write]:
    """Put the volume into error_managing."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    return [
        *volume_changes.failed(volume, volume_states.MANAGING, op.clock.now()),
        *telling.tell_user(op, volume, telling.ACTION_CREATE),
    ]


@flow(
    "manage_existing",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=managing_failed,
)
def manage_existing(op: Operation, volume_id: str, ref: dict[str, Any]) -> None:
    """Have the driver take what ref means as this volume; its size is what is found."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    _begin(op, volume)
    # In doubt the measured file has its new name: it was measured before.
    volume["size"] = op.step("measure", _measured, op, volume, ref, retry=common.DRIVER)
    update = op.step("manage", op.env.driver.manage_existing, volume, ref, retry=common.DRIVER)
    columns = {"size": volume["size"], **dict(update or {})}
    op.finish(volume_changes.created(volume, columns, op.clock.now()))


def _begin(op: Operation, volume: Record) -> None:
    """A request of before Cinder knew 'managing' comes with a volume in 'creating'."""
    if volume["status"] != volume_states.CREATING:
        common.begin(op, volume, volume_states.MANAGING)


def _measured(op: Operation, volume: Record, ref: Mapping[str, Any]) -> int:
    size = op.env.driver.manage_existing_get_size(volume, ref)
    if int(size) < 1:
        raise exception.ManageExistingInvalidReference(
            existing_ref=dict(ref), reason=f"its size is {size} GiB"
        )
    return int(size)


def managing_snapshot_failed(
    op: Operation, error: BaseException, snapshot_id: str, ref: Mapping[str, Any]
) -> list[Write]:
    """Put the snapshot into error."""
    return volume_snapshots.snapshot_failed(snapshot_id, volume_states.CREATING, op.clock.now())


@flow(
    "manage_existing_snapshot",
    version="3.0",
    lane=LANE,
    resource=("snapshot", "snapshot_id"),
    on_failure=managing_snapshot_failed,
)
def manage_existing_snapshot(op: Operation, snapshot_id: str, ref: dict[str, Any]) -> None:
    """Have the driver take what ref means as this snapshot, where it can."""
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        return common.skip(op, "the snapshot is deleted")
    manage = functools.partial(op.env.driver.manage_existing_snapshot, snapshot, ref)
    update = op.step("manage", manage, retry=common.DRIVER)
    op.finish(volume_snapshots.snapshot_created(snapshot, update, op.clock.now()))
