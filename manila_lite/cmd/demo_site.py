# SPDX-License-Identifier: Apache-2.0
"""A site in a fresh directory: SQLite, the directory driver, no broker, no root."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manila_lite.cmd.app import App
from manila_lite.exception import ManilaException

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

HOST = "demo@local"
COMMAND_SECONDS = 60.0
_POLL = 0.02

_CONFIGURATION = """\
[DEFAULT]
host = demo
enabled_share_backends = local
state_path = {directory}/state

[local]
share_driver = directory
share_backend_name = LOCAL
driver_handles_share_servers = False
directory_root = {directory}/shares
directory_export_host = localhost

[manila_lite]
# Few, so that there is something left to do when the daemon is killed.
operation_threads = 2
"""


class DemoFailed(ManilaException):
    """Something did not go as the demonstration promises."""

    message = "%(reason)s"


@dataclasses.dataclass(frozen=True)
class Ran:
    """A command that came to its end."""

    output: str
    exit_code: int


class Site:
    """One directory with all that the demonstration leaves behind."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config_file = directory / "manila-lite.conf"
        self.log_file = directory / "daemon.log"
        self.root = directory / "shares"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._app: App | None = None

    def prepare(self) -> None:
        """Write the configuration and make the directories that it names."""
        self.root.mkdir()
        (self.directory / "state").mkdir()
        self.config_file.write_text(_CONFIGURATION.format(directory=self.directory))

    # -- the command line ----------------------------------------------------------------------

    def arguments(self, *words: str) -> list[str]:
        """What is executed for ``manila-lite WORDS``."""
        config = os.fspath(self.config_file)
        return [sys.executable, "-m", "manila_lite.cmd.main", "--config-file", config, *words]

    def run(self, *words: str) -> Ran:
        """Run ``manila-lite WORDS`` to its end. Raises DemoFailed unless it ends with 0."""
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
                self.arguments(*words),
                cwd=self.directory,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            reason = f"'manila-lite {' '.join(words)}' took more than {COMMAND_SECONDS:.0f} s"
            raise DemoFailed(reason=reason) from None
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            reason = f"'manila-lite {' '.join(words)}' ended with {done.returncode}: {said}"
            raise DemoFailed(reason=reason)
        return Ran(done.stdout, done.returncode)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start ``manila-lite WORDS`` without waiting for its end."""
        return subprocess.Popen(  # noqa: S603 - as in run()
            self.arguments(*words),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # -- the daemon ----------------------------------------------------------------------------

    def start_daemon(self) -> int:
        """Start the daemon in a process group of its own; return its process id."""
        module = [sys.executable, "-m", "manila_lite.cmd.share"]
        with self.log_file.open("ab") as log:
            self._daemon = subprocess.Popen(  # noqa: S603 - as in run()
                [*module, "--config-file", os.fspath(self.config_file)],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._daemon.pid

    def kill_daemon(self) -> None:
        """SIGKILL to the daemon and its worker; nothing of it gets a chance to clean up."""
        self._signal_and_reap(signal.SIGKILL)

    def stop_daemon(self, patience: float = 20.0) -> int:
        """SIGTERM; return the exit code. Raises DemoFailed when it does not stop in time."""
        daemon = self._daemon
        assert daemon is not None
        daemon.terminate()
        try:
            code = daemon.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill_daemon()
            raise DemoFailed(reason=f"the daemon did not stop within {patience:.0f} s") from None
        self._daemon = None
        return code

    def _signal_and_reap(self, number: signal.Signals) -> None:
        if self._daemon is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._daemon.pid, number)
        self._daemon.wait()
        self._daemon = None

    def close(self) -> None:
        """Leave no process and no connection behind."""
        self._signal_and_reap(signal.SIGKILL)
        if self._app is not None:
            self._app.close()

    # -- looking at the database, not at what the commands say -----------------------------------

    def read(self, work: Callable[[Connection], Any]) -> Any:
        """Run a reading function on the site's database."""
        if self._app is None:
            self._app = App((os.fspath(self.config_file),))
        return self._app.read(work)

    def operations(self, method: str | None = None) -> list[dict[str, Any]]:
        """Rows of all operations, or of those of one RPC method."""
        from manila_lite.db.operation_requests import list_operations

        rows: list[dict[str, Any]] = self.read(
            lambda connection: list_operations(connection, method=method, most=100_000)
        )
        return rows

    def shares(self) -> list[dict[str, Any]]:
        """Rows of all live shares."""
        from manila_lite.cmd.lookup import share_list

        rows: list[dict[str, Any]] = self.read(
            lambda connection: share_list(connection, host=None, status=None, most=100_000)
        )
        return rows

    def directories(self) -> list[str]:
        """Names of the directories that are shares, on the file system."""
        return sorted(path.name for path in (self.root / "shares").iterdir() if path.is_dir())

    def daemon_is_ready(self) -> bool:
        """Whether a worker that is alive has told the services table so."""
        from manila_lite.db import services

        if self._daemon is None or self._daemon.poll() is not None:
            raise DemoFailed(reason=f"the daemon ended; its log is {self.log_file}")
        return self.read(lambda connection: services.get_service(connection, HOST)) is not None

    def wait_until(self, what: str, condition: Callable[[], bool], patience: float = 20.0) -> None:
        """Look again and again. Raises DemoFailed when it takes more than ``patience`` seconds."""
        app, never = App(), threading.Event()
        end = app.clock.monotonic() + patience
        while not condition():
            if app.clock.monotonic() > end:
                raise DemoFailed(reason=f"waited {patience:.0f} s in vain until {what}")
            app.clock.wait(never, _POLL)
