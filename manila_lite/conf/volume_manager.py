# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT] of the volume service: its queues, and how long Nova is waited for."""

from __future__ import annotations

from oslo_config import cfg

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "volume_topic",
        default="cinder-volume",
        help="Topic of the volume services. Cinder knows no other name.",
    ),
    cfg.StrOpt(
        "volume_scheduler_topic",
        default="cinder-scheduler",
        help="Topic of the schedulers that are told what volume back ends can do.",
    ),
    cfg.IntOpt(
        "nova_snapshot_create_timeout",
        default=600,
        min=1,
        help="Seconds that Nova may take for the snapshot of an attached volume. After that the "
        "images on the storage tell whether the guest was switched.",
    ),
    cfg.IntOpt(
        "nova_snapshot_delete_timeout",
        default=7200,
        min=1,
        help="Seconds that Nova may take to merge a snapshot of an attached volume. After that "
        "the images on the storage tell whether it was merged.",
    ),
    cfg.IntOpt(
        "connection_wait",
        default=30,
        min=0,
        help="Seconds that a request to connect a volume waits for a snapshot, or whatever else "
        "is under way on that volume; then it is refused. The file that a guest is given must not "
        "change under it.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable on ``conf``."""
    conf.register_opts(OPTS)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS)]
