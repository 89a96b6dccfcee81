# SPDX-License-Identifier: Apache-2.0
"""_check_volume: see whether the images of a volume are as they should be, and mend them.

For the command line (``manila-lite volume check`` and ``repair``), which may run on a machine that
has none of the shares mounted.
"""

from __future__ import annotations

from typing import Any, Final

from manila_lite import exception
from manila_lite.db import volume_snapshots
from manila_lite.db.records import Record
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, online
from manila_lite.volume.flows.casting import LANE, flow

CHECK: Final = "_check_volume"


class CannotCheck(exception.ManilaException):
    message = "The driver of %(host)s cannot check volumes."


@flow(CHECK, lane=LANE, resource=("volume", "volume_id"), internal=True)
def check_volume(op: Operation, volume_id: str, repair: bool = False, dry_run: bool = True) -> None:
    """Ask the driver; its report is the operation's result.

    repair: report what a repair does, and with dry_run = False do it.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None:
        raise exception.VolumeNotFound(volume_id=volume_id)
    if not hasattr(op.env.driver, "repair_volume" if repair else "check_volume"):
        raise CannotCheck(host=op.env.host)
    # Drivers go by the status to tell whether a guest has the volume.
    seen = volume.merged({"status": online.at_rest(volume)})
    op.finish(result=_report(op, seen, repair, dry_run))


def _report(op: Operation, volume: Record, repair: bool, dry_run: bool) -> Any:
    driver, ids = op.env.driver, _snapshot_ids(op, volume["id"])
    if not repair:
        return op.step("check", driver.check_volume, volume, ids, retry=common.DRIVER)
    return op.step(
        "repair",
        driver.repair_volume,
        volume,
        ids,
        dry_run=dry_run,
        probe=common.again,
        retry=common.DRIVER,
    )


def _snapshot_ids(op: Operation, volume_id: str) -> list[str]:
    """In the order in which they were made."""
    found = common.read(
        op, lambda connection: volume_snapshots.list_of_volume(connection, volume_id)
    )
    return [snapshot["id"] for snapshot in found]
