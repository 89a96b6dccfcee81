# SPDX-License-Identifier: Apache-2.0
"""extend_share and shrink_share."""

from __future__ import annotations

import datetime
from typing import Any, Final

from manila_lite import exception, states
from manila_lite.db import messages, quotas, share_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common

#: Where a share stands that was not shrunk because its data would not fit.
SHRINK_REFUSED_STATUS: Final = states.SHRINKING_POSSIBLE_DATA_LOSS_ERROR


def extension_failed(
    op: Operation,
    error: BaseException,
    share_id: str,
    new_size: int,
    reservations: list[str] | None = None,
) -> list[Write]:
    """Put the share into extending_error and give back what was reserved."""
    now = op.clock.now()
    instance = common.get_instance_of_share(op, share_id)
    released = quotas.roll_back(reservations, now)
    if instance is None:
        return released
    return [
        *share_changes.move(instance["id"], states.EXTENDING, states.EXTENDING_ERROR, now),
        *released,
        *common.tell_user(
            op,
            instance,
            messages.ACTION_EXTEND,
            now,
            detail=messages.DETAIL_DRIVER_FAILED_EXTEND,
        ),
    ]


@flow(
    "extend_share",
    version="1.2",
    lane="share:{share_id}",
    resource=("share", "share_id"),
    first_step="extend",
    on_failure=extension_failed,
)
def extend_share(
    op: Operation, share_id: str, new_size: int, reservations: list[str] | None = None
) -> None:
    """Have the driver grow the share to new_size GiB; turn the reservations into usage."""
    instance = common.get_instance_of_share(op, share_id)
    reason = _reason_to_skip(instance, states.EXTENDING)
    if instance is None or reason is not None:
        return common.skip(op, reason or "", quotas.roll_back(reservations, op.clock.now()))
    if int(new_size) <= instance["size"]:
        return _keep_size(op, instance, quotas.roll_back(reservations, op.clock.now()))
    _begin(op, instance, states.EXTENDING)
    op.step(
        "extend",
        op.env.driver.extend_share,
        instance,
        int(new_size),
        share_server=common.share_server(op, instance),
        retry=common.DRIVER,
    )
    now = op.clock.now()
    op.finish(
        share_changes.resized(instance, new_size, now),
        settled(op, instance, int(new_size), reservations, now),
    )


def settled(
    op: Operation,
    instance: Record,
    new_size: int,
    reservations: list[str] | None,
    now: datetime.datetime,
) -> list[Write]:
    """Count a new size: by the reservations, or directly where those are gone.

    They are gone after a failure that gave them back and an operator's retry, or when they
    expired; the command line makes none.
    """
    live = common.read(op, lambda connection: quotas.live_reservations(connection, reservations))
    if live:
        return quotas.commit(live, now)
    return [] if new_size == instance["size"] else _counted(instance, new_size, now)


def _counted(instance: Record, new_size: int, now: datetime.datetime) -> list[Write]:
    deltas = {quotas.GIGABYTES: new_size - int(instance["size"])}
    return quotas.change(instance, instance["share_type_id"], deltas, now)


def shrinking_failed(
    op: Operation, error: BaseException, share_id: str, new_size: int
) -> list[Write]:
    """Put the share into shrinking_error, or, when its data are in the way, say so."""
    instance = common.get_instance_of_share(op, share_id)
    if instance is None:
        return []
    refused = common.is_named(error, "ShareShrinkingPossibleDataLoss")
    new = SHRINK_REFUSED_STATUS if refused else states.SHRINKING_ERROR
    detail = (
        messages.DETAIL_DRIVER_REFUSED_SHRINK if refused else messages.DETAIL_DRIVER_FAILED_SHRINK
    )
    now = op.clock.now()
    return [
        *share_changes.move(instance["id"], states.SHRINKING, new, now),
        *common.tell_user(op, instance, messages.ACTION_SHRINK, now, detail=detail),
    ]


@flow(
    "shrink_share",
    version="1.3",
    lane="share:{share_id}",
    resource=("share", "share_id"),
    first_step="shrink",
    on_failure=shrinking_failed,
)
def shrink_share(op: Operation, share_id: str, new_size: int) -> None:
    """Have the driver shrink the share to new_size GiB; free what that gives."""
    instance = common.get_instance_of_share(op, share_id)
    reason = _reason_to_skip(instance, states.SHRINKING)
    if instance is None or reason is not None:
        return common.skip(op, reason or "")
    if int(new_size) >= instance["size"]:
        return _keep_size(op, instance)
    if int(new_size) <= 0:
        raise exception.InvalidInput(reason=f"a share cannot have {new_size} GiB")
    _begin(op, instance, states.SHRINKING)
    op.step(
        "shrink",
        op.env.driver.shrink_share,
        instance,
        int(new_size),
        share_server=common.share_server(op, instance),
        retry=common.DRIVER,
    )
    now = op.clock.now()
    op.finish(
        share_changes.resized(instance, new_size, now), _counted(instance, int(new_size), now)
    )


def _reason_to_skip(instance: Record | None, own: str) -> str | None:
    if instance is None:
        return "the share is deleted"
    status = instance["status"]
    if status == own or own in states.SHARE_TRANSITIONS.get(status, ()):
        return None
    return f"the share is {status}"


def _begin(op: Operation, instance: Record, own: str) -> None:
    """Show what is going on, where the API has not: a retry, or a status forced in between."""
    if instance["status"] != own:
        now = op.clock.now()
        op.record("begin", share_changes.move(instance["id"], instance["status"], own, now))
        instance["status"] = own


def _keep_size(op: Operation, instance: Record, *writes: Any) -> None:
    """End an operation that finds the size where it was to bring it."""
    now = op.clock.now()
    available = share_changes.move(instance["id"], instance["status"], states.AVAILABLE, now)
    common.skip(op, f"the share has {instance['size']} GiB", available, *writes)
