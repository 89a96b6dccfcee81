# SPDX-License-Identifier: Apache-2.0
"""Locks between threads and processes that work on the same share or snapshot.

Lanes keep the operations of one share apart. These locks are for what lanes cannot see: a worker
that lost its lease in the middle of a copy, and the copy of a snapshot for another share. They are
ranges of one byte in one file, so they take no room on a full disk, and the kernel drops them with
the process that holds them.

On a network file system whose locks are local to a machine, they guard that machine only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from typing import Final

from manila_lite import exception
from manila_lite.share.drivers.directory.paths import LOCKS, Place, Root

_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, process; padded
_OFFSETS: Final = 1 << 62


class PlaceBusy(exception.BackendBusy):
    """Somebody else holds the data of a place."""


class Locks:
    """Locks by place. No lock is granted twice, not even within one thread."""

    def __init__(self, root: Root) -> None:
        self._root = root

    @contextlib.contextmanager
    def data(self, place: Place, *, shared: bool = False) -> Iterator[None]:
        """Hold the data of a place; PlaceBusy at once where somebody else does."""
        kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
        try:
            descriptor = self._lock(place.key, kind, fcntl.F_OFD_SETLK)
        except (BlockingIOError, PermissionError) as error:
            raise PlaceBusy(reason=f"something else works on {place}") from error
        try:
            yield
        finally:
            _release(descriptor)

    def is_shared(self, place: Place) -> bool:
        """Whether whoever holds the data of a place, if anybody does, only reads them."""
        try:
            with self.data(place, shared=True):
                return True
        except PlaceBusy:
            return False

    def metadata(self, place: Place) -> contextlib.AbstractContextManager[None]:
        """Hold the metadata of a place, which takes as long as writing a small file."""
        return self._waiting(f"{place.key}/metadata")

    def numbers(self) -> contextlib.AbstractContextManager[None]:
        """Hold what gives out numbers."""
        return self._waiting("numbers")

    @contextlib.contextmanager
    def _waiting(self, key: str) -> Iterator[None]:
        descriptor = self._lock(key, fcntl.F_WRLCK, fcntl.F_OFD_SETLKW)
        try:
            yield
        finally:
            _release(descriptor)

    def _lock(self, key: str, kind: int, command: int) -> int:
        """A descriptor that holds the lock until it is closed: each has its own, as threads do."""
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        offset = int.from_bytes(digest) % _OFFSETS
        descriptor = self._root.open_file(LOCKS, os.O_RDWR)
        try:
            fcntl.fcntl(descriptor, command, _request(kind, offset, 1))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _request(kind: int, offset: int, length: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, offset, length, 0)


def _release(descriptor: int) -> None:
    """Unlock and close. To close alone would leave the lock to a command that is being started.

    Between its fork and its exec, it has copies of all descriptors of the service.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_UNLCK, 0, 0))
    finally:
        os.close(descriptor)
