# SPDX-License-Identifier: Apache-2.0
"""Killing a call at each point where it touches the file system.

A child process runs the call and is ended with SIGKILL right before its n-th change of a file or
a directory. With n = 1, 2, 3 ... until the call comes to its end, a test meets every state in
which a kill can leave the storage.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

#: What Python reports of calls that change something, or that open what will be changed.
CHANGES: Final = frozenset(
    {"open", "fcntl.fcntl", "fcntl.ioctl"}
    | {f"os.{name}" for name in ("rename", "mkdir", "remove", "rmdir", "link", "symlink")}
    | {f"os.{name}" for name in ("truncate", "chmod", "chown", "utime", "setxattr")}
)
#: Instead, for calls that work by commands: each command, and what names files.
COMMANDS: Final = frozenset({"subprocess.Popen", "os.rename", "os.remove"})
_FAILED: Final = 70


def killed_before(
    change: int, call: Callable[[], object], changes: Collection[str] = CHANGES
) -> bool:
    """Run the call in a child that kills itself before its n-th change, counted from 1.

    changes: names of Python's audit events that count as one.
    Returns whether it came to that; False means that the call returned. RuntimeError when the
    call raised: what it raised is on standard error.
    """
    child = os.fork()
    if child == 0:
        _run_and_exit(change, call, changes)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"the call failed in the child: exit code {status >> 8}")
    return False


def every_kill(
    call: Callable[[], object], changes: Collection[str] = CHANGES, step: int = 1
) -> Iterator[int]:
    """Kill the call at its first change, its second ... and yield its number after each kill.

    step: more than 1 leaves changes out, for a call that takes long.

    The caller looks at what is left and brings the storage back to where the call can begin.
    Ends, without yielding, when the call came to its end.
    """
    for change in itertools.count(1, step):
        if not killed_before(change, call, changes):
            return
        yield change


def _run_and_exit(change: int, call: Callable[[], object], changes: Collection[str]) -> None:
    counted = itertools.count(1)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in changes and next(counted) == change:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(watch)
        call()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(_FAILED)
    os._exit(0)
