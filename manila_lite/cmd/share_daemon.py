# SPDX-License-Identifier: Apache-2.0
"""The daemon of shares. Started by cmd/share.py."""

from __future__ import annotations

from collections.abc import Sequence

from manila_lite.cmd.daemon import Daemon
from manila_lite.conf import check, opts
from manila_lite.service import ShareService

DAEMON = Daemon("manila-lite-share", opts.backend_names, check.check, ShareService)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM (exit code 0). Exit code 1: the configuration or the database is unfit."""
    return DAEMON.run(argv)
