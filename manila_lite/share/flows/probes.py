# SPDX-License-Identifier: Apache-2.0
"""Asking the driver about a share of which nobody knows whether it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite import exception, states
from manila_lite.db.records import Record
from manila_lite.engine import AGAIN, Done, Operation
from manila_lite.engine.outcomes import StepInterrupted
from manila_lite.engine.settings import ERROR
from manila_lite.share.flows.common import is_named

_GONE = ("ShareResourceNotFound", "StorageResourceNotFound")


def share_status(driver: Any, instance: Record) -> Mapping[str, Any] | None:
    """Ask get_share_status, which not every driver has; None when this one has not.

    Raises ShareResourceNotFound (by name) for a share that is not on the storage.
    """
    ask = getattr(driver, "get_share_status", None)
    if ask is None:
        return None
    try:
        answer = ask(instance, share_server=instance["share_server"])
    except NotImplementedError:
        return None
    return answer if isinstance(answer, Mapping) else None


def was_created(op: Operation, instance: Record, step: str = "create") -> Any:
    """The probe of a creation: Done with its result, AGAIN, or StepInterrupted.

    A share that is there with its export locations was made; one that is not there was not.
    Where the driver cannot tell, interrupted_operation_policy decides.
    """
    try:
        found = share_status(op.env.driver, instance)
        if found is not None:
            return _by_status(op, found, step)
        server = instance["share_server"]
        exports = op.env.driver.ensure_share(op.context, instance, share_server=server)
    except NotImplementedError:
        return undecided(op, step)
    except Exception as error:
        if is_named(error, *_GONE):
            return AGAIN
        if exception.classify(error) is exception.ErrorKind.FINAL:
            return undecided(op, step)
        raise
    return Done(exports) if exports else undecided(op, step)


def _by_status(op: Operation, found: Mapping[str, Any], step: str) -> Any:
    status = found.get("status")
    if status == states.AVAILABLE and found.get("export_locations"):
        return Done(found["export_locations"])
    if status == states.CREATING_FROM_SNAPSHOT:
        return Done(dict(found))
    return undecided(op, step)


def undecided(op: Operation, step: str) -> Any:
    """What interrupted_operation_policy says where the driver cannot: AGAIN or StepInterrupted."""
    if op.env.interrupted_operation_policy == ERROR:
        raise StepInterrupted(step=step)
    return AGAIN
