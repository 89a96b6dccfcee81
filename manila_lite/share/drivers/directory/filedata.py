# SPDX-License-Identifier: Apache-2.0
"""Copying what is in one file: shared blocks where possible, else data without the holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Final

from manila_lite.share.drivers.directory import kernel

Progress = Callable[[int], None]
"""Called with the number of bytes that were copied since the last call."""

_CHUNK: Final = 8 << 20
_FEW: Final = 100  # files that are sooner written out one by one than with all that is unwritten
_NO_REFLINKS_HERE: Final = frozenset({errno.ENOTSUP, errno.ENOTTY, errno.EXDEV, errno.ENOSYS})
_NOT_IN_KERNEL: Final = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}
)


class DataCopier:
    """Copies files one after another and remembers what the file system cannot do.

    ``reflinked`` and ``copied`` count the files that went either way. Whoever copies calls
    `write_out` for each file, and for the file system at the end.
    """

    def __init__(self, *, reflink: bool = True) -> None:
        self._reflink = reflink
        self._in_kernel = True
        self.reflinked = 0
        self.copied = 0

    def copy(self, source: int, target: int, progress: Progress) -> None:
        """Give the empty file ``target`` the contents of ``source``; OSError as writing raises.

        A file that is cut short meanwhile is copied as far as it then goes.
        """
        if self._clone(source, target):
            self.reflinked += 1
            progress(os.fstat(source).st_blocks * 512)
            return
        self.copied += 1
        size = os.fstat(source).st_size
        for start, end in _extents(source, size):
            self._range(source, target, start, end, progress)
        os.ftruncate(target, min(size, os.fstat(source).st_size))

    def write_out(self, target: int) -> None:
        """Bring a file to the disk, unless there are so many that it is done for all at once."""
        if self._are_few:
            os.fsync(target)

    def write_out_rest(self, directory: int) -> None:
        """Bring the files to the disk that `write_out` left; all of the file system goes along."""
        if not self._are_few:
            kernel.sync_file_system(directory)

    @property
    def _are_few(self) -> bool:
        return self.reflinked + self.copied <= _FEW

    def _clone(self, source: int, target: int) -> bool:
        if not self._reflink:
            return False
        try:
            kernel.clone_file(source, target)
        except OSError as error:
            if error.errno in _NO_REFLINKS_HERE:
                self._reflink = False
            elif error.errno not in (errno.EINVAL, errno.EPERM, errno.ETXTBSY):
                raise
            return False
        return True

    def _range(self, source: int, target: int, start: int, end: int, progress: Progress) -> None:
        while start < end:
            done = self._some(source, target, start, min(_CHUNK, end - start))
            if done == 0:
                return
            start += done
            progress(done)

    def _some(self, source: int, target: int, offset: int, length: int) -> int:
        """Copy up to ``length`` bytes at ``offset``; 0 at the end of the source."""
        if self._in_kernel:
            try:
                return os.copy_file_range(source, target, length, offset, offset)
            except OSError as error:
                if error.errno not in _NOT_IN_KERNEL:
                    raise
                self._in_kernel = False
        return _write_at(target, os.pread(source, min(length, 1 << 20), offset), offset)


def _write_at(target: int, data: bytes, offset: int) -> int:
    view = memoryview(data)
    while view:
        written = os.pwrite(target, view, offset)
        view, offset = view[written:], offset + written
    return len(data)


def _extents(source: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the file has data: (start, end) pairs. One pair where holes cannot be asked for."""
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
            end = os.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            if not kernel.is_unsupported(error):
                raise
            start, end = position, size
        yield start, min(end, size)
        position = end
