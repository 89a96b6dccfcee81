# SPDX-License-Identifier: Apache-2.0
"""Named places at which a test can have the process killed.

A crash point costs one comparison when none is armed. Armed by the environment, it sends the
process SIGKILL, which is what a power cut looks like from inside: no handler, no flush.
"""

from __future__ import annotations

import os
import signal
import threading

VARIABLE = "MANILA_LITE_CRASH_AT"

# Every name that the code passes to reach(), in the order in which a cast meets them.
NAMES = (
    "journal.before_commit",
    "journal.after_commit",
    "acknowledge.before",
    "acknowledge.after",
    "claim.before_commit",
    "claim.after_commit",
    "intent.before_commit",
    "intent.after_commit",
    "effect.before",
    "effect.after",
    "wait.before_commit",
    "wait.after_commit",
    "finish.before_commit",
    "finish.after_commit",
)

_lock = threading.Lock()


def _parse(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    name, _, count = text.partition(":")
    if name not in NAMES:
        raise ValueError(f"{VARIABLE} names no crash point: {name!r}")
    return name, int(count or 1)


_armed = _parse(os.environ.get(VARIABLE))


def reach(name: str) -> None:
    """Kill the process when `name` is armed and this is the pass that was asked for."""
    global _armed
    if _armed is None or _armed[0] != name:
        return
    with _lock:
        left = _armed[1] - 1
        _armed = (name, left)
    if left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
