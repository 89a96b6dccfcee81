# SPDX-License-Identifier: Apache-2.0
"""Running commands: no shell, a limit on everything, and no secret in an error."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from oslo_concurrency import processutils
from oslo_config import cfg
from oslo_utils import strutils

from manila_lite import exception
from manila_lite.process import pipes

__all__ = ["DEFAULT_MAX_OUTPUT", "DEFAULT_TIMEOUT", "ProcessLimits", "execute"]

ProcessLimits = processutils.ProcessLimits

DEFAULT_TIMEOUT: Final = 600.0
DEFAULT_MAX_OUTPUT: Final = 1024 * 1024
_SHOWN_IN_ERROR: Final = 8 * 1024
_OSLO_PRLIMIT: Final = (sys.executable, "-m", "oslo_concurrency.prlimit")
_SECRET_OPTION: Final = re.compile(
    r"--?[\w-]*(passw(or)?d|passphrase|secret|token|credentials?)[\w-]*$", re.I
)


def execute(
    *cmd: object,
    process_input: str | bytes | None = None,
    check_exit_code: bool | int | Collection[int] = (0,),
    timeout: float | None = DEFAULT_TIMEOUT,
    max_output: int = DEFAULT_MAX_OUTPUT,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    run_as_root: bool = False,
    root_helper: str | None = None,
    prlimit: processutils.ProcessLimits | None = None,
    on_output: Callable[[bytes], object] | None = None,
) -> tuple[str, str]:
    """Run a command and return what it wrote to (standard output, standard error).

    cmd: program and arguments; no shell reads them. Bytes that are not UTF-8 come back escaped.
    check_exit_code: exit codes that mean success; False accepts any, True only 0.
    timeout: seconds until the command and all it started are killed; None waits for ever.
    max_output: bytes kept of each stream. What standard error has beyond is dropped. For standard
    output that is an error, raised once the command has ended: half an answer is none.
    env: variables that are set beside the service's own.
    run_as_root: through oslo.privsep, unless the service is root already. root_helper is accepted
    from callers written for rootwrap, and ignored.
    prlimit: limits on memory, processor time and the like.
    on_output: called with each piece of standard output as it comes; what it raises ends the
    command. Never called where the command runs as root through oslo.privsep.

    Raises ProcessExecutionError for an exit code that means failure and for too much output,
    CommandTimeout, and OSError where the program cannot be started. Passwords are masked in the
    first two. What a command leaves behind in the background is not waited for.
    """
    command = [os.fsdecode(part) if isinstance(part, bytes) else str(part) for part in cmd]
    settings: dict[str, Any] = {
        "process_input": process_input,
        "accepted": _accepted(check_exit_code),
        "timeout": timeout,
        "max_output": max_output,
        "env": dict(env or {}),
        "cwd": None if cwd is None else os.fspath(cwd),
        "limits": [] if prlimit is None else prlimit.prlimit_args(),
    }
    if run_as_root and os.geteuid() != 0:
        # Loading privsep registers options and is of no use to a service that needs no root.
        from manila_lite.process import privileged

        if _configuration is not None:
            privileged.configure(_configuration)
        return privileged.run(command, settings)
    return run(command, **settings, on_output=on_output)


_configuration: cfg.ConfigOpts | None = None


def use_configuration(conf: cfg.ConfigOpts) -> None:
    """Say where the options of the helper for root commands are, should one ever be needed."""
    global _configuration
    _configuration = conf


def run(
    command: list[str],
    *,
    process_input: str | bytes | None,
    accepted: list[int] | None,
    timeout: float | None,
    max_output: int,
    env: dict[str, str],
    cwd: str | None,
    limits: list[str],
    on_output: Callable[[bytes], object] | None = None,
) -> tuple[str, str]:
    """Run a command as the present user; execute says what the parameters mean.

    accepted: exit codes that mean success, None for any. limits: as prlimit_args writes them.
    """
    shown = _masked(command)
    data = process_input.encode() if isinstance(process_input, str) else process_input
    deadline = None if timeout is None else time.monotonic() + timeout
    process = subprocess.Popen(  # noqa: S603 - a list of arguments, and no shell
        [*_limiter(limits), *command],
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **env},
        cwd=cwd,
    )
    try:
        output, errors = pipes.communicate(process, data or b"", max_output, deadline, on_output)
    except TimeoutError:
        raise exception.CommandTimeout(cmd=shown, timeout=timeout) from None
    finally:
        pipes.end(process)
    _check(process.returncode, shown, output, errors, accepted)
    return output.text(), errors.text()


def _masked(command: list[str]) -> str:
    """The command for an error message, without what follows an option that names a secret.

    oslo.utils knows many forms, "--password x" and "password=x" among them, but no other options.
    """
    before = ["", *command[:-1]]
    parts = [
        "***" if _SECRET_OPTION.match(b) else part for b, part in zip(before, command, strict=True)
    ]
    return strutils.mask_password(shlex.join(parts))


def _accepted(check_exit_code: bool | int | Collection[int]) -> list[int] | None:
    if check_exit_code is False:
        return None
    if check_exit_code is True:
        return [0]
    return [check_exit_code] if isinstance(check_exit_code, int) else list(check_exit_code)


def _limiter(limits: list[str]) -> list[str]:
    """Limits are set by a program in between: setting them after a fork is unsafe in threads.

    util-linux's does what oslo.concurrency's does, with the same options, at once: starting Python
    takes longer than most commands.
    """
    if not limits:
        return []
    program = shutil.which("prlimit")
    return [*([program] if program else _OSLO_PRLIMIT), *limits, "--"]


def _check(
    code: int,
    shown: str,
    output: pipes.Captured,
    errors: pipes.Captured,
    accepted: list[int] | None,
) -> None:
    failed = accepted is not None and code not in accepted
    if not failed and not output.dropped:
        return
    raise exception.ProcessExecutionError(
        cmd=shown,
        exit_code=code,
        stdout=_for_error(output),
        stderr=_for_error(errors),
        description=None if failed else "The command wrote more than it may",
    )


def _for_error(captured: pipes.Captured) -> str:
    """Beginning and end of a stream: errors are logged and kept, so they have to be short."""
    text = captured.text()
    if len(text) > 2 * _SHOWN_IN_ERROR:
        text = f"{text[:_SHOWN_IN_ERROR]}\n[...]\n{text[-_SHOWN_IN_ERROR:]}"
    return strutils.mask_password(text)
