# SPDX-License-Identifier: Apache-2.0
"""An image service for the model: files in a directory, holes kept, no digests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from manila_lite import exception

_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)


class ImageShelf:
    """See manila_lite.image.service.ImageService. Digests of a GiB of zeros would take seconds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._meta: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def path(self, image_id: str) -> Path:
        return self._directory / image_id

    def create(self, context: Any, image_meta: Mapping[str, Any]) -> dict[str, Any]:
        """Make an image that waits for its data."""
        image_id = f"image-{next(self._numbers):04}"
        meta = {"container_format": "bare", "min_disk": 0, "min_ram": 0, "size": None}
        self._meta[image_id] = {**meta, **image_meta, "id": image_id, "status": "queued"}
        return self._meta[image_id]

    def show(self, context: Any, image_id: str) -> dict[str, Any]:
        try:
            return dict(self._meta[image_id], properties={})
        except KeyError:
            raise exception.ImageNotFound(image_id=image_id) from None

    def update(
        self,
        context: Any,
        image_id: str,
        image_meta: Mapping[str, Any],
        data: BinaryIO | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Give an image its data; what came before the last piece is no image."""
        assert self._meta[image_id]["status"] == "queued", "an image's data came twice"
        assert data is not None
        path = self.path(image_id)
        with path.open("wb") as file:
            for piece in iter(lambda: data.read(_CHUNK), b""):
                _put(file, piece)
            file.truncate()
        self._meta[image_id] |= {"status": "active", "size": path.stat().st_size}
        return self._meta[image_id]

    def download(self, context: Any, image_id: str, data: BinaryIO) -> None:
        with self.path(image_id).open("rb") as source:
            for start, piece in _pieces(source.fileno()):
                data.seek(start)
                data.write(piece)
            data.flush()
            os.truncate(data.fileno(), os.fstat(source.fileno()).st_size)

    def delete(self, context: Any, image_id: str) -> None:
        del self._meta[image_id]
        self.path(image_id).unlink(missing_ok=True)


def _put(file: BinaryIO, piece: bytes) -> None:
    if piece == _ZEROS[: len(piece)]:
        file.seek(len(piece), os.SEEK_CUR)
    else:
        file.write(piece)


def _pieces(descriptor: int) -> Iterator[tuple[int, bytes]]:
    end, size = 0, os.fstat(descriptor).st_size
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        for position in range(start, end, _CHUNK):
            yield position, os.pread(descriptor, min(_CHUNK, end - position), position)
