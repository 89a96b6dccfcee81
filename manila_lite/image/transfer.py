# SPDX-License-Identifier: Apache-2.0
"""Copying the bytes of an image, without the blocks of zeros, and proving that they are right."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from manila_lite import exception

LOG = logging.getLogger(__name__)

CHUNK: Final = 64 * 1024
HASH_ALGORITHM: Final = "sha512"  # what Glance uses
_ZEROS: Final = bytes(CHUNK)


class Reader(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def chunks_of(file: Reader) -> Iterator[bytes]:
    """What the file has from its present position on."""
    while chunk := file.read(CHUNK):
        yield chunk


def copy(chunks: Iterable[bytes], target: Any, *watchers: Callable[[bytes], object]) -> int:
    """Write the chunks to a binary file and return how many bytes they were.

    Chunks of zeros become holes where the target is an empty regular file. Each watcher is given
    each chunk.
    """
    holes = _is_empty_file(target)
    size = 0
    for chunk in chunks:
        for watch in watchers:
            watch(chunk)
        size += len(chunk)
        if holes and len(chunk) <= CHUNK and chunk == _ZEROS[: len(chunk)]:
            target.seek(len(chunk), os.SEEK_CUR)
        else:
            target.write(chunk)
    if holes:
        target.truncate()
    return size


def _is_empty_file(target: Any) -> bool:
    try:
        found = os.fstat(target.fileno())
        return stat.S_ISREG(found.st_mode) and found.st_size == 0 and target.tell() == 0
    except (AttributeError, OSError):
        return False


class Verifier:
    """Watches a download, and compares size and digest with the image's metadata at its end."""

    def __init__(self, image_id: str, meta: Mapping[str, Any]) -> None:
        self._image_id = image_id
        self._expected_size = meta.get("size")
        self._digest, self._expected = _digest_of(meta)
        self._size = 0
        if self._digest is None:
            LOG.warning("image %s has no digest: only its size can be compared", image_id)

    def update(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._digest is not None:
            self._digest.update(chunk)

    def check(self) -> None:
        """Raise ImageDownloadFailed where the bytes are not those of the metadata."""
        if self._expected_size is not None and self._size != self._expected_size:
            raise self._failed(f"{self._size} bytes came instead of {self._expected_size}")
        if self._digest is not None and self._digest.hexdigest() != self._expected:
            raise self._failed(f"its {self._digest.name} digest is not the one in its metadata")

    def _failed(self, reason: str) -> exception.ImageDownloadFailed:
        return exception.ImageDownloadFailed(image_href=self._image_id, reason=reason)


def new_digest(algorithm: str = HASH_ALGORITHM) -> Any:
    """A digest of that name; ValueError where there is none."""
    return hashlib.new(algorithm, usedforsecurity=False)


def _digest_of(meta: Mapping[str, Any]) -> tuple[Any, str | None]:
    """A fresh digest and what it has to become. Glance's old checksum is MD5."""
    candidates = (
        (meta.get("os_hash_algo"), meta.get("os_hash_value")),
        ("md5", meta.get("checksum")),
    )
    for algorithm, expected in candidates:
        if algorithm and expected:
            try:
                return new_digest(str(algorithm)), str(expected).lower()
            except ValueError:
                LOG.warning("this machine knows no digest %r", algorithm)
    return None, None
