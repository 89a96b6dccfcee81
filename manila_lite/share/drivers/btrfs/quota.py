# SPDX-License-Identifier: Apache-2.0
"""Quota groups: what each subvolume refers to, and how much it may.

They are read from /sys, which takes no root and no text that a user's names could get into, and
changed by commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from manila_lite import exception
from manila_lite.share.drivers.btrfs import calls
from manila_lite.share.drivers.btrfs.commands import Commands
from manila_lite.share.drivers.directory import kernel
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY, Root

_SYS: Final = Path("/sys/fs/btrfs")
_LIMITS_REFERENCED: Final = 1  # a bit of limit_flags
_GIB: Final = 1 << 30


class QuotaGroups:
    """The quota groups of one file system. Numbers are those of subvolumes."""

    def __init__(self, root: Root, commands: Commands, sys: Path = _SYS) -> None:
        self._root = root
        self._commands = commands
        self._sys = sys

    def enable(self) -> None:
        """Turn them on where they are off. OSError where that is not allowed."""
        if not self._directory().is_dir():
            self._commands.enable_quota(self._root.path)

    def why_not(self) -> str | None:
        """Why sizes cannot be enforced, or None when they can."""
        directory = self._directory()
        if not directory.is_dir():
            return "quotas are not enabled; run: btrfs quota enable " + self._root.path
        mode = _text(directory / "mode")
        if mode not in ("qgroup", None):
            return f"its quotas are of mode {mode}, which does not count what clones refer to"
        return None

    def number(self, path: str) -> int:
        """The number of the subvolume at a path, which is no symbolic link."""
        try:
            descriptor = os.open(path, OPEN_DIRECTORY)
        except PermissionError:
            return self._commands.number(path)
        try:
            return calls.subvolume_id(descriptor)
        finally:
            os.close(descriptor)

    def limit(self, number: int, size: int | None) -> None:
        """Let a subvolume have ``size`` GiB, None for no limit, unless that is so already."""
        wanted = None if size is None else size * _GIB
        if self.limit_of(number) != wanted:
            self._commands.limit(self._root.path, number, wanted)

    def limit_of(self, number: int) -> int | None:
        """Bytes that a subvolume may refer to; None where it has no limit."""
        group = self._group(number)
        if not int(_text(group / "limit_flags") or 0) & _LIMITS_REFERENCED:
            return None
        return _number(group / "max_referenced")

    def used(self, number: int) -> int:
        """Bytes that a subvolume referred to when the file system was last synced."""
        return _number(self._group(number) / "referenced")

    def settle(self) -> None:
        """Have all that was written counted.

        Raises BackendBusy while everything is being counted anew, and sees to it that it is.
        """
        with self._root.opened() as descriptor:
            kernel.sync_file_system(descriptor)
        if _text(self._directory() / "inconsistent") == "1":
            self._rescan()
            raise exception.BackendBusy(
                reason=f"btrfs counts anew what the subvolumes under {self._root.path} use"
            )

    def _rescan(self) -> None:
        try:
            self._commands.rescan_quota(self._root.path)
        except OSError:
            # It is at it already: that has no error of its own in every version of the program.
            return

    def _group(self, number: int) -> Path:
        return self._directory() / f"0_{number}"

    def _directory(self) -> Path:
        with self._root.opened() as descriptor:
            try:
                return self._sys / str(calls.file_system_id(descriptor)) / "qgroups"
            except OSError as error:
                raise exception.ShareBackendException(
                    msg=f"{self._root.path} is not on btrfs; is the file system of "
                    f"{self._root.option} mounted?"
                ) from error


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def _number(path: Path) -> int:
    text = _text(path)
    if text is None:
        raise exception.ShareBackendException(
            msg=f"{path} is missing; are quotas still enabled on the file system?"
        )
    return int(text)
