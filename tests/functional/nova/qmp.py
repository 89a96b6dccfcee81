# SPDX-License-Identifier: Apache-2.0
"""QEMU's machine protocol: one JSON object a line, over a Unix socket."""

import json
import socket
import threading
from pathlib import Path
from typing import Any, Self

from tests.fixtures.daemon import poll

_PATIENCE = 30.0  # seconds that a command may take


class CommandFailed(Exception):
    """QEMU refused a command, and said why."""


class JobFailed(Exception):
    """A block job came to its end without having done its work."""


class Monitor:
    """A connection to the monitor of one process; threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        assert "QMP" in self._read()
        self.execute("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """Return the command's result. An underscore in a name stands for a hyphen.

        Raises CommandFailed, and OSError or EOFError when the process is gone.
        """
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        line = json.dumps({"execute": command, "arguments": named}).encode()
        with self._lock:
            self._socket.sendall(line + b"\n")
            while True:
                answer = self._read()
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise CommandFailed(f"{command}: {answer['error']['desc']}")

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise EOFError("the process closed its monitor")
        answer: dict[str, Any] = json.loads(line)
        return answer

    # -- jobs ----------------------------------------------------------------------------------

    def job(self, name: str) -> dict[str, Any] | None:
        """What QEMU says of a job; None when it knows none of this name."""
        found = self.execute("query-jobs")
        return next((job for job in found if job["id"] == name), None)

    def carry_out(self, command: str, name: str, timeout: float = 600.0, **arguments: Any) -> None:
        """Start a block job and wait until it has come to its end. Raises JobFailed."""
        self.execute(command, job_id=name, auto_dismiss=False, **arguments)
        job = poll(lambda: self._concluded(name), f"the end of {command}", timeout)
        self.execute("job-dismiss", id=name)
        if "error" in job:
            raise JobFailed(f"{command}: {job['error']}")

    def _concluded(self, name: str) -> dict[str, Any] | None:
        job = self.job(name)
        assert job is not None, f"the job {name} vanished"
        return job if job["status"] == "concluded" else None
