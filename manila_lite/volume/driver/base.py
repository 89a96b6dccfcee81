# SPDX-License-Identifier: Apache-2.0
"""What every family of driver methods stands on: construction, options, commands, statistics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import tenacity

from manila_lite import exception, process
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import volume_driver as options

LOG = logging.getLogger(__name__)

Model = Any
"""A volume, a snapshot or an attachment: read by attribute and by key."""

Update = Mapping[str, Any] | None
"""Columns to be changed; None for none."""


class DriverBase:
    """Construction of a volume driver; the families derive from it to share its attributes."""

    VERSION = "N/A"
    SUPPORTED = True
    SUPPORTS_ACTIVE_ACTIVE = False

    configuration: Any
    _execute: Callable[..., Any]

    def __init__(
        self, execute: Callable[..., Any] = process.execute, *args: Any, **kwargs: Any
    ) -> None:
        """Take what the service hands over; nothing is asked of the storage yet.

        execute: runs commands, as process.execute does. Keywords that the service gives, as
        Cinder's does: configuration (a volume.configuration.Configuration), db (something with
        snapshot_get), host ('host@backend'), cluster_name, active_backend_id, is_vol_db_empty.
        Its own: clock.
        """
        super().__init__()
        self.db = kwargs.get("db")
        self.host = kwargs.get("host")
        self.cluster_name = kwargs.get("cluster_name")
        self.active_backend_id = kwargs.get("active_backend_id")
        self.configuration = kwargs.get("configuration")
        self._clock: Clock = kwargs.get("clock") or SystemClock()
        self._initialized = False
        self._stats: dict[str, Any] = {}
        self.pools: list[Any] = []
        if self.configuration:
            self.configuration.append_config_values(options.volume_opts)
        self.set_execute(execute)

    def set_execute(self, execute: Callable[..., Any]) -> None:
        """Run commands with execute from now on."""
        self._execute = execute

    def _try_execute(self, *command: Any, **kwargs: Any) -> bool:
        """Run a flaky command until it succeeds, at most num_shell_tries times; return True.

        Waits 1, 4, 9 ... seconds between the tries. Raises the last ProcessExecutionError; any
        other exception, CommandTimeout too, at once: only a command that has ended is repeated.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.configuration.num_shell_tries),
            wait=lambda state: float(state.attempt_number**2),
            retry=tenacity.retry_if_exception_type(exception.ProcessExecutionError),
            sleep=self._pause,
            reraise=True,
        )
        retrying(self._execute, *command, **kwargs)
        return True

    def _pause(self, seconds: float) -> None:
        self._clock.wait(threading.Event(), seconds)

    @property
    def initialized(self) -> bool:
        """Whether the service has set the driver up."""
        return self._initialized

    def set_initialized(self) -> None:
        """Called by the service when do_setup and check_for_setup_error have returned."""
        self._initialized = True

    def get_version(self) -> str:
        """The driver's version."""
        return self.VERSION

    def do_setup(self, context: Any) -> None:
        """Prepare for work; called once, when the service starts."""

    def check_for_setup_error(self) -> None:
        """Raise for what makes service impossible; called after do_setup."""

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """What the scheduler is told; asked of the storage when refresh is true, or the first time.

        Capacities are in GiB.
        """
        if refresh or not self._stats:
            self._update_volume_stats()
        return self._stats

    def _update_volume_stats(self) -> None:
        """Keep in _stats what get_volume_stats is to return."""
        raise NotImplementedError

    def get_pool(self, volume: Model) -> str | None:
        """The name of the pool in which the volume is; None for back ends without pools."""
        return None
