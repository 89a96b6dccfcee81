# SPDX-License-Identifier: Apache-2.0
"""The working directory of a share or snapshot that is being made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from manila_lite import exception
from manila_lite.share.drivers.directory import kernel, removal, tree, usage
from manila_lite.share.drivers.directory.copying import copy_tree
from manila_lite.share.drivers.directory.filedata import DataCopier
from manila_lite.share.drivers.directory.paths import OPEN_DIRECTORY, Place
from manila_lite.share.drivers.directory.progress import CopyProgress

_PASSES = 3

Prepare = Callable[[str], None]
"""Called with the path of the new, empty tree before anything is put into it."""


class Staging:
    """Makes ``place.new`` in its area. Every method raises OSError as the file system does."""

    def __init__(self, area: int, area_path: str, place: Place, prepare: Prepare) -> None:
        self._area = area
        self._path = os.path.join(area_path, place.new)
        self._place = place
        self._prepare = prepare

    def start(self) -> None:
        """Have an empty working directory, whatever an earlier try left."""
        self.clear()
        os.mkdir(self._place.new, 0o700, dir_fd=self._area)
        self._prepare(self._path)

    def clear(self) -> None:
        """Remove the working directory and what an interrupted deletion left."""
        for leftover in (self._place.new, self._place.links, self._place.trash):
            removal.remove(self._area, leftover)

    def set_mode(self, mode: int) -> None:
        with directory(self._area, self._place.new) as new:
            os.fchmod(new, mode)

    def fill(self, source_area: int, source: Place, data: DataCopier, total: int,
             progress: CopyProgress) -> None:  # fmt: skip
        """Copy ``source`` and write it out to the disk. ``total`` is its size in bytes."""
        for _ in range(_PASSES):
            with contextlib.suppress(tree.TreeChanged):
                with progress.following(self._place.name, total) as count:
                    self._copy(source_area, source, data, count)
                return
            self.start()
        raise exception.BackendBusy(reason=f"{source} keeps changing while it is copied")

    def _copy(
        self, source_area: int, source: Place, data: DataCopier, count: Callable[[int], None]
    ) -> None:
        os.mkdir(self._place.links, 0o700, dir_fd=self._area)
        with (
            directory(source_area, source.name) as origin,
            directory(self._area, self._place.new) as new,
            directory(self._area, self._place.links) as links,
        ):
            copy_tree(origin, new, links, data, count)
            removal.remove(self._area, self._place.links)
            data.write_out_rest(new)


@contextlib.contextmanager
def directory(area: int, name: str) -> Iterator[int]:
    """A descriptor of one directory in an area, never of what a link there points to."""
    descriptor = kernel.open_beneath(name, area, OPEN_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def measure(area: int, name: str, label: str) -> int:
    """Bytes allocated to a tree; BackendBusy when others move it about all the time."""
    for _ in range(_PASSES):
        with contextlib.suppress(tree.TreeChanged), directory(area, name) as top:
            return usage.used_bytes(top)
    raise exception.BackendBusy(reason=f"{label} keeps changing while it is measured")
