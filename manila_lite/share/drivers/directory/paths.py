# SPDX-License-Identifier: Apache-2.0
"""Names to paths: the one place that decides what lies where under the root.

    <root>/shares/<share name>            a share's data
    <root>/snapshots/<snapshot name>      a snapshot's data
    <root>/shares/.new~<name>             a copy that is not complete, or data that was replaced
    <root>/shares/.links~<name>           helps a copy to find hard links again
    <root>/shares/.old~<name>             data that is about to be replaced
    <root>/shares/.trash~<name>           data that is being deleted
    <root>/.metadata/shares/<name>.json   size, origin, access rules
    <root>/.locks                         one byte of it is held while something works on a share
    <backup root>/backups/<backup name>   a backup's data, with metadata and locks likewise

Working names lie beside the final ones, since a directory that its owner made read-only can be
renamed within its parent but not into another one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from manila_lite import exception

METADATA: Final = ".metadata"
LOCKS: Final = ".locks"
OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_LONGEST_NAME = 200


def checked_name(name: object) -> str:
    """The name, when it is safe as one path component; PathRefused, which names it, when not."""
    if not isinstance(name, str):
        raise exception.PathRefused(name=name, reason="it is no text")
    if len(name) > _LONGEST_NAME:
        raise exception.PathRefused(name=name[:50] + "...", reason="it is too long")
    if not _NAME.fullmatch(name) or ".." in name:
        raise exception.PathRefused(
            name=name, reason="only letters, digits and _ . - may stand in it, no dot in front"
        )
    return name


class Kind(enum.Enum):
    """What a place holds; the value is the name of the area under the root."""

    SHARE = "shares"
    SNAPSHOT = "snapshots"
    BACKUP = "backups"


#: What lies under the root of a back end. Backups have a root of their own.
OF_BACKEND: Final = (Kind.SHARE, Kind.SNAPSHOT)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one share or snapshot lies. Raises PathRefused for a name that is no file name."""

    kind: Kind
    name: str

    def __post_init__(self) -> None:
        checked_name(self.name)

    def __str__(self) -> str:
        return f"{self.kind.value}/{self.name}"

    @property
    def key(self) -> str:
        return f"{self.kind.value}.{self.name}"

    @property
    def new(self) -> str:
        return f".new~{self.name}"

    @property
    def links(self) -> str:
        return f".links~{self.name}"

    @property
    def old(self) -> str:
        return f".old~{self.name}"

    @property
    def trash(self) -> str:
        return f".trash~{self.name}"


class Root:
    """The configured directory. ``section`` is the back end's, for error messages."""

    def __init__(self, path: str | None, section: str, option: str = "directory_root") -> None:
        self.configured = path or ""
        self.path = os.path.realpath(path) if path else ""
        self.section = section
        self.option = option

    def check(self) -> None:
        """Raise ConfigurationError where the root cannot serve: unset, absent, read-only."""
        if not self.configured:
            raise self._unusable("it is required and not set")
        if not os.path.isabs(self.configured):
            raise self._unusable("it must be an absolute path")
        if self.path == "/":
            raise self._unusable("it must not be the root of the machine")
        try:
            mode = os.stat(self.path).st_mode
        except OSError as error:
            raise self._unusable(_reason_of(error)) from error
        if not stat.S_ISDIR(mode):
            raise self._unusable("it is not a directory")
        if os.statvfs(self.path).f_flag & os.ST_RDONLY:
            raise self._unusable("its file system is mounted read-only")
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise self._unusable(f"user id {os.geteuid()} cannot write to it")

    def create_layout(self, kinds: Sequence[Kind] = OF_BACKEND) -> None:
        """Make the directories under the root that are not there; raises as :meth:`check`."""
        self.check()
        try:
            for kind in kinds:
                self._make(kind.value, 0o755)
            self._make(METADATA, 0o700)
            for kind in kinds:
                self._make(os.path.join(METADATA, kind.value), 0o700)
            os.close(self.open_file(LOCKS, os.O_RDWR | os.O_CREAT))
        except OSError as error:
            raise self._unusable(_reason_of(error)) from error

    def _make(self, part: str, mode: int) -> None:
        path = os.path.join(self.path, part)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)
        os.close(os.open(path, OPEN_DIRECTORY))
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise PermissionError(errno.EACCES, f"user id {os.geteuid()} cannot write to it", path)

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the root, for as long as the block runs."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def area(self, *parts: str) -> Iterator[int]:
        """A descriptor of a directory of the layout.

        An area that is missing is an error and is not made again: the file system behind the root
        may not be mounted, and an empty directory would then look like shares that are gone.
        """
        descriptor = self.open_file(os.path.join(*parts), OPEN_DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def open_file(self, part: str, flags: int) -> int:
        """Open a part of the layout, which `create_layout` has made. As `area` when missing."""
        path = os.path.join(self.path, part)
        try:
            return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise exception.ShareBackendException(
                msg=f"{path} is missing; is the file system of {self.option} mounted?"
            ) from error

    def data_path(self, place: Place) -> str:
        return os.path.join(self.path, place.kind.value, place.name)

    def _unusable(self, reason: str) -> exception.ConfigurationError:
        return exception.ConfigurationError(
            section=self.section, option=self.option, value=self.configured, reason=reason
        )


def _reason_of(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such directory"
    return f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror)
