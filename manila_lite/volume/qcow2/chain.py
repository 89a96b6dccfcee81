# SPDX-License-Identifier: Apache-2.0
"""Chains: from an image down through its backing files, each looked at before it is opened.

A guest decides what stands in a raw base image, so that image's format is never found out by
looking: the overlay above it records it, or the volume's row, or the size of the file tells (see
`base_format`). What a guest cannot write to are the headers of overlays.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from oslo_utils import units

from manila_lite import exception
from manila_lite.volume.qcow2 import header as headers
from manila_lite.volume.qcow2.names import VolumeNames

RAW: Final = "raw"
QCOW2: Final = "qcow2"
FORMATS: Final = frozenset({RAW, QCOW2})
#: Far beyond what anybody makes, and below what qemu can open.
MOST_IMAGES: Final = 256

Look = Callable[[str], Any]
"""Asks qemu-img about the image at a path: an object with file_format, virtual_size, backing_file
and possibly backing_format, data_file, extents, encrypted, of which the last four may lack."""

Seen = MutableMapping[str, tuple[headers.Header, Any]]
_MOST_SEEN: Final = 4096


@dataclasses.dataclass(frozen=True)
class Image:
    """One image of a volume. ``backing`` is a file name in the same directory.

    virtual_size: bytes. backing_written and backing_format: as the header has them; a header that
    names its backing file by a path, or without a format, is put right before data are moved.
    """

    name: str
    file_format: str
    virtual_size: int
    backing: str | None = None
    backing_format: str | None = None
    backing_written: str | None = None

    def is_straight(self, lower_format: str) -> bool:
        """Whether the header names the backing file plainly, and with its format."""
        return self.backing_written == self.backing and self.backing_format == lower_format


class ImageMissing(exception.RemoteFSException):
    """A chain that ends in nothing: its data cannot be read at all."""

    message = "Image %(path)s, which %(needed_by)s needs, is missing"


class ImageDirectory:
    """The images of one volume in one directory.

    look: asks qemu-img. mount_base: where shares are mounted, under hashed names. recorded_format:
    of the base image, as the volume's row has it; None when nothing is recorded. seen: keeps what
    qemu-img said, by path, for as long as the header that it said it of stays the same.
    """

    def __init__(
        self,
        directory: str,
        names: VolumeNames,
        look: Look,
        *,
        mount_base: str | None = None,
        recorded_format: str | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.directory = directory
        self.names = names
        self._look = look
        self._mount_base = mount_base
        self._recorded_format = recorded_format
        self._seen: Seen = {} if seen is None else seen

    def path(self, name: str) -> str:
        """The path of one of the volume's files. Raises PathRefused for any other name."""
        if not (self.names.is_image(name) or self.names.is_temporary(name)):
            raise exception.PathRefused(name=name, reason="it is no file of this volume")
        return os.path.join(self.directory, name)

    def exists(self, name: str) -> bool:
        """Whether there is such a file, of whatever kind."""
        return os.path.lexists(self.path(name))

    def listing(self) -> tuple[list[str], list[str]]:
        """Names of the volume's images, and of files that were being written; both sorted."""
        images, temporary = [], []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if self.names.is_image(entry.name):
                    images.append(entry.name)
                elif self.names.is_temporary(entry.name):
                    temporary.append(entry.name)
        return sorted(images), sorted(temporary)

    def image(self, name: str, file_format: str | None = None) -> Image:
        """Look at one image. file_format: what the overlay above it records.

        Raises BackingFileRefused for an image that must not be opened, FileNotFoundError.
        """
        path = self.path(name)
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise exception.BackingFileRefused(path=path, reason="it is no ordinary file")
        known = self._format(name, file_format)
        if known == RAW:
            return Image(name, RAW, status.st_size)
        header = checked_header(path, known)
        if header is not None:
            self._backing(path, header.backing_file)
        return self._checked(path, name, known, header, self._look_once(path, header))

    def _look_once(self, path: str, header: headers.Header | None) -> Any:
        """Ask qemu-img, unless it was asked about this very header before."""
        before = self._seen.get(path)
        if header is not None and before is not None and before[0] == header:
            return before[1]
        info = self._look(path)
        if header is not None:
            while len(self._seen) >= _MOST_SEEN:
                self._seen.pop(next(iter(self._seen)), None)
            self._seen[path] = (header, info)
        return info

    def _format(self, name: str, above: str | None) -> str | None:
        if above is not None and not self.names.is_overlay(name) and not self.names.extensions:
            return above
        return format_by_name(self.names, self.directory, name, self._recorded_format)

    def _backing(self, path: str, written: str | None) -> str | None:
        if not written:
            return None
        return self.names.backing_name(path, written, self.directory, self._mount_base)

    def _checked(
        self, path: str, name: str, known: str | None, header: headers.Header | None, info: Any
    ) -> Image:
        """Put together what the header and qemu-img say; they have to agree."""
        refuse_answer(path, known, info)
        written = header.backing_file if header else getattr(info, "backing_file", None)
        backing = self._backing(path, written)
        if backing != self._backing(path, info.backing_file):
            raise exception.BackingFileRefused(path=path, reason="its header is being changed")
        above = header.backing_format if header else getattr(info, "backing_format", None)
        if above is not None and not self.names.extensions and above not in FORMATS:
            reason = f"it gives its backing file the format {above!r}"
            raise exception.BackingFileRefused(path=path, reason=reason)
        return Image(name, info.file_format, info.virtual_size, backing, above, written or None)


def format_by_name(
    names: VolumeNames, directory: str, name: str, recorded: str | None = None
) -> str | None:
    """The format that an image of a volume must have; None where its extension says that.

    recorded: of the base image, where the volume's row has it. Raises FileNotFoundError.
    """
    if names.extensions:
        return None
    if names.is_overlay(name):
        return QCOW2
    path = os.path.join(directory, name)
    return base_format(path, os.lstat(path).st_size, recorded)


def base_format(path: str, file_size: int, recorded: str | None) -> str:
    """The format of a base image: raw, unless everything says that it is qcow2.

    A raw volume is a whole number of GiB long, to the byte, and no guest can change that; a qcow2
    file never ends there but by chance. So a header alone makes no qcow2 image of a volume.
    """
    if recorded == RAW or not _has_magic(path):
        return RAW
    if recorded == QCOW2:
        return QCOW2
    return RAW if file_size and file_size % units.Gi == 0 else QCOW2


def walk(
    directory: ImageDirectory, start: str, known: Mapping[str, Image] | None = None
) -> Iterator[Image]:
    """Yield the image ``start`` and everything under it, looking at each before going on.

    known: images that were looked at already. Raises BackingFileRefused also for a loop and for a
    chain that is too long, ImageMissing where a backing file is not there.
    """
    seen: set[str] = set()
    name, file_format, above = start, None, "the volume"
    while True:
        path = directory.path(name)
        if name in seen:
            raise exception.BackingFileRefused(path=path, reason="its chain is a loop")
        if len(seen) >= MOST_IMAGES:
            reason = f"more than {MOST_IMAGES} images are chained"
            raise exception.BackingFileRefused(path=path, reason=reason)
        seen.add(name)
        image = _known_or_looked_at(directory, name, file_format, above, known or {})
        yield image
        if image.backing is None:
            return
        name, file_format, above = image.backing, image.backing_format, name


def _known_or_looked_at(
    directory: ImageDirectory,
    name: str,
    file_format: str | None,
    above: str,
    known: Mapping[str, Image],
) -> Image:
    image = known.get(name)
    if image is not None and file_format in (None, image.file_format):
        return image
    try:
        return directory.image(name, file_format)
    except FileNotFoundError as error:
        path = directory.path(name)
        raise ImageMissing(path=path, needed_by=above) from error


def checked_header(path: str, known: str | None) -> headers.Header | None:
    """The header of an image that may be opened; None where it is unreadable, or not qcow2.

    known: the format that the image must have: what stands in a raw image is its guest's affair.
    Raises BackingFileRefused.
    """
    if known == RAW:
        return None
    try:
        header = headers.read(path)
    except PermissionError:
        return None
    except headers.HeaderDamaged as error:
        raise exception.BackingFileRefused(path=path, reason=str(error)) from error
    if header is None and known == QCOW2:
        raise exception.BackingFileRefused(path=path, reason="it is no qcow2 image")
    if header is not None:
        _refuse_dangerous(path, header)
    return header


def _has_magic(path: str) -> bool:
    try:
        return headers.read_start(path, len(headers.MAGIC)) == headers.MAGIC
    except PermissionError:
        # The size of the file has to do.
        return True
    except headers.HeaderDamaged as error:
        raise exception.BackingFileRefused(path=path, reason=str(error)) from error


def _refuse_dangerous(path: str, header: headers.Header) -> None:
    reason = None
    if header.has_external_data:
        reason = "its data lie in another file"
    elif header.unknown_features:
        reason = f"it has features that nobody knows ({header.unknown_features:#x})"
    elif header.encrypted:
        reason = "it is encrypted"
    if reason:
        raise exception.BackingFileRefused(path=path, reason=reason)


def refuse_answer(path: str, known: str | None, info: Any) -> None:
    """Raise BackingFileRefused for what qemu-img says of an image that must not be opened."""
    reason = None
    if known is not None and info.file_format != known:
        reason = f"it is of format {info.file_format}, not {known}"
    elif getattr(info, "data_file", None):
        reason = "its data lie in another file"
    elif getattr(info, "extents", None):
        reason = "its data lie in further files"
    elif getattr(info, "encrypted", False):
        reason = "it is encrypted"
    if reason:
        raise exception.BackingFileRefused(path=path, reason=reason)
