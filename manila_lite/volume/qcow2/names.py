# SPDX-License-Identifier: Apache-2.0
"""Names of a volume's own files, and which names an image may give its backing file."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from typing import Final

from manila_lite import exception

TEMPORARY_SNAPSHOT: Final = "tmp-snap-"
NEW: Final = ".new"
INFO: Final = ".info"

_VOLUME_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_SNAPSHOT_ID: Final = rf"(?:{TEMPORARY_SNAPSHOT})?[0-9a-f][0-9a-f-]*"
# What qemu takes for a protocol: letters and the like before a colon, with no slash in between.
_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ATTEMPT = re.compile(r"\.~[0-9a-f]{8}$")
_LONGEST_NAME: Final = 200


def attempt(path: str) -> str:
    """A path beside the given one, for a file that gets its name when it is complete.

    No two attempts share one: a command may go on when the process that started it has died, and
    must not write to the file of the attempt that comes after.
    """
    return f"{path}.~{secrets.token_hex(4)}{NEW}"


def checked_snapshot_id(snapshot_id: object) -> str:
    """The id, when it can be part of an overlay's name; PathRefused when not."""
    text = str(snapshot_id)
    if not re.fullmatch(_SNAPSHOT_ID, text) or len(text) > _LONGEST_NAME:
        raise exception.PathRefused(name=text[:50], reason="it is no snapshot id")
    return text


class VolumeNames:
    """The file names of one volume.

    extensions: those that images of the driver may have (``_VALID_IMAGE_EXTENSIONS``); a driver
    that has some names its formats by them, and every other driver's overlays are qcow2.
    """

    def __init__(self, volume_name: str, extensions: Sequence[str] = ()) -> None:
        """Raises PathRefused for a volume name that is no file name."""
        if not _VOLUME_NAME.fullmatch(volume_name) or len(volume_name) > _LONGEST_NAME:
            reason = "only letters, digits and _ . - may stand in it, no dot in front"
            raise exception.PathRefused(name=volume_name[:50], reason=reason)
        self.volume_name = volume_name
        self.extensions = tuple(extensions)
        extension = "|".join(re.escape(one) for one in extensions)
        self._pattern = re.compile(
            rf"{re.escape(volume_name)}(?:\.(?P<snapshot>{_SNAPSHOT_ID}))?"
            + (rf"(?:\.(?:{extension}))?" if extensions else "")
        )

    def is_image(self, name: str) -> bool:
        """Whether the name is the base image's or an overlay's."""
        return self._pattern.fullmatch(name) is not None

    def is_temporary(self, name: str) -> bool:
        """Whether the name is that of a file which was being written."""
        stem = _ATTEMPT.sub("", name.removesuffix(NEW))
        if not name.endswith(NEW):
            return False
        return self.is_image(stem) or stem == f"{self.volume_name}{INFO}"

    def is_attempt(self, name: str) -> bool:
        """Whether the name is one that `attempt` gave."""
        return self.is_temporary(name) and _ATTEMPT.search(name.removesuffix(NEW)) is not None

    def is_overlay(self, name: str) -> bool:
        """Whether the name says that the image was made for a snapshot."""
        return self.snapshot_id(name) is not None

    def snapshot_id(self, name: str) -> str | None:
        """The id of the snapshot for which the image was made. It may stand for another by now."""
        match = self._pattern.fullmatch(name)
        return match["snapshot"] if match else None

    def backing_name(
        self, image_path: str, written: str, directory: str, mount_base: str | None = None
    ) -> str:
        """The file name that an image's header means by ``written``, its backing file.

        Accepted are this volume's own names: bare, in ``directory``, and under a directory of
        mount_base whose name is a hash. BackingFileRefused, with the reason, for anything else.
        """
        name = _file_name(written, directory, mount_base)
        if name is None:
            raise exception.BackingFileRefused(path=image_path, reason=_why_not(written))
        if not self.is_image(name):
            reason = f"its backing file {_shown(written)} is no image of this volume"
            raise exception.BackingFileRefused(path=image_path, reason=reason)
        return name


def _file_name(written: str, directory: str, mount_base: str | None) -> str | None:
    if not written.isprintable() or _PROTOCOL.match(written):
        return None
    parent, name = os.path.split(written)
    accepted = parent in ("", directory) or (
        bool(mount_base)
        and re.fullmatch(rf"{re.escape(str(mount_base))}/[0-9a-f]+", parent) is not None
    )
    return name if accepted else None


def _why_not(written: str) -> str:
    if not written.isprintable():
        return f"the name of its backing file is unprintable: {_shown(written)}"
    if written.startswith("json:"):
        return "it describes its backing file by json:"
    protocol = _PROTOCOL.match(written)
    if protocol:
        return f"its backing file is reached by the protocol {protocol[1]}"
    return f"its backing file {_shown(written)} lies outside of its directory"


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 100 else f"{text[:100]}...")
