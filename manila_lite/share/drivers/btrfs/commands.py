# SPDX-License-Identifier: Apache-2.0
"""The btrfs program: what takes root is asked of it, as root.

A command goes on when the service is killed, and may take effect after the service has started
again. So what is made gets a name that no other attempt uses.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Final

from manila_lite import exception

_ENVIRONMENT: Final = {"LC_ALL": "C"}  # errors are told apart by their English text
_ERRORS: Final = (
    errno.EDQUOT,
    errno.ENOSPC,
    errno.ENOTEMPTY,
    errno.ENOENT,
    errno.EBUSY,
    errno.EROFS,
    errno.EPERM,
    errno.EACCES,
    errno.EIO,
    errno.ENOMEM,
    errno.EAGAIN,
    errno.EINPROGRESS,
)

Execute = Callable[..., Any]


class Commands:
    """Each method raises OSError as a system call would, and CommandTimeout.

    ``execute`` is asked at each call: a driver may be given another one later.
    """

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def create(self, path: str) -> None:
        """Make an empty subvolume that belongs to the service's user."""
        self._run("subvolume", "create", path)
        if os.geteuid():
            owner = f"{os.geteuid()}:{os.getegid()}"
            self._execute("chown", owner, path, run_as_root=True, env=_ENVIRONMENT)

    def snapshot(self, source: str, target: str, *, read_only: bool) -> None:
        """Make a subvolume with the contents of another one; ``target`` must not be there."""
        self._run("subvolume", "snapshot", *(["-r"] if read_only else []), source, target)

    def delete(self, path: str) -> None:
        """Delete a subvolume; its room comes back in the background."""
        self._run("subvolume", "delete", path)

    def holds_subvolumes(self, path: str) -> bool:
        """Whether other subvolumes lie in this one."""
        return bool(self._run("subvolume", "list", "-o", path).strip())

    def number(self, path: str) -> int:
        """The number of a subvolume that the service's user may not open."""
        return int(self._run("inspect-internal", "rootid", path))

    def limit(self, mount: str, number: int, size: int | None) -> None:
        """Let a subvolume refer to ``size`` bytes; None for no limit.

        By number: by path the command itself would not be allowed at a subvolume that is full.
        """
        amount = "none" if size is None else str(size)
        self._run("qgroup", "limit", amount, f"0/{number}", mount)

    def enable_quota(self, mount: str) -> None:
        self._run("quota", "enable", mount)

    def rescan_quota(self, mount: str) -> None:
        """Have everything counted anew, in the background."""
        self._run("quota", "rescan", mount)

    def _run(self, *arguments: str) -> str:
        try:
            output, _ = self._execute("btrfs", *arguments, run_as_root=True, env=_ENVIRONMENT)
        except exception.ProcessExecutionError as error:
            raise _as_os_error(error, arguments) from error
        return str(output)


def _as_os_error(error: exception.ProcessExecutionError, arguments: tuple[str, ...]) -> OSError:
    lines = [line for line in str(error.stderr or "").splitlines() if line.strip()]
    said = lines[-1].strip() if lines else f"exit code {error.exit_code}"
    number = next((n for n in _ERRORS if said.endswith(os.strerror(n))), errno.EINVAL)
    return OSError(number, f"btrfs {' '.join(arguments[:2])}: {said}")
