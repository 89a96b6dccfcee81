# SPDX-License-Identifier: Apache-2.0
"""How far a transfer is, in percent, told to whoever wants to know.

The methods of drivers have no parameter for it, so a flow says around the call whom to tell:

    with progress.reported_to(tell):
        driver.copy_image_to_volume(context, volume, image_service, image_id)
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

Report = Callable[[int], None]
"""Called with a percentage that is larger than the one before. What it raises ends the transfer."""

_report: contextvars.ContextVar[Report | None] = contextvars.ContextVar(
    "manila_lite_image_progress", default=None
)
# qemu-img -p writes "    (12.34/100%)" and a carriage return, again and again.
_QEMU_IMG: Final = re.compile(rb"\(\s*(\d+(?:\.\d+)?)/100%\)")


@contextlib.contextmanager
def reported_to(report: Report) -> Iterator[None]:
    """Tell `report` of every transfer that this thread makes inside the block."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


class Progress:
    """A part of the way from 0 to 100 %, made of parts itself."""

    def __init__(
        self, tell: Callable[[float], None] | None = None, start: float = 0.0, end: float = 100.0
    ) -> None:
        self._tell = tell or (lambda percent: None)
        self._start = start
        self._end = end

    def at(self, share: float) -> None:
        """So much of this part is done; from 0 to 1."""
        share = min(max(share, 0.0), 1.0)
        self._tell(self._start + share * (self._end - self._start))

    def part(self, start: float, end: float) -> Progress:
        """The part of this part that goes from `start` to `end`; both from 0 to 1."""
        width = self._end - self._start
        return Progress(self._tell, self._start + start * width, self._start + end * width)

    def counter(self, total: int | None) -> Callable[[int], None]:
        """A function that is told how many more bytes of `total` are done; None: it is unknown."""
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            if total:
                self.at(done / total)

        return count

    def of_qemu_img(self) -> Callable[[bytes], None]:
        """A function that is given what ``qemu-img -p`` writes, piece by piece."""
        rest = b""

        def read(output: bytes) -> None:
            nonlocal rest
            found = _QEMU_IMG.findall(rest + output)
            rest = (rest + output)[-32:]
            for percent in found:
                self.at(float(percent) / 100)

        return read


def begin(report: Report | None = None) -> Progress:
    """The whole way of a new transfer, told to `report`, else to whom reported_to() named."""
    report = report or _report.get()
    if report is None:
        return Progress()
    last = 0

    def tell(percent: float) -> None:
        nonlocal last
        if int(percent) > last:
            last = int(percent)
            report(last)

    return Progress(tell)


class WatchedReader:
    """A regular file that shows each piece that is read of it, and that knows its length.

    requests sends such a file with a Content-Length and never has it in memory as a whole.
    """

    def __init__(self, file: BinaryIO, watch: Callable[[bytes], object]) -> None:
        self._file = file
        self._watch = watch
        self._size = os.fstat(file.fileno()).st_size

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(64 * 1024):
            yield piece

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._watch(piece)
        return piece


class CountedWriter:
    """A file that tells how much has been written to it, holes included."""

    def __init__(self, file: BinaryIO, count: Callable[[int], None]) -> None:
        self._file = file
        self._count = count

    def write(self, piece: bytes) -> int:
        self._count(len(piece))
        return self._file.write(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            self._count(offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()
