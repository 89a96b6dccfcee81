# SPDX-License-Identifier: Apache-2.0
"""Bind mounts of directories that a server cannot export from where they are: btrfs subvolumes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from typing import Any

from manila_lite import exception

Execute = Callable[..., Any]


class BindMounts:
    """Mounts under one directory. ``execute`` is the driver's own, which knows how to be root."""

    def __init__(self, directory: str, execute: Execute) -> None:
        self.directory = directory
        self._execute = execute

    def path(self, name: str) -> str:
        """Where a share is mounted, if it is. The name has been checked."""
        return os.path.join(self.directory, name)

    def is_mounted(self, name: str, source: str) -> bool:
        """Whether the share's mount shows this directory, and not one that it took the place of."""
        target = self.path(name)
        return target in mount_points() and _is_same(source, target)

    def mount(self, name: str, source: str) -> None:
        """Mount a directory, in place of whatever is mounted there."""
        self.unmount(name)
        target = self.path(name)
        os.makedirs(target, mode=0o755, exist_ok=True)
        self._execute("mount", "--bind", source, target, run_as_root=True)

    def unmount(self, name: str) -> None:
        """Take a mount away, and its mount point; nothing happens where there is none."""
        target = self.path(name)
        while target in mount_points():
            self._execute("umount", "-l", target, run_as_root=True)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(target)


def needs_mount(path: str) -> bool:
    """Whether a directory is the top of a subvolume: another device, and no mount."""
    try:
        crosses = os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev
    except FileNotFoundError as error:
        raise exception.ShareBackendException(msg=f"{path} is missing, nothing exports it") from (
            error
        )
    return crosses and path not in mount_points()


def mount_points() -> set[str]:
    """Where something is mounted, as this process sees it."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return {_unescaped(line.split(" ", 5)[4]) for line in file}


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _is_same(one: str, other: str) -> bool:
    first, second = os.stat(one), os.stat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
