# SPDX-License-Identifier: Apache-2.0
"""[database]: oslo.db's own options, as a manila.conf has them, and two of ours."""

from __future__ import annotations

from oslo_config import cfg
from oslo_db import options as oslo_db_options

GROUP = "database"

LITE_OPTS = [
    cfg.FloatOpt(
        "lock_timeout",
        default=10.0,
        min=0.1,
        max=3600.0,
        help="Seconds that a statement waits for a lock of another transaction. After that the "
        "transaction is rolled back and tried again.",
    ),
    cfg.IntOpt(
        "network_timeout",
        default=60,
        min=5,
        max=3600,
        help="Seconds of silence after which a connection to the database server counts as lost "
        "and the work on it is done again on a new one.",
    ),
]


# oslo.db closes what exceeds the pool at once, and a server takes long to open it again: with more
# threads than connections it is faster to wait for one of the pool.
POOL_DEFAULTS = {"max_pool_size": 16, "max_overflow": 0}


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.database``."""
    conf.register_opts(oslo_db_options.database_opts, group=GROUP)
    conf.register_opts(LITE_OPTS, group=GROUP)
    for name, value in POOL_DEFAULTS.items():
        conf.set_default(name, value, group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file; oslo.db lists its own."""
    return [(GROUP, LITE_OPTS)]
