# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: reading the files anew, and leaving all as it is where they have become unfit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oslo_config import cfg
from oslo_log import log

from manila_lite import exception
from manila_lite.conf import check, load

LOG = log.getLogger(__name__)


def guard(
    conf: cfg.ConfigOpts,
    arguments: Sequence[str] = (),
    check_all: Callable[[cfg.ConfigOpts], None] = check.check,
) -> None:
    """Make ``conf.mutate_config_files()`` refuse files with which the daemon would not start.

    oslo.config would end the process, or go on with half of the new values. arguments: those
    with which ``conf`` was loaded. check_all: what the daemon checks at its start. Guards the
    daemon that runs, not its next start.
    """
    mutate = conf.mutate_config_files

    def mutate_when_fit() -> dict[Any, Any]:
        try:
            check_all(load.load(arguments, prog=conf.prog))
            return mutate()
        except exception.ManilaException as error:
            problem = str(error)
        except (cfg.Error, SystemExit):
            problem = "the files were changed while they were read"
        LOG.error("The configuration was not read anew and stays as it was: %s", problem)
        return {}

    conf.mutate_config_files = mutate_when_fit  # type: ignore[method-assign]
