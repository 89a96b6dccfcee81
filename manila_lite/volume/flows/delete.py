# SPDX-License-Identifier: Apache-2.0
"""delete_volume: remove a volume from the storage and from the rows, or hand it back."""

from __future__ import annotations

from typing import Any, Final

from oslo_log import log

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes, volume_snapshots
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow

LOG = log.getLogger(__name__)

_BUSY: Final = "VolumeIsBusy"
_OWN: Final = (
    volume_states.DELETING,
    volume_states.ERROR_MANAGING_DELETING,
    volume_states.UNMANAGING,
)


def deletion_failed(
    op: Operation,
    error: BaseException,
    volume_id: str,
    unmanage_only: bool = False,
    cascade: bool = False,
) -> list[Write]:
    """Put the volume into error_deleting or error_unmanaging; one that is busy is available."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    old = common.own_status(volume, *_OWN)
    new = volume_states.VOLUME_ERROR_STATUS[old]
    if common.is_named(error, _BUSY) and old == volume_states.DELETING:
        new = volume_states.AVAILABLE
    told = telling.tell_user(op, volume, telling.ACTION_UNMANAGE) if unmanage_only else []
    return [*volume_changes.move(volume_id, old, new, op.clock.now()), *told]


@flow(
    "delete_volume",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=deletion_failed,
)
def delete_volume(
    op: Operation, volume_id: str, unmanage_only: bool = False, cascade: bool = False
) -> None:
    """Have the driver remove the volume; the rows go with it.

    unmanage_only: the data stay, and are nobody's any more. cascade: with its snapshots.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is already deleted")
    _refuse_what_cannot_be(op, volume, unmanage_only, cascade)
    if volume["status"] not in _OWN:
        common.begin(op, volume, volume_states.DELETING)
    op.step(
        "remove export",
        common.forget_unless_gone,
        op.env.driver.remove_export,
        op.context,
        volume,
        retry=common.DRIVER,
    )
    if unmanage_only:
        op.step("unmanage", op.env.driver.unmanage, volume, retry=common.DRIVER)
    else:
        _remove(op, volume, cascade)
    op.finish(volume_changes.deleted(volume, op.clock.now()))


def _refuse_what_cannot_be(
    op: Operation, volume: Record, unmanage_only: bool, cascade: bool
) -> None:
    """Raise where the deletion would take away what somebody else has."""
    if volume["attach_status"] == volume_states.ATTACH_ATTACHED:
        raise exception.InvalidVolume(reason=f"volume {volume['id']} is attached")
    if not common.is_here(op, volume):
        raise exception.InvalidVolume(reason=f"it is on {volume['host']}, not on {op.env.host}")
    if unmanage_only and cascade:
        raise exception.InvalidInput(reason="unmanage_only and cascade exclude each other")
    if unmanage_only and volume["encryption_key_id"] is not None:
        raise exception.InvalidVolume(reason="encrypted volumes cannot be unmanaged")
    left = [] if cascade else _snapshots(op, volume)
    if left:
        # The seed's driver would remove the file that holds their data.
        raise exception.InvalidVolume(reason=f"volume {volume['id']} has {len(left)} snapshots")


def _snapshots(op: Operation, volume: Record) -> list[Record]:
    def work(connection: Any) -> list[Record]:
        return volume_snapshots.list_of_volume(
            connection, volume["id"], op.env.snapshot_name_template
        )

    return common.read(op, work)


def _remove(op: Operation, volume: Record, cascade: bool) -> None:
    if cascade:
        for snapshot in reversed(_snapshots(op, volume)):
            _remove_snapshot(op, volume, snapshot)
    if volume["provider_location"] is None and op.step(
        "clear away", common.discard, op, volume, retry=common.DRIVER
    ):
        # It never got as far as being somewhere.
        return
    op.step(
        "delete",
        common.forget_unless_gone,
        op.env.driver.delete_volume,
        volume,
        retry=common.DRIVER,
    )


def _remove_snapshot(op: Operation, volume: Record, snapshot: Record) -> None:
    """Remove one snapshot, the newest first: what is merged is least then."""
    if snapshot["status"] != volume_states.DELETING:
        raise exception.InvalidSnapshot(
            reason=f"{snapshot['id']} is {snapshot['status']}; it was to be deleted with its volume"
        )
    snapshot["volume"] = volume
    snapshot["_context"] = snapshot["context"] = op.context
    op.step(
        f"delete snapshot {snapshot['id']}",
        common.forget_unless_gone,
        op.env.driver.delete_snapshot,
        snapshot,
        retry=common.DRIVER,
    )
    op.record(
        f"deleted snapshot {snapshot['id']}",
        volume_snapshots.snapshot_deleted(snapshot, op.clock.now()),
    )
