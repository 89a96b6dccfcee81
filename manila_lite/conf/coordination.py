# SPDX-License-Identifier: Apache-2.0
"""[coordination]: locks between the processes and hosts that work on the same volumes."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "coordination"

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "backend_url",
        secret=True,
        help="Where hosts that serve the same volumes lock them against each other, as a URL of "
        "tooz: redis://host:6379, etcd3+http://host:2379, file:///shared/directory. Unset: "
        "processes of one host lock each other out through a file under state_path, and only "
        "one host may serve a back end.",
    ),
    cfg.FloatOpt(
        "lock_timeout",
        default=300.0,
        min=0.0,
        help="Seconds that an operation waits for the lock of a volume before it is put off.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable on ``conf``."""
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [(GROUP, OPTS)]
