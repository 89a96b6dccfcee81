# SPDX-License-Identifier: Apache-2.0
"""A driver's process that dies: before or after a command, or before a change of a file.

Death is an exception here, for speed; what a real one does not do (clean-up in ``finally``,
commands that an ``except`` runs) is refused to a dead driver: every further command and every
further change of a file dies again.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from manila_lite import exception
from manila_lite.testing import kills
from tests.model.volume_images import Stamp

#: Of what Python reports, that which changes what other processes find in a directory.
_CHANGES: Final = kills.CHANGES - {"fcntl.fcntl", "fcntl.ioctl"}
_LOOKS: Final = [["qemu-img", verb] for verb in ("info", "check", "measure", "compare")]
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Death(BaseException):
    """The process is no more. Nothing in a driver catches this, save to go on dying."""


class Life:
    """Counts the moments at which a process may die, in one directory tree."""

    def __init__(self, tree: Path) -> None:
        self._tree = str(tree)
        self._left: int | None = None
        self.lived = 0
        self._known: dict[tuple[object, ...], tuple[str, str]] = {}
        self._dead = False
        self._at_work = False
        _watchers.append(self)
        _install()

    @contextlib.contextmanager
    def during(self, moments: int | None) -> Iterator[None]:
        """Let what is called within die at that moment, counted from 0; None: not at all.

        lived: how many moments have passed since this began.
        """
        self._left, self._dead, self._at_work = moments, False, True
        self.lived = 0
        try:
            yield
        finally:
            self._at_work = False

    def end(self) -> None:
        """Watch no longer."""
        _watchers.remove(self)

    def moment(self) -> None:
        """One moment more of life, or none."""
        if not self._at_work:
            return
        if self._dead or self.lived == self._left:
            self._dead = True
            raise Death
        self.lived += 1

    def changes(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python is about to do something."""
        if self._at_work and event in _CHANGES and self._concerns(event, arguments):
            self.moment()

    def _concerns(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open" and not (arguments[2] or 0) & _WRITING:
            return False
        paths = [part for part in arguments[:2] if isinstance(part, str | bytes | os.PathLike)]
        return any(os.fsdecode(path).startswith(self._tree) for path in paths)

    def execute(self, *command: object, **options: Any) -> tuple[str, str]:
        """What manila_lite.process.execute does, without its limits, which take a process more.

        To die before or after a command that only looks is to die at the next change.
        """
        looks = [str(word) for word in command[:2]] in _LOOKS or command[0] == "df"
        if self._dead or not looks:
            self.moment()
        at_work, self._at_work = self._at_work, False
        try:
            answer = self._looked(command, options) if looks else run(*command, **options)
        finally:
            self._at_work = at_work
        if not looks:
            self.moment()
        return answer

    def _looked(self, command: tuple[object, ...], options: Any) -> tuple[str, str]:
        """What a command that only looks says; of a file that has not changed, what it said."""
        path = Path(str(command[-1]))
        if command[1] != "info" or not path.exists():
            return run(*command, **options)
        stamp = Stamp.of(path)
        key = (*map(str, command), stamp)
        if key not in self._known:
            answer = run(*command, **options)
            if not stamp.is_settled():
                return answer
            self._known[key] = answer
        return self._known[key]


def run(
    *command: object,
    check_exit_code: bool | int | Collection[int] = (0,),
    process_input: str | bytes | None = None,
    timeout: float | None = 600.0,
    **ignored: Any,
) -> tuple[str, str]:
    """Run a command; thick volumes are made of holes, so that they are made at once."""
    words = _thin([str(part) for part in command])
    data = process_input.encode() if isinstance(process_input, str) else process_input
    done = subprocess.run(words, input=data, capture_output=True, timeout=timeout, check=False)
    if done.returncode not in _accepted(check_exit_code, done.returncode):
        raise exception.ProcessExecutionError(
            cmd=" ".join(words),
            exit_code=done.returncode,
            stdout=done.stdout.decode(errors="replace"),
            stderr=done.stderr.decode(errors="replace"),
        )
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def _thin(words: list[str]) -> list[str]:
    """The same command, but with holes where a thick volume would be all zeros.

    Some GiB for each volume would take minutes, and all of the machine's memory.
    """
    if words[0] == "dd" and "if=/dev/zero" in words:
        given = dict(word.split("=", 1) for word in words[1:])
        assert given["bs"] == "1M", words
        return ["truncate", "-s", f"{given['count']}M", given["of"]]
    if words[0] == "cp":
        return ["--sparse=always" if word == "--sparse=auto" else word for word in words]
    if words[0] == "qemu-img":
        return _without(words)
    return words


def _without(words: list[str]) -> list[str]:
    """Without what has qemu-img write zeros."""
    kept = [word for word in words if word != "--preallocation=full"]
    if "-S" in kept and kept[kept.index("-S") + 1] == "0":
        at = kept.index("-S")
        del kept[at : at + 2]
    return kept


def _accepted(codes: bool | int | Collection[int], found: int) -> Collection[int]:
    if codes is False:
        return [found]
    if codes is True:
        return [0]
    return [codes] if isinstance(codes, int) else codes


_watchers: list[Life] = []
_installed: list[bool] = []


def _install() -> None:
    """An audit hook stays for the life of the process, so there is one for all."""
    if _installed:
        return
    _installed.append(True)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        for watcher in _watchers:
            watcher.changes(event, arguments)

    sys.addaudithook(watch)
