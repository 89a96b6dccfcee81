# SPDX-License-Identifier: Apache-2.0
"""Subvolumes under the root: made, cloned, replaced and removed so that each step may be killed.

    <root>/shares/.new~<name>~<number>   a subvolume that is not complete, or one that was replaced
    <root>/shares/.trash~<name>          one that is being deleted

The rest of the layout is the directory driver's. A new subvolume has its limit before it gets its
final name, by one rename. Each attempt has a name of its own: a command that outlives a killed
service cannot get in the way of the next attempt. Callers hold the locks of the places.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
from collections.abc import Callable, Iterator

from manila_lite import exception
from manila_lite.share.drivers.btrfs import calls, nested
from manila_lite.share.drivers.btrfs.commands import Commands
from manila_lite.share.drivers.btrfs.quota import QuotaGroups
from manila_lite.share.drivers.directory import kernel, removal
from manila_lite.share.drivers.directory.errors import told_as
from manila_lite.share.drivers.directory.locks import Locks
from manila_lite.share.drivers.directory.paths import (
    OF_BACKEND,
    OPEN_DIRECTORY,
    Kind,
    Place,
    Root,
)
from manila_lite.share.drivers.directory.staging import Prepare
from manila_lite.share.drivers.directory.store import is_directory, is_present, rename_away

LOG = logging.getLogger(__name__)

Make = Callable[[str], None]
"""Called with the path at which it makes a subvolume."""


class SubvolumeStore:
    """The subvolumes of one root; the methods are those of `directory.store.Store`."""

    reflink = True

    def __init__(self, root: Root, commands: Commands, groups: QuotaGroups) -> None:
        self._root = root
        self._commands = commands
        self._groups = groups

    def probe(self) -> bool:
        """Clones always share blocks."""
        return True

    def exists(self, place: Place) -> bool:
        """Whether the data are there."""
        with self._opened(place) as area:
            return is_directory(area, place.name)

    def recover(self, place: Place) -> None:
        """Two names are exchanged at once: there is nothing between to recover from."""

    def is_split(self, place: Place) -> bool:
        return False

    def is_being_made(self, place: Place) -> bool:
        """Whether there is a subvolume for that name which is not complete."""
        with self._opened(place) as area:
            return bool(_attempts(area, place))

    def create_empty(self, place: Place, mode: int, prepare: Prepare) -> None:
        """Make an empty subvolume whose directory has exactly these permissions."""

        def make(path: str) -> None:
            self._commands.create(path)
            os.chmod(path, mode)

        with self._made(f"creating {place}", place, make, prepare) as (area, new):
            _publish(area, new, place)

    def create_copy(self, place: Place, source: Place, prepare: Prepare) -> None:
        """Clone another place, at one moment of it. A snapshot becomes read-only."""
        with self._cloned(place, source, prepare) as (area, new):
            _publish(area, new, place)

    def replace_with_copy(self, place: Place, source: Place, prepare: Prepare) -> None:
        """Put a clone of ``source`` in the stead of the data of ``place``, at once."""
        with self._cloned(place, source, prepare) as (area, new):
            kernel.exchange(area, new, place.name)
            kernel.fsync_directory(area)

    def remove(self, place: Place) -> bool:
        """Remove data and leftovers; whether there were data. Nothing outside is ever touched."""
        with told_as(f"deleting {place}", self._root.path), self._opened(place) as area:
            self._clear(area, place)
            found = is_present(area, place.name)
            if found:
                rename_away(area, place)
                for name in (place.name, place.trash):
                    self._dispose(area, place, name)
            return found

    def used_bytes(self, place: Place) -> int:
        """Bytes that a place refers to, whoever else shares them. As `QuotaGroups.settle`."""
        with told_as(f"measuring {place}", self._root.path):
            self._groups.settle()
            return self.counted_bytes(place)

    def counted_bytes(self, place: Place) -> int:
        """As `used_bytes`, without what was written since the file system was last synced."""
        with told_as(f"measuring {place}", self._root.path):
            return self._groups.used(self.number(place))

    def number(self, place: Place) -> int:
        """The number of a place's subvolume, which a revert changes."""
        with told_as(f"looking at {place}", self._root.path):
            return self._groups.number(self._root.data_path(place))

    def sweep(self, locks: Locks) -> None:
        """Remove what killed attempts and deletions left, unless somebody is at work on it."""
        for kind in OF_BACKEND:
            for name in self._leftovers(kind):
                try:
                    place = Place(kind, name)
                    with locks.data(place), self._opened(place) as area:
                        self._clear(area, place)
                except (exception.ManilaException, OSError) as error:
                    LOG.info("What was left of %s/%s stays for now: %s", kind.value, name, error)

    def _leftovers(self, kind: Kind) -> set[str]:
        with self._root.area(kind.value) as area, os.scandir(area) as entries:
            parts = [entry.name.split("~") for entry in entries if entry.name.startswith(".")]
        return {part[1] for part in parts if len(part) > 1 and part[0] in (".new", ".trash")}

    def _opened(self, place: Place) -> contextlib.AbstractContextManager[int]:
        return self._root.area(place.kind.value)

    def _path(self, place: Place, name: str) -> str:
        return os.path.join(self._root.path, place.kind.value, name)

    def _cloned(
        self, place: Place, source: Place, prepare: Prepare
    ) -> contextlib.AbstractContextManager[tuple[int, str]]:
        doing, origin = f"copying {source} to {place}", self._root.data_path(source)
        if source.kind is Kind.SHARE:
            self._refuse_nested(doing, source, origin)

        def make(path: str) -> None:
            self._commands.snapshot(origin, path, read_only=place.kind is Kind.SNAPSHOT)

        return self._made(doing, place, make, prepare)

    def _refuse_nested(self, doing: str, source: Place, path: str) -> None:
        """A clone would have empty directories in the place of subvolumes."""
        with told_as(doing, self._root.path):
            if self._commands.holds_subvolumes(path):
                raise exception.ShareBackendException(
                    msg=f"{source} holds subvolumes that somebody made inside it; snapshots "
                    "cannot have what lies in them"
                )

    @contextlib.contextmanager
    def _made(
        self, doing: str, place: Place, make: Make, prepare: Prepare
    ) -> Iterator[tuple[int, str]]:
        """A prepared subvolume under a name of this attempt's own; no such name afterwards."""
        new = f"{place.new}~{secrets.token_hex(4)}"
        path = self._path(place, new)
        with told_as(doing, self._root.path), self._opened(place) as area:
            self._clear(area, place)
            try:
                make(path)
                prepare(path)
                yield area, new
            finally:
                self._clear(area, place)

    def _clear(self, area: int, place: Place) -> None:
        """Remove what attempts and an interrupted deletion left, and what was replaced."""
        for name in (*_attempts(area, place), place.trash):
            self._dispose(area, place, name)

    def _dispose(self, area: int, place: Place, name: str) -> None:
        """Remove an entry of an area for good, whatever it is; nothing happens when it is gone."""
        try:
            info = os.stat(name, dir_fd=area, follow_symlinks=False)
            if calls.is_subvolume(info):
                self._delete(area, self._path(place, name), name)
            else:
                removal.remove(area, name)
        except FileNotFoundError:
            return

    def _delete(self, area: int, path: str, name: str) -> None:
        try:
            self._commands.delete(path)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                nested.remove_inside(area, name)
                self._commands.delete(path)
            elif is_present(area, name):
                raise


def _attempts(area: int, place: Place) -> list[str]:
    """Names of what attempts left.

    The directory is opened anew: btrfs does not show a descriptor what was made after it was read.
    """
    again = os.open(".", OPEN_DIRECTORY, dir_fd=area)
    try:
        return [name for name in os.listdir(again) if name.startswith(f"{place.new}~")]
    finally:
        os.close(again)


def _publish(area: int, new: str, place: Place) -> None:
    os.rename(new, place.name, src_dir_fd=area, dst_dir_fd=area)
    kernel.fsync_directory(area)
