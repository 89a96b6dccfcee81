# SPDX-License-Identifier: Apache-2.0
"""Trees under the root: made, copied, replaced and removed so that each step may be killed.

Data get their final name by one rename, when they are complete and on the disk. What a kill leaves
has a working name that no share can have, and is disposed of when the operation is repeated or the
share deleted. Callers hold the locks of the places.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import Protocol

from manila_lite.share.drivers.directory import kernel, removal
from manila_lite.share.drivers.directory.errors import free_bytes, full, told_as
from manila_lite.share.drivers.directory.filedata import DataCopier
from manila_lite.share.drivers.directory.paths import Place, Root
from manila_lite.share.drivers.directory.progress import CopyProgress
from manila_lite.share.drivers.directory.staging import Prepare, Staging, measure

Exchange = Callable[[int, str, str], None]


class Trees(Protocol):
    """What the driver asks of whatever keeps its trees; `Store` says what each means."""

    reflink: bool

    def probe(self) -> bool: ...
    def exists(self, place: Place) -> bool: ...
    def recover(self, place: Place) -> None: ...
    def is_split(self, place: Place) -> bool: ...
    def is_being_made(self, place: Place) -> bool: ...
    def create_empty(self, place: Place, mode: int, prepare: Prepare) -> None: ...
    def create_copy(self, place: Place, source: Place, prepare: Prepare) -> None: ...
    def replace_with_copy(self, place: Place, source: Place, prepare: Prepare) -> None: ...
    def remove(self, place: Place) -> bool: ...
    def used_bytes(self, place: Place) -> int: ...


def _no_preparation(path: str) -> None:
    """Where sizes are not enforced, a new tree needs none."""


class Store:
    """The trees of one root. ``reflink`` says whether copies can share blocks: see `probe`."""

    def __init__(
        self, root: Root, progress: CopyProgress, exchange: Exchange = kernel.exchange
    ) -> None:
        self._root = root
        self._progress = progress
        self._exchange = exchange
        self.reflink = True

    def exists(self, place: Place) -> bool:
        """Whether the data are there, if only under the name that a killed `_swap` left."""
        with self._root.area(place.kind.value) as area:
            return is_directory(area, place.name) or is_directory(area, place.old)

    def recover(self, place: Place) -> None:
        """Undo a replacement that was killed between its two renames."""
        with self._root.area(place.kind.value) as area:
            if not is_directory(area, place.name) and is_directory(area, place.old):
                os.rename(place.old, place.name, src_dir_fd=area, dst_dir_fd=area)

    def is_split(self, place: Place) -> bool:
        """Whether `recover` has something to do, or a replacement is going on right now."""
        with self._root.area(place.kind.value) as area:
            return is_directory(area, place.old) and not is_directory(area, place.name)

    def is_being_made(self, place: Place) -> bool:
        """Whether there is a copy of that name which is not complete, running or killed."""
        with self._root.area(place.kind.value) as area:
            return is_directory(area, place.new)

    def create_empty(self, place: Place, mode: int, prepare: Prepare = _no_preparation) -> None:
        """Make an empty directory with exactly these permissions."""
        doing = f"creating {place}"
        with told_as(doing, self._root.path), self._staged(place, prepare) as (area, staging):
            staging.set_mode(mode)
            _publish(area, place)

    def create_copy(
        self,
        place: Place,
        source: Place,
        prepare: Prepare = _no_preparation,
        origin: Store | None = None,
    ) -> None:
        """Copy another place. ShareBackendFull leaves nothing behind.

        origin: the store that has the source, which may be on another file system; this one's own
        where none is given.
        """
        with self._staged(place, prepare) as (area, staging):
            self._fill(staging, place, source, origin)
            with told_as(f"creating {place}", self._root.path):
                _publish(area, place)

    def replace_with_copy(
        self,
        place: Place,
        source: Place,
        prepare: Prepare = _no_preparation,
        origin: Store | None = None,
    ) -> None:
        """Put a copy of ``source`` in the stead of the data of ``place``, at once.

        Whoever has a file of the old data open keeps it; the directory is another one afterwards.
        origin: as for `create_copy`.
        """
        with self._staged(place, prepare) as (area, staging):
            self._fill(staging, place, source, origin)
            with told_as(f"replacing {place}", self._root.path):
                self._swap(area, place)

    def remove(self, place: Place) -> bool:
        """Remove data and leftovers; whether there were data. Nothing outside is ever touched."""
        with told_as(f"deleting {place}", self._root.path), self._opened(place) as area:
            self._staging(area, place).clear()
            found = is_present(area, place.name)
            if found:
                rename_away(area, place)
                for name in (place.name, place.trash):
                    removal.remove(area, name)
            removal.remove(area, place.old)
            return found

    def used_bytes(self, place: Place) -> int:
        """Bytes allocated to a place. BackendBusy when it cannot be walked through in peace."""
        with told_as(f"measuring {place}", self._root.path), self._opened(place) as area:
            return measure(area, place.name, str(place))

    def probe(self) -> bool:
        """Find out whether two files under the root can share blocks."""
        names = (f".probe~{os.getpid()}.a", f".probe~{os.getpid()}.b")
        with told_as("trying reflinks", self._root.path), self._root.opened() as root:
            try:
                self.reflink = _clones(root, *names)
            finally:
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=root)
        return self.reflink

    def _opened(self, place: Place) -> contextlib.AbstractContextManager[int]:
        return self._root.area(place.kind.value)

    def _staging(self, area: int, place: Place, prepare: Prepare = _no_preparation) -> Staging:
        return Staging(area, os.path.join(self._root.path, place.kind.value), place, prepare)

    @contextlib.contextmanager
    def _staged(self, place: Place, prepare: Prepare) -> Iterator[tuple[int, Staging]]:
        """An empty working directory, and none afterwards whatever happens short of a kill."""
        with self._opened(place) as area:
            staging = self._staging(area, place, prepare)
            with told_as(f"preparing {place}", self._root.path):
                staging.start()
            try:
                yield area, staging
            finally:
                with told_as(f"clearing up after {place}", self._root.path):
                    staging.clear()

    def _fill(
        self, staging: Staging, place: Place, source: Place, origin: Store | None = None
    ) -> None:
        doing = f"copying {source} to {place}"
        origin = origin or self
        needed = origin.used_bytes(source)
        # Between two roots, whether blocks can be shared is found out with the first file.
        if not (self.reflink and origin is self) and needed > free_bytes(self._root.path):
            raise full(doing, self._root.path, needed)
        data = DataCopier(reflink=self.reflink)
        with told_as(doing, self._root.path, needed), origin._opened(source) as source_area:
            staging.fill(source_area, source, data, needed, self._progress)

    def _swap(self, area: int, place: Place) -> None:
        """Exchange the names where the file system can; else `recover` mends what a kill split."""
        try:
            self._exchange(area, place.new, place.name)
        except OSError as error:
            if not kernel.is_unsupported(error):
                raise
            removal.remove(area, place.old)
            os.rename(place.name, place.old, src_dir_fd=area, dst_dir_fd=area)
            _publish(area, place)
            removal.remove(area, place.old)
        kernel.fsync_directory(area)


def _publish(area: int, place: Place) -> None:
    os.rename(place.new, place.name, src_dir_fd=area, dst_dir_fd=area)
    kernel.fsync_directory(area)


def is_directory(area: int, name: str) -> bool:
    """Whether an entry of an area is a directory, and no link to one."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=area, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def is_present(area: int, name: str) -> bool:
    """Whether there is an entry of that name, of whatever kind."""
    try:
        os.stat(name, dir_fd=area, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def rename_away(area: int, place: Place) -> None:
    """Take the name away first, so that half a share is never seen under it.

    Where not even a name fits on the disk, it stays: deleting is what would help.
    """
    try:
        os.rename(place.name, place.trash, src_dir_fd=area, dst_dir_fd=area)
        kernel.fsync_directory(area)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _clones(root: int, first: str, second: str) -> bool:
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        open(os.open(first, flags, 0o600, dir_fd=root), "wb") as source,
        open(os.open(second, flags, 0o600, dir_fd=root), "wb") as target,
    ):
        source.write(bytes(65536))
        source.flush()
        try:
            kernel.clone_file(source.fileno(), target.fileno())
        except OSError:
            return False
        return True
