# SPDX-License-Identifier: Apache-2.0
"""What an HTTP answer of Nova means for the one who asked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from manila_lite import exception

_MOST_TEXT = 500

#: Nova turned the request away before it looked at it; later it may not.
_TURNED_AWAY: Final = frozenset({408, 425, 429})
_NOT_LET_IN: Final = frozenset({401, 403, 407})
_NOT_THERE: Final = frozenset({404, 405, 406})


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is read of an answer: headers by lower-case name."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def raise_for(answer: Answer) -> None:
    """Raise what an answer means that is not a success.

    A 503 without Retry-After may come from a proxy whose server took the request and died: only
    with it somebody has said that nothing was begun.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    reason = f"HTTP {status}: {explanation(answer.text)}"
    if status in _TURNED_AWAY or (status == 503 and "retry-after" in answer.headers):
        raise _with_pause(exception.NovaUnavailable(reason=reason), answer)
    if status in _NOT_LET_IN:
        raise exception.NovaMisconfigured(
            reason=f"{reason}. The user of this section needs the role 'service' or 'admin'"
        )
    if 300 <= status < 400 or (status in _NOT_THERE and not _is_novas(answer.text)):
        raise exception.NovaMisconfigured(reason=f"{reason}. Is that the end point of Nova?")
    if 400 <= status < 500:
        raise exception.NovaRefused(reason=explanation(answer.text))
    raise exception.NovaOutcomeUnknown(reason=reason)


def explanation(text: str) -> str:
    """Nova's own words out of a body, of bounded length and in one line."""
    for fault in _members(text).values():
        if isinstance(fault, Mapping) and fault.get("message"):
            return " ".join(str(fault["message"]).split())[:_MOST_TEXT]
    return "without an explanation that could be read"


def _is_novas(text: str) -> bool:
    """Whether Nova itself has spoken, rather than something that does not know the URL."""
    return any(
        isinstance(fault, Mapping) and "message" in fault for fault in _members(text).values()
    )


def member(text: str, name: str) -> dict[str, Any]:
    """The object of that name in a JSON body; an empty one where there is none."""
    found = _members(text).get(name)
    return found if isinstance(found, dict) else {}


def _members(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _with_pause(error: exception.NovaUnavailable, answer: Answer) -> exception.NovaUnavailable:
    value = answer.headers.get("retry-after", "")
    # The other form that HTTP allows, a date, is as good as none here.
    error.detail_data["retry_after"] = float(value) if value.isdecimal() else 0.0
    return error


def retry_after(error: BaseException | None) -> float:
    """The seconds that Nova asked to wait; 0 where it did not say."""
    if not isinstance(error, exception.NovaUnavailable):
        return 0.0
    return float(error.detail_data.get("retry_after", 0.0))
