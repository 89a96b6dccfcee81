# SPDX-License-Identifier: Apache-2.0
"""Files for images on their way, in a directory that several processes and nodes may share.

Each process has a directory of its own under image_conversion_dir and holds a lock in it as long as
it lives. A directory whose lock can be had was left by a process that died.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from typing import Final

from manila_lite import exception
from manila_lite.image import settings

LOG = logging.getLogger(__name__)

_PREFIX: Final = "conversion-"
_LOCK: Final = ".lock"
_TRIES: Final = 10


@contextlib.contextmanager
def temporary_file(
    suffix: str = "", prefix: str = "", directory: str | None = None
) -> Iterator[str]:
    """Yield the path of a new, empty file that only this user can read; it is removed at the end.

    directory: in place of image_conversion_dir; it is made if need be. PathRefused for a prefix
    or suffix that would leave it.
    """
    for part in (prefix, suffix):
        if "/" in part or "\0" in part:
            raise exception.PathRefused(name=part, reason="it is no part of a file name")
    workspace = _workspaces.path(directory or settings.current().conversion_dir)
    descriptor, path = tempfile.mkstemp(suffix, prefix, workspace)
    os.close(descriptor)
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def check_space(path: str, needed: int, image_id: str) -> None:
    """Raise ImageTooBig where the file system of `path` has no room for `needed` bytes."""
    directory = path if os.path.isdir(path) else os.path.dirname(path)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise exception.ImageTooBig(
            image_id=image_id,
            reason=f"{directory} has {free} bytes free, and {needed} are needed",
        )


def remove_abandoned(directory: str | None = None) -> list[str]:
    """Remove what processes left that were killed; return the paths. For the start of a service.

    Files of processes that live, on any node, stay: they hold their locks. A program that such a
    process had started may go on writing to a file that is removed here; nobody sees that file.
    """
    parent = directory or settings.current().conversion_dir
    removed = []
    with contextlib.suppress(FileNotFoundError), os.scandir(parent) as entries:
        for entry in entries:
            is_ours = entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False)
            if is_ours and _remove_if_abandoned(entry.path):
                removed.append(entry.path)
    if removed:
        LOG.info("removed what interrupted conversions left: %s", ", ".join(removed))
    return removed


class _Workspaces:
    """This process's directories, by the directory they lie in."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        # Each with the descriptor that holds its lock, until it is gone or the process ends.
        self._made: dict[tuple[int, str], tuple[str, int]] = {}

    def path(self, parent: str) -> str:
        # A process that was forked needs a directory of its own.
        key = (os.getpid(), os.path.abspath(parent))
        with self._mutex:
            self._forget_vanished()
            if key not in self._made:
                self._made[key] = _new_workspace(key[1])
            return self._made[key][0]

    def _forget_vanished(self) -> None:
        """Close the locks of directories that somebody has removed, as cleaners of /tmp do."""
        for key, (path, lock) in list(self._made.items()):
            if key[0] == os.getpid() and not os.path.isdir(path):
                del self._made[key]
                os.close(lock)

    def remove(self) -> None:
        """Remove this process's directories; what is forked from it has others."""
        for (pid, _), (path, _lock) in self._made.items():
            if pid == os.getpid():
                shutil.rmtree(path, ignore_errors=True)


_workspaces = _Workspaces()
atexit.register(_workspaces.remove)


def _new_workspace(parent: str) -> tuple[str, int]:
    """Make a directory and lock it; return its path and the descriptor that holds the lock."""
    os.makedirs(parent, mode=0o700, exist_ok=True)
    for _ in range(_TRIES):
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        lock = _locked(path)
        if lock is not None:
            return path, lock
    raise exception.BackendBusy(reason=f"no directory in {parent} could be locked")


def _remove_if_abandoned(path: str) -> bool:
    lock = _locked(path)
    if lock is None:
        return False
    try:
        shutil.rmtree(path)
    except OSError as error:
        LOG.warning("what an interrupted conversion left in %s cannot be removed: %s", path, error)
        return False
    finally:
        os.close(lock)
    return True


def _locked(path: str) -> int | None:
    """Lock a directory; None where another process has it or has removed it meanwhile."""
    name = os.path.join(path, _LOCK)
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(name, follow_symlinks=False), os.fstat(lock)):
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
