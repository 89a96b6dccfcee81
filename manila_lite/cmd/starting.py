# SPDX-License-Identifier: Apache-2.0
"""The first moments of a daemon: it answers signals while the rest is still being loaded."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


def _end_at_once(number: int, frame: FrameType | None) -> None:
    # Nothing has begun yet, so there is nothing to bring to an end.
    os._exit(0)


def answer_signals() -> None:
    """Have SIGTERM end the process (exit code 0), and SIGHUP do nothing, from now on."""
    signal.signal(signal.SIGTERM, _end_at_once)
    # The configuration is about to be read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def run(main: Callable[[], int]) -> None:
    """Run a daemon as the main program, and end with its exit code."""
    code = main()
    sys.stdout.flush()
    # The daemon's threads must not keep a process that was told to end.
    os._exit(code)
