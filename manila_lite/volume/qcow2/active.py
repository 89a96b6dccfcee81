# SPDX-License-Identifier: Apache-2.0
"""Which of a volume's images is the active one: the one that a guest has, or will get.

Recorded is one; but a crash may have come between an overlay and its record, or between Nova's
word and the record. The rules, for an image that is recorded as active and has others above it:

1. A guest that is seen to write decides: the topmost image that is held for writing.
2. One chain above it: its top. If that overlay was never used, it shows what is under it, so that
   nothing is lost if the guest should be on the image under it; the other way round much is.
3. Several: the one that has data. If none has, they all show the same, and the recorded one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from manila_lite.volume.qcow2.chain import Image, ImageMissing
from manila_lite.volume.qcow2.image_locks import Holder
from manila_lite.volume.qcow2.info_file import Recorded
from manila_lite.volume.qcow2.reconcile import ChainUnclear

_MANY: Final = "several images could be the active one: "


class Choice:
    """Finds the active image among images by name.

    holder and has_data are asked about an image's name, and only where the record leaves a doubt.
    """

    def __init__(
        self,
        images: Mapping[str, Image],
        recorded: Recorded,
        volume_name: str,
        base: str,
        holder: Callable[[str], Holder],
        has_data: Callable[[str], bool],
    ) -> None:
        """base: name of the volume's base image."""
        self._images = images
        self._recorded = recorded
        self._volume_name = volume_name
        self._base = base
        self._holder = holder
        self._has_data = has_data
        self._above: dict[str, list[str]] = {}
        for image in images.values():
            if image.backing is not None and image.name != self._merged():
                self._above.setdefault(image.backing, []).append(image.name)

    def active(self) -> str:
        """The name of the active image. Raises ChainUnclear, and ImageMissing without any."""
        start = self._start()
        if start is None:
            leaves = [name for name in self._images if not self._above.get(name)]
            return self._chosen(None, [name for name in leaves if name != self._merged()])
        leaves = [name for name in self.above(start) if not self._above.get(name)]
        return self._chosen(start, leaves) if leaves else start

    def above(self, name: str) -> list[str]:
        """Images that stand over the named one, directly or not, nearest first."""
        found: list[str] = []
        pending = [name]
        while pending:
            for upper in self._above.get(pending.pop(0), ()):
                if upper not in found and upper != name:
                    found.append(upper)
                    pending.append(upper)
        return found

    def _merged(self) -> str | None:
        """An image whose data were merged, and that is about to go."""
        unfinished = self._recorded.unfinished
        if unfinished is None or not unfinished.merged:
            return None
        return unfinished.file if unfinished.file != self._recorded.active else None

    def _start(self) -> str | None:
        if self._recorded.damage:
            return None
        if self._recorded.missing:
            return self._base if self._base in self._images else None
        active = self._recorded.active
        if active not in self._images:
            raise ImageMissing(path=active, needed_by=f"{self._volume_name}, as its active image,")
        return active

    def _chosen(self, start: str | None, leaves: list[str]) -> str:
        among = list(self._images) if start is None else [start, *self.above(start)]
        held = [name for name in among if self._holder(name) is Holder.WRITER]
        topmost = [name for name in held if not set(held) & set(self.above(name))]
        if len(topmost) == 1:
            return topmost[0]
        if not topmost and len(leaves) == 1:
            return leaves[0]
        if not topmost and start is not None:
            return self._by_data(start, leaves)
        raise self._unclear(topmost or leaves)

    def _by_data(self, start: str, leaves: list[str]) -> str:
        used = [name for name in leaves if any(map(self._has_data, self._between(start, name)))]
        if len(used) > 1:
            raise self._unclear(used)
        return used[0] if used else start

    def _between(self, start: str, leaf: str) -> Iterator[str]:
        """The leaf and what is under it, down to but without ``start``."""
        name: str | None = leaf
        while name is not None and name != start:
            yield name
            name = self._images[name].backing if name in self._images else None

    def _unclear(self, names: list[str]) -> ChainUnclear:
        reason = _MANY + ", ".join(sorted(names)) if names else "there is no image at all"
        return ChainUnclear(volume=self._volume_name, reason=reason)
