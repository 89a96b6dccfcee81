# SPDX-License-Identifier: Apache-2.0
"""manila-lite-volume: answers signals from its first moment on, then loads the daemon."""

from __future__ import annotations

from collections.abc import Sequence

from manila_lite.cmd import starting


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM (exit code 0). Exit code 1: the configuration or the database is unfit."""
    starting.answer_signals()
    # Loading takes most of the start, and a stop may come in the middle of it.
    from manila_lite.cmd import volume_daemon

    return volume_daemon.main(argv)


if __name__ == "__main__":
    starting.run(main)
