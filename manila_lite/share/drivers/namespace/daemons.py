# SPDX-License-Identifier: Apache-2.0
"""The processes of a share server: an nfs-ganesha in its namespace, and the bus to manage it by.

They are no children of the service, and outlive it: its restart interrupts no client. Whoever
started one may have been killed before its id was written down; then its command line tells it.
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
        """Whether both processes of a server live, Ganesha in the server's namespace."""
        ganesha = _written_down(server, "ganesha") or _processes(server, "ganesha")
        bus = _written_down(server, "bus") or _processes(server, "bus")
        if len(bus) != 1 or len(ganesha) != 1 or not os.path.exists(server.path("bus")):
            return False
        return self._is_inside(server, ganesha[0])

    def ensure(self, server: Server) -> None:
        """Start what does not run, and wait until the server answers.

        Raises BackendBusy for one that does not come up, ShareBackendException for one that ends.
        """
        if len(_processes(server, "bus")) != 1 or not os.path.exists(server.path("bus")):
            # Without its bus nobody could tell Ganesha anything.
            self.stop(server)
            self._start_bus(server)
        found = _processes(server, "ganesha")
        if len(found) != 1 or not self._is_inside(server, found[0]):
            self._stop(server, "ganesha")
            self._start_ganesha(server)
        _patiently(exception.BackendBusy, exception.BackendOutcomeUnknown)(_require_answer, server)

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
        _patiently(exception.BackendBusy)(self._kill, server, name)

    def _kill(self, server: Server, name: str) -> None:
        """Raise BackendBusy unless there was nothing to kill: one that starts may have forked."""
        found = _processes(server, name)
        for process in found:
            with contextlib.suppress(exception.ProcessExecutionError):
                self._run("kill", f"-{signal.SIGKILL.name.removeprefix('SIG')}", str(process))
        if found:
            raise exception.BackendBusy(reason=f"process {found[0]} of {name} does not end")

    def _is_inside(self, server: Server, process: int) -> bool:
        """Whether a process is in the namespace that has the server's name now."""
        spaces = (f"/run/netns/{server.namespace}", f"/proc/{process}/ns/net")
        try:
            output, _ = self._run("stat", "-L", "-c", "%d:%i", *spaces)
        except exception.ProcessExecutionError:
            return False
        return len(set(output.split())) == 1

    def _run(self, *command: str, **settings: Any) -> tuple[str, str]:
        result: tuple[str, str] = self._execute(
            *command, timeout=_TIMEOUT, run_as_root=True, **settings
        )
        return result


def _written_down(server: Server, name: str) -> list[int]:
    """The process whose id was written down, if it is the one: ids are used again."""
    try:
        with open(server.path(f"{name}.pid"), encoding="utf-8") as file:
            process = int(file.read())
    except (FileNotFoundError, ValueError):
        return []
    return [process] if _is_of(server, name, process) else []


def _processes(server: Server, name: str) -> list[int]:
    """All processes with the server's configuration, whether written down or not."""
    found = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return [process for process in found if _is_of(server, name, process)]


def _is_of(server: Server, name: str, process: int) -> bool:
    """Whether a process has the configuration, and is root's or the service's own."""
    try:
        owner = os.stat(f"/proc/{process}").st_uid
        with open(f"/proc/{process}/cmdline", "rb") as file:
            arguments = file.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    configuration = os.fsencode(server.path(f"{name}.conf"))
    given = {argument.removeprefix(b"--config-file=") for argument in arguments[1:]}
    return configuration in given and owner in (0, os.geteuid())


def _require_answer(server: Server) -> None:
    if not _processes(server, "ganesha"):
        log = server.path("ganesha.log")
        raise exception.ShareBackendException(
            msg=f"nfs-ganesha of share server {server.server_id} has ended; {log} says why"
        )
    # It has its name on the bus before it has read its configuration, and answers only later.
    ExportManager(server.bus).paths()


def _patiently(*errors: type[Exception]) -> tenacity.Retrying:
    return tenacity.Retrying(
        stop=tenacity.stop_after_delay(_PATIENCE),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(errors),
        reraise=True,
    )
