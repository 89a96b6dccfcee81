# SPDX-License-Identifier: Apache-2.0
"""The daemon of volumes. Started by cmd/volume.py."""

from __future__ import annotations

from collections.abc import Sequence

from manila_lite.cmd.daemon import Daemon
from manila_lite.conf import check_volumes, opts
from manila_lite.volume_service import VolumeService

DAEMON = Daemon(
    "manila-lite-volume",
    opts.volume_backend_names,
    check_volumes.check_volume_service,
    VolumeService,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM (exit code 0). Exit code 1: the configuration or the database is unfit."""
    return DAEMON.run(argv)
