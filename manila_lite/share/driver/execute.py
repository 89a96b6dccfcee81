# SPDX-License-Identifier: Apache-2.0
"""Mix-ins for drivers that run commands or configure nfs-ganesha."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import tenacity

from manila_lite import exception, process
from manila_lite.conf import share_driver as options

LOG = logging.getLogger(__name__)


class ExecuteMixin:
    """Gives a driver `_execute` and `_try_execute`."""

    configuration: Any
    _execute: Callable[..., Any]
    _sleep: Callable[[float], None] = staticmethod(time.sleep)

    def init_execute_mixin(self, *args: Any, **kwargs: Any) -> None:
        """Set up; called by ShareDriver's constructor.

        execute (keyword): runs commands in place of process.execute.
        sleep (keyword): waits between the tries in place of time.sleep.
        """
        if self.configuration:
            self.configuration.append_config_values(options.ssh_opts)
        self._sleep = kwargs.pop("sleep", time.sleep)
        self.set_execute(kwargs.pop("execute", process.execute))

    def set_execute(self, execute: Callable[..., Any]) -> None:
        """Run commands with execute from now on: over SSH, for example."""
        self._execute = execute

    def _try_execute(self, *command: Any, **kwargs: Any) -> bool:
        """Run a flaky command until it succeeds, at most num_shell_tries times; return True.

        Waits 1, 4, 9 ... seconds between the tries. Raises the last ProcessExecutionError; any
        other exception, CommandTimeout too, at once: only a command that has ended is repeated.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.configuration.num_shell_tries),
            wait=_square_of_attempts,
            retry=tenacity.retry_if_exception_type(exception.ProcessExecutionError),
            before_sleep=_log_failure,
            sleep=self._sleep,
            reraise=True,
        )
        retrying(self._execute, *command, **kwargs)
        return True


class GaneshaMixin:
    """Makes nfs-ganesha's options readable in a driver's configuration."""

    configuration: Any

    def init_ganesha_mixin(self, *args: Any, **kwargs: Any) -> None:
        """Set up; called by ShareDriver's constructor."""
        if self.configuration:
            self.configuration.append_config_values(options.ganesha_opts)


def _square_of_attempts(state: tenacity.RetryCallState) -> float:
    return float(state.attempt_number**2)


def _log_failure(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    LOG.warning("A command failed at try %s and is tried again: %s", state.attempt_number, error)
