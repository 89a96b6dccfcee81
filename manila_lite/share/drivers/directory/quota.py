# SPDX-License-Identifier: Apache-2.0
"""Enforcing sizes: not at all, or by project quotas of XFS and ext4.

Project quotas take root, so they go through commands that are run as root. Whether a file system
accounts for projects is decided when it is mounted (``prjquota``).
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from typing import Any, Protocol

from manila_lite.share.drivers.directory.locks import Locks
from manila_lite.share.drivers.directory.metadata import load_file, replace_file
from manila_lite.share.drivers.directory.paths import METADATA, Root

_FIRST_PROJECT = 1 << 20  # below may be projects of the administrator
_KIB_PER_GIB = 1 << 20
_NUMBERS = "projects.json"

Execute = Callable[..., Any]


class Limits(Protocol):
    """How the driver limits trees."""

    enforced: bool

    def new_project(self) -> int:
        """A number that no other tree has. Asked only where sizes are enforced."""

    def assign(self, path: str, project: int) -> None:
        """Count a tree, and all that will be put into it, to a project."""

    def limit(self, project: int, size: int) -> None:
        """Let a project have ``size`` GiB; 0 for no limit."""


class NoLimits:
    """Sizes are numbers in the metadata."""

    enforced = False

    def new_project(self) -> int:
        return 0

    def assign(self, path: str, project: int) -> None:
        """Nothing counts."""

    def limit(self, project: int, size: int) -> None:
        """Nothing is limited."""


@dataclasses.dataclass(frozen=True)
class Mount:
    """A mounted file system, as /proc/self/mountinfo has it."""

    point: str
    type: str
    options: frozenset[str]

    @property
    def counts_projects(self) -> bool:
        return bool(self.options & {"prjquota", "pquota"})


class ProjectQuota:
    """Project quotas. ``execute`` is the driver's own, which knows how to become root."""

    enforced = True

    def __init__(self, root: Root, locks: Locks, mount: Mount, execute: Execute) -> None:
        self._root = root
        self._locks = locks
        self._mount = mount
        self._execute = execute

    def new_project(self) -> int:
        with self._locks.numbers(), self._root.area(METADATA) as area:
            try:
                number = int(load_file(area, _NUMBERS)["next"])
            except FileNotFoundError:
                number = _FIRST_PROJECT
            replace_file(area, _NUMBERS, f'{{"next": {number + 1}}}')
            return number

    def assign(self, path: str, project: int) -> None:
        for command in assign_commands(self._mount, path, project):
            self._execute(*command, run_as_root=True)

    def limit(self, project: int, size: int) -> None:
        self._execute(*limit_command(self._mount, project, size), run_as_root=True)


def assign_commands(mount: Mount, path: str, project: int) -> list[tuple[str, ...]]:
    """Commands that give a tree a project, which entries made in it later inherit."""
    if mount.type == "xfs":
        return [("xfs_quota", "-x", "-c", f"project -s -p {path} {project}", mount.point)]
    return [("chattr", "-R", "-p", str(project), path), ("chattr", "-R", "-f", "+P", path)]


def limit_command(mount: Mount, project: int, size: int) -> tuple[str, ...]:
    """The command that limits a project to ``size`` GiB, 0 for no limit."""
    if mount.type == "xfs":
        return ("xfs_quota", "-x", "-c", f"limit -p bhard={size}g {project}", mount.point)
    return ("setquota", "-P", str(project), "0", str(size * _KIB_PER_GIB), "0", "0", mount.point)


def why_not(mount: Mount, root: str) -> str | None:
    """Why project quotas cannot be used there, or None when they can."""
    if mount.type not in ("xfs", "ext4"):
        return f"{root} is on {mount.type}, project quotas need xfs or ext4"
    if not mount.counts_projects:
        return f"{mount.point} is mounted without prjquota"
    if re.search(r"""[\s"'\\]""", root):
        return f"{root} has white space or quotes in it, which xfs_quota takes apart"
    return None


def mount_of(path: str, mountinfo: str | None = None) -> Mount:
    """The mount that ``path`` is on, from the text of /proc/self/mountinfo."""
    if mountinfo is None:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mountinfo = file.read()
    found = Mount("/", "unknown", frozenset())
    for line in mountinfo.splitlines():
        mount = _parse(line)
        if len(mount.point) >= len(found.point) and _is_under(path, mount.point):
            found = mount
    return found


def _parse(line: str) -> Mount:
    own, _, rest = line.partition(" - ")
    fields, (kind, _, options) = own.split(" "), rest.split(" ", 2)
    point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
    return Mount(point, kind, frozenset([*fields[5].split(","), *options.split(",")]))


def _is_under(path: str, point: str) -> bool:
    return os.path.commonpath([path, point]) == point
