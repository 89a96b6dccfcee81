# SPDX-License-Identifier: Apache-2.0
"""What is asked of an image service.

Image metadata are dicts with Glance v2's keys: id, name, status, size and virtual_size (bytes),
checksum (MD5), os_hash_algo, os_hash_value, disk_format, container_format, min_disk (GiB), min_ram
(MiB), visibility, owner, protected, created_at, updated_at; what is none of Glance's own stands
under `properties`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, Protocol

from manila_lite import exception

Meta = dict[str, Any]

QUEUED: Final = "queued"
ACTIVE: Final = "active"

#: Letters, digits and "_.-", no dot in front: safe in a URL and as a part of a file name.
_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


class ImageService(Protocol):
    """Cinder's GlanceImageService, as far as drivers and flows need it.

    context: of the request, or None. Errors: ImageNotFound, NotAuthorized, ImageConflict,
    InvalidImageRef (an id that is none), GlanceConnectionFailed (repeat it later).
    """

    def show(self, context: Any, image_id: str) -> Meta:
        """Return the metadata of an image."""

    def detail(self, context: Any, **filters: Any) -> list[Meta]:
        """Return the metadata of all images whose keys have the values given."""

    def download(self, context: Any, image_id: str, data: BinaryIO) -> None:
        """Write the image to a file and compare its digest with the metadata.

        Raises ImageDownloadFailed where the bytes that came are not the image's.
        """

    def create(
        self, context: Any, image_meta: Mapping[str, Any], data: BinaryIO | None = None
    ) -> Meta:
        """Make an image: queued, or active at once with data. Return its metadata, with its id."""

    def update(
        self,
        context: Any,
        image_id: str,
        image_meta: Mapping[str, Any],
        data: BinaryIO | None = None,
        purge_props: bool = True,
        store_id: str | None = None,
        base_image_ref: str | None = None,
    ) -> Meta:
        """Change metadata; with data, give a queued image its contents, which makes it active.

        Half of the data is never seen as an image: until all of them are there it stays queued.
        ImageUploadInterrupted where nobody knows how an upload ended.
        """

    def delete(self, context: Any, image_id: str) -> None:
        """Remove an image and its data."""


def checked_id(image_id: object) -> str:
    """The id, where it can stand in a URL and in a file name; else InvalidImageRef."""
    if not isinstance(image_id, str) or not _ID.fullmatch(image_id) or ".." in image_id:
        shown = image_id[:50] if isinstance(image_id, str) else image_id
        raise exception.InvalidImageRef(image_href=shown)
    return image_id
