# SPDX-License-Identifier: Apache-2.0
"""nfs-ganesha's configuration of exports: one file each, and a file that includes them all.

    <directory>/<name>.conf   one EXPORT block, after a line of JSON from which it can be made again
    <directory>/INDEX.conf    includes the files; Ganesha's main configuration includes it
    <directory>/.counter      how many export ids were given out
    <directory>/.lock         held while ids are given out and the index is written
    <directory>/.work         held by whoever works on exports

A file is written before the index names it, and goes after the index has forgotten it: Ganesha does
not start with an include that is missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import Final

from manila_lite import exception

LOG = logging.getLogger(__name__)

INDEX: Final = "INDEX.conf"
_MARK: Final = "# manila_lite: "
_FIRST_ID: Final = 101  # those below are the administrator's
_IDS: Final = 65535 - _FIRST_ID + 1
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
_HOSTILE: Final = re.compile(r'["\\\x00-\x1f\x7f]')


@dataclasses.dataclass(frozen=True)
class Export:
    """One export. clients: (address or network, "RW" or "RO"), the first that fits decides.

    source is the share's directory; path, what Ganesha shows: a bind mount of it, or the same.
    """

    name: str
    export_id: int
    source: str
    path: str
    clients: tuple[tuple[str, str], ...] = ()

    @property
    def is_mounted(self) -> bool:
        """Whether it goes through a bind mount."""
        return self.path != self.source


class ExportFiles:
    """The files in one directory. Several processes and threads may use it at the same time."""

    def __init__(self, directory: str, squash: str) -> None:
        self.directory = directory
        self._squash = squash

    def path_of(self, name: str) -> str:
        """The file of an export. Raises PathRefused for a name that is no file name."""
        if not _NAME.fullmatch(name) or f"{name}.conf" == INDEX:
            raise exception.PathRefused(name=name, reason="it cannot name a file of an export")
        return os.path.join(self.directory, f"{name}.conf")

    def read(self, name: str) -> Export | None:
        """What was written last; None where there is no file.

        Raises ShareBackendException for a file that somebody else wrote, or damaged.
        """
        path = self.path_of(name)
        try:
            with open(path, encoding="utf-8") as file:
                first = file.readline()
        except FileNotFoundError:
            return None
        try:
            values = json.loads(first.removeprefix(_MARK))
            clients = tuple((str(who), str(level)) for who, level in values.pop("clients"))
            return Export(**values, clients=clients)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise exception.ShareBackendException(
                msg=f"{path} was not written by this service, or is damaged"
            ) from error

    def all(self) -> list[Export]:
        """Every export that has a file. Files of others, and damaged ones, are left out."""
        entries = sorted(entry for entry in os.listdir(self.directory) if _is_export(entry))
        exports = []
        for entry in entries:
            try:
                export = self.read(entry.removesuffix(".conf"))
            except (exception.ShareBackendException, exception.PathRefused) as error:
                LOG.warning("An export is left out: %s", error)
                continue
            if export is not None:
                exports.append(export)
        return exports

    def write(self, export: Export) -> str:
        """Write the file, name it in the index, and return its path. Raises PathRefused.

        Mounted exports are not in the index: Ganesha would show what lies under a missing mount.
        """
        path = self.path_of(export.name)
        _replace(path, _text(export, self._squash))
        if export.is_mounted:
            self._change_index(drop=path)
        else:
            self._change_index(add=path)
        return path

    def remove(self, name: str) -> None:
        """Remove the file; one that is not there is no error."""
        path = self.path_of(name)
        self._change_index(drop=path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def write_index(self) -> list[Export]:
        """Make the index anew, after whatever happened to the files; return all exports."""
        with self._lock():
            exports = self.all()
            paths = [self.path_of(export.name) for export in exports if not export.is_mounted]
            _replace(self._index, "".join(map(_include, paths)))
        return exports

    def new_id(self, is_taken: Callable[[int], bool]) -> int:
        """An id that no export has; ids come back only after all others were used.

        A client's file handles hold the id: one that came back at once would make them point
        into another share. is_taken: whether Ganesha has an export of this id. Raises
        ShareBackendFull.
        """
        with self._lock():
            given = self._given()
            used = {export.export_id for export in self.all()} if given >= _IDS else set()
            for count in range(given, given + _IDS):
                number = _FIRST_ID + count % _IDS
                if number not in used and not is_taken(number):
                    _replace(self._counter, f"{count + 1}\n")
                    return number
        raise exception.ShareBackendFull(reason="nfs-ganesha has no export id left")

    @property
    def _index(self) -> str:
        return os.path.join(self.directory, INDEX)

    @property
    def _counter(self) -> str:
        return os.path.join(self.directory, ".counter")

    def _given(self) -> int:
        try:
            with open(self._counter, encoding="utf-8") as file:
                return int(file.read())
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise exception.ShareBackendException(msg=f"{self._counter} is damaged") from error

    def _change_index(self, *, add: str | None = None, drop: str | None = None) -> None:
        with self._lock():
            try:
                with open(self._index, encoding="utf-8") as file:
                    lines = file.readlines()
            except FileNotFoundError:
                lines = []
            wanted = [line for line in lines if drop is None or line != _include(drop)]
            if add is not None and _include(add) not in wanted:
                wanted.append(_include(add))
            if wanted != lines:
                _replace(self._index, "".join(wanted))

    @contextlib.contextmanager
    def working(self, *, alone: bool = False) -> Iterator[None]:
        """Work on one export, beside others; alone: while nobody works on any.

        Whoever looks after all exports is alone, lest one comes back that is just being removed.
        """
        with self._lock(".work", fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def _lock(self, name: str = ".lock", how: int = fcntl.LOCK_EX) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(os.path.join(self.directory, name), flags, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def checked_path(path: str) -> str:
    """The path, when Ganesha's configuration can hold it; PathRefused when not."""
    if not os.path.isabs(path) or _HOSTILE.search(path):
        reason = "an export needs an absolute path without quotes, backslashes and control codes"
        raise exception.PathRefused(name=path, reason=reason)
    return path


def _is_export(entry: str) -> bool:
    return entry.endswith(".conf") and entry != INDEX and not entry.startswith(".")


def _include(path: str) -> str:
    return f'%include "{path}"\n'


def _text(export: Export, squash: str) -> str:
    path = checked_path(export.path)
    values = dataclasses.asdict(export)
    clients = "".join(
        f"    CLIENT {{ Clients = {who}; Access_Type = {level}; }}\n"
        for who, level in export.clients
    )
    return (
        f"{_MARK}{json.dumps(values, sort_keys=True)}\n"
        "EXPORT {\n"
        f"    Export_Id = {export.export_id};\n"
        f'    Path = "{path}";\n'
        f'    Pseudo = "{path}";\n'
        "    Access_Type = NONE;\n"
        f"    Squash = {squash};\n"
        "    SecType = sys;\n"
        "    FSAL { Name = VFS; }\n"
        f"{clients}"
        "}\n"
    )


def _replace(path: str, text: str) -> None:
    """A reader, and a machine that lost its power, has the old text or the new one."""
    temporary = f"{path}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
