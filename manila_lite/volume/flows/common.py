# SPDX-License-Identifier: Apache-2.0
"""What all volume flows do: read a row, begin, and undo what was left half done."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from oslo_log import log

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes
from manila_lite.db.records import Record
from manila_lite.engine import AGAIN, Operation
from manila_lite.engine.common import DRIVER as DRIVER
from manila_lite.engine.common import is_named as is_named
from manila_lite.engine.common import own_status as own_status
from manila_lite.engine.common import read as read
from manila_lite.engine.common import skip as skip
from manila_lite.engine.outcomes import StepInterrupted
from manila_lite.engine.settings import ERROR

LOG = log.getLogger(__name__)

#: What drivers raise of a volume or a snapshot that their storage does not have.
GONE: Final = ("VolumeNotFound", "SnapshotNotFound", "VolumeNotFoundOnBackend")


def get_volume(op: Operation, volume_id: str) -> Record | None:
    """Return a volume with metadata, type and attachments, or None."""
    found: Record | None = op.env.volumes.get(volume_id)
    return found


def get_snapshot(op: Operation, snapshot_id: str) -> Record | None:
    """Return a snapshot with its complete volume, as drivers want it; None when it is gone."""
    found: Record | None = op.env.snapshot(snapshot_id)
    if found is not None:
        # The seed's drivers ask Nova in the name of the request.
        found["_context"] = found["context"] = op.context
    return found


def is_here(op: Operation, volume: Mapping[str, Any]) -> bool:
    """Whether the volume belongs to this back end."""
    return (volume["host"] or "").partition("#")[0] == op.env.host


def begin(op: Operation, volume: Record, own: str) -> None:
    """Show what is going on, where the API has not: a retry, or a status forced in between.

    Raises InvalidVolume where the volume's status does not lead to ``own``.
    """
    status = volume["status"]
    if status == own:
        return
    if own not in volume_states.VOLUME_TRANSITIONS.get(status, ()):
        raise exception.InvalidVolume(reason=f"it is {status}, which does not lead to {own}")
    now = op.clock.now()
    op.record(
        f"begin {own}", volume_changes.move(volume["id"], status, own, now, previous_status=status)
    )
    volume["status"] = own


def forget_unless_gone(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str | None:
    """Call a driver's deletion; what is not on the storage is deleted."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        if not is_named(error, *GONE):
            raise
        return "it was already gone"
    return None


def discarding(op: Operation, volume: Record) -> Callable[[], Any]:
    """The probe of a creation: whatever came of it is removed, and it is done again.

    Where the driver cannot remove it, interrupted_operation_policy decides.
    """
    return functools.partial(_discard, op, volume)


def _discard(op: Operation, volume: Record) -> Any:
    if not discard(op, volume) and op.env.interrupted_operation_policy == ERROR:
        raise StepInterrupted(step="create")
    return AGAIN


def discard(op: Operation, volume: Record) -> bool:
    """Remove what an unfinished creation left of a new volume; False: the driver cannot."""
    remove = getattr(op.env.driver, "discard_unfinished_volume", None)
    if remove is None:
        return False
    remove(volume)
    return True


def phase(op: Operation, name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Run a step of a driver's that may be repeated whenever it was interrupted."""
    return op.step(name, function, *args, probe=again, retry=DRIVER)


def again() -> Any:
    """The probe of what may be repeated without harm."""
    return AGAIN
