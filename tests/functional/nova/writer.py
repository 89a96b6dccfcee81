# SPDX-License-Identifier: Apache-2.0
"""What writes inside a guest, all the time, and knows what the disk must show for it."""

import contextlib
import random
import threading
from collections.abc import Iterator

from tests.functional.nova import pictures
from tests.functional.nova.nbd import Disk
from tests.functional.nova.pictures import BLOCK

SECTOR = 512
_PLACES = 48  # blocks that are written to, spread over the disk
_MOST = 32  # sectors of one write
_PACE = 0.004  # seconds between two writes


class Writer:
    """Writes random bytes, and zeroes, to random places; the last block of the disk among them.

    picture: what the disk shows by what was acknowledged. written: how many writes were.
    """

    def __init__(self, seed: int, *, durable: bool) -> None:
        self.picture: pictures.Picture = {}
        self.written = 0
        self._durable = durable
        self._random = random.Random(seed)
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._disk: Disk | None = None
        # What was sent and not acknowledged: (offset, bytes).
        self._open: tuple[int, bytes] | None = None
        self._trouble: BaseException | None = None

    # -- life ----------------------------------------------------------------------------------

    def begin(self, disk: Disk) -> None:
        """Take a disk; write nothing yet."""
        self._disk = disk
        count = disk.size // BLOCK
        self._places = sorted({place * (count - 1) // (_PLACES - 1) for place in range(_PLACES)})

    def run(self) -> None:
        """Write, in a thread of its own, until stop."""
        assert self._thread is None, "it writes already"
        self._ended.clear()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write no more; raise what went wrong meanwhile."""
        self._join()
        if self._trouble is not None:
            raise self._trouble

    def end(self) -> None:
        """Give the disk back."""
        self.disk.flush()
        self.disk.close()
        self._disk = None

    def lose(self) -> None:
        """The disk is gone, and with it the answer to the write that was under way."""
        self._join()
        self.disk.close()
        self._disk = None
        self._trouble = None

    def settle(self) -> None:
        """Find out what became of the write that was under way when the disk was lost.

        A sector of it may be written or not; every other byte must be as it was.
        """
        if self._open is None:
            return
        offset, data = self._open
        found = self.disk.read(offset, len(data))
        before = pictures.at(self.picture, offset, len(data))
        for start in range(0, len(data), SECTOR):
            part = slice(start, start + SECTOR)
            assert found[part] in (before[part], data[part]), "an unfinished write wrote nonsense"
        self.picture = pictures.changed(self.picture, offset, found)
        self._open = None

    @property
    def disk(self) -> Disk:
        assert self._disk is not None, "the guest does not run"
        return self._disk

    def _join(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # -- writing -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def paused(self) -> Iterator[Disk]:
        """No write is under way inside; the disk is the caller's."""
        with self._turn:
            yield self.disk

    def write(self, offset: int, data: bytes) -> None:
        """Write; it counts when the disk has acknowledged it."""
        with self._turn:
            self._write(offset, data)

    def some(self, count: int) -> None:
        """Write so many times, at random."""
        for _ in range(count):
            with self._turn:
                self._write_something()

    def differences(self) -> list[int]:
        """Numbers of the blocks that do not show what was written; of all that ever are."""
        with self._turn:
            return self.wrong_blocks()

    def wrong_blocks(self) -> list[int]:
        """As differences, for who has paused the writer."""
        return [
            number
            for number in self._places
            if self.disk.read(number * BLOCK, BLOCK) != self.picture.get(number, pictures.ZERO)
        ]

    def _go_on(self) -> None:
        try:
            while not self._ended.wait(_PACE):
                with self._turn:
                    self._write_something()
        except (OSError, EOFError) as error:
            self._trouble = error

    def _write_something(self) -> None:
        sectors = self._random.randint(1, _MOST)
        start = self._random.randint(0, BLOCK // SECTOR - sectors)
        offset = self._random.choice(self._places) * BLOCK + start * SECTOR
        length = sectors * SECTOR
        erase = self._random.random() < 0.1
        self._write(offset, bytes(length) if erase else self._random.randbytes(length))

    def _write(self, offset: int, data: bytes) -> None:
        self._open = (offset, data)
        if any(data):
            self.disk.write(offset, data, durable=self._durable)
        else:
            self.disk.write_zeroes(offset, len(data), durable=self._durable)
        self.picture = pictures.changed(self.picture, offset, data)
        self._open = None
        self.written += 1
