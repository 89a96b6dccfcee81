# SPDX-License-Identifier: Apache-2.0
"""What a callback says, read from the body of its request."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Final

from manila_lite.callback.faults import Fault
from manila_lite.volume_states import CALLBACK_TRANSITIONS, SNAPSHOT_STATUSES

ACTION: Final = "os-update_snapshot_status"
_PERCENTAGE = re.compile(r"(\d{1,3})%", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """Nova's word on a snapshot. progress: such as '90%', or None where Nova did not say."""

    status: str
    progress: str | None


def parse(body: bytes) -> Update:
    """Read a body; raises Fault 400 for one that is no os-update_snapshot_status."""
    values = _action(_json(body))
    unknown = values.keys() - {"status", "progress"}
    if unknown:
        raise Fault(400, f"{ACTION} takes status and progress, and nothing else.")
    return Update(_status(values.get("status")), _progress(values.get("progress")))


def check_transition(current: str, update: Update) -> None:
    """Raise Fault 400 unless Nova may say this of a snapshot that has the status ``current``."""
    accepted = CALLBACK_TRANSITIONS.get(current)
    if accepted is None:
        raise Fault(400, f"Snapshot status {current} not allowed for {ACTION}.")
    if update.status not in accepted:
        raise Fault(
            400,
            f"Provided snapshot status {update.status} not allowed for snapshot with status "
            f"{current}.",
        )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Fault(400, "The body is not JSON.") from None


def _action(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or len(found) != 1:
        raise Fault(400, "The body must be an object with one action.")
    values = found.get(ACTION)
    if values is None:
        raise Fault(400, f"There is no such action here; {ACTION} is the only one.")
    if not isinstance(values, dict):
        raise Fault(400, f"{ACTION} must be an object.")
    return values


def _status(value: Any) -> str:
    if value is None:
        raise Fault(400, "'status' must be specified.")
    if not isinstance(value, str) or value not in SNAPSHOT_STATUSES:
        raise Fault(400, "'status' must be the status of a snapshot.")
    return value


def _progress(value: Any) -> str | None:
    if value is None:
        return None
    found = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) > 100:
        raise Fault(400, "'progress' must be an integer percentage, such as '90%'.")
    return found[0]
