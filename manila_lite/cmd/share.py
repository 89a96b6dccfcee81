# SPDX-License-Identifier: Apache-2.0
"""manila-lite-share: answers signals from its first moment on, then loads the daemon."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType


def _end_at_once(number: int, frame: FrameType | None) -> None:
    # Nothing has begun yet, so there is nothing to bring to an end.
    os._exit(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM (exit code 0). Exit code 1: the configuration or the database is unfit."""
    signal.signal(signal.SIGTERM, _end_at_once)
    # The configuration is about to be read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Loading takes most of the start, and a stop may come in the middle of it.
    from manila_lite.cmd import share_daemon

    return share_daemon.main(argv)


if __name__ == "__main__":
    # The daemon's threads must not keep a process that was told to end.
    code = main()
    sys.stdout.flush()
    os._exit(code)
