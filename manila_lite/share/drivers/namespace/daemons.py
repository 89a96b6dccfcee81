# SPDX-License-Identifier: Apache-2.0
"""The processes of a share server: an nfs-ganesha in its namespace, and the bus to manage it by.

They are no children of the service, and outlive it: its restart interrupts no client.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any, Final

import tenacity

from manila_lite import exception
from manila_lite.share.drivers.exports.ganesha_bus import ExportManager
from manila_lite.share.drivers.namespace.records import Server, write_file

Execute = Callable[..., Any]

_TIMEOUT: Final = 60.0
_PATIENCE: Final = 30.0  # seconds for a process to be ready, or to be gone

_BUS: Final = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <fork/>
  <pidfile>{directory}/bus.pid</pidfile>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""

_GANESHA: Final = """\
NFS_CORE_PARAM {{
    Protocols = 4;
    Enable_NLM = false;
    Enable_RQUOTA = false;
}}
NFSV4 {{
    RecoveryRoot = "{directory}/recovery";
}}
%include "{directory}/export.d/INDEX.conf"
"""


class Daemons:
    """``execute`` is the driver's own, which knows how to become root."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def running(self, server: Server) -> bool:
        """Whether both processes of a server live."""
        return _lives(server, "bus") is not None and _lives(server, "ganesha") is not None

    def ensure(self, server: Server) -> None:
        """Start what does not run, and wait until the server answers.

        Raises BackendBusy for one that does not come up.
        """
        if _lives(server, "bus") is None:
            # Without its bus nobody could tell Ganesha anything.
            self._stop(server, "ganesha")
            self._start_bus(server)
        if _lives(server, "ganesha") is None:
            self._start_ganesha(server)
        manager = ExportManager(server.bus)
        _patiently(exception.BackendBusy)(manager.incarnation)

    def stop(self, server: Server) -> None:
        """End both processes; those that do not run are no error."""
        for name in ("ganesha", "bus"):
            self._stop(server, name)

    def _start_bus(self, server: Server) -> None:
        write_file(server.path("bus.conf"), _BUS.format(directory=server.directory))
        for name in ("bus", "bus.pid"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(server.path(name))
        self._run("dbus-daemon", f"--config-file={server.path('bus.conf')}")

    def _start_ganesha(self, server: Server) -> None:
        configuration = server.path("ganesha.conf")
        write_file(configuration, _GANESHA.format(directory=server.directory))
        self._run(
            "nsenter", f"--net=/run/netns/{server.namespace}", "ganesha.nfsd",
            "-f", configuration, "-L", server.path("ganesha.log"), "-p", server.path("ganesha.pid"),
            env={"DBUS_SYSTEM_BUS_ADDRESS": server.bus},
        )  # fmt: skip

    def _stop(self, server: Server, name: str) -> None:
        process = _lives(server, name)
        if process is None:
            return
        with contextlib.suppress(exception.ProcessExecutionError):
            self._run("kill", f"-{signal.SIGKILL.name.removeprefix('SIG')}", str(process))
        _patiently(exception.BackendBusy)(_require_end, server, name)

    def _run(self, *command: str, **settings: Any) -> None:
        self._execute(*command, timeout=_TIMEOUT, run_as_root=True, **settings)


def _lives(server: Server, name: str) -> int | None:
    """The process whose id was written down, if it is the one: ids are used again."""
    try:
        with open(server.path(f"{name}.pid"), encoding="utf-8") as file:
            process = int(file.read())
        with open(f"/proc/{process}/cmdline", "rb") as file:
            command = file.read()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return process if os.fsencode(server.path(f"{name}.conf")) in command else None


def _require_end(server: Server, name: str) -> None:
    process = _lives(server, name)
    if process is not None:
        raise exception.BackendBusy(reason=f"process {process} of {name} does not end")


def _patiently(error: type[Exception]) -> tenacity.Retrying:
    return tenacity.Retrying(
        stop=tenacity.stop_after_delay(_PATIENCE),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(error),
        reraise=True,
    )
