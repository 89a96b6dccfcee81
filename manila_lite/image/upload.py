# SPDX-License-Identifier: Apache-2.0
"""From the file of a volume to an image."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from manila_lite.image import formats, qemu
from manila_lite.image import progress as progress_of
from manila_lite.image.progress import Progress, Report
from manila_lite.image.service import ImageService
from manila_lite.image.steps import check_conversion, converted, is_compressed, unacceptable
from manila_lite.image.temporary import check_space, temporary_file

_CONVERTED: Final = 0.5  # share of the way


def upload_volume(
    context: Any,
    image_service: ImageService,
    image_meta: Mapping[str, Any],
    volume_path: str,
    volume_fd: BinaryIO | None = None,
    volume_format: str = "raw",
    run_as_root: bool = False,
    compress: bool = True,
    store_id: str | None = None,
    base_image_ref: str | None = None,
    progress: Report | None = None,
) -> None:
    """Make the data of a volume those of the image that image_meta describes: id, disk_format.

    volume_format: what the file is; it is never guessed, since what a guest writes into a raw
    volume may look like anything. volume_fd: the open file, where the path cannot be read; else
    root copies it first, if run_as_root says so. The image becomes active when all of it is there.
    Raises ImageUnacceptable for a format that cannot be made and for a volume file that refers to
    another file.
    """
    way = progress_of.begin(progress)
    image_id = image_meta["id"]
    target_format = _target_format(image_meta, volume_format)
    send = _Upload(context, image_service, image_id, store_id, base_image_ref)
    if target_format == volume_format and (volume_fd or os.access(volume_path, os.R_OK)):
        _refuse_backing_file(volume_path, volume_format, image_id, run_as_root)
        send.path(volume_path, volume_fd, way)
    else:
        with temporary_file(prefix=f"upload-{image_id[:40]}-") as path:
            needed = qemu.space_needed(volume_path, volume_format, run_as_root=run_as_root)
            check_space(path, needed, image_id)
            converted(
                volume_path, path, volume_format, target_format, image_id=image_id,
                compress=compress and is_compressed(target_format), run_as_root=run_as_root,
                way=way.part(0, _CONVERTED),
            )  # fmt: skip
            send.path(path, None, way.part(_CONVERTED, 1))
    way.at(1)


def _target_format(image_meta: Mapping[str, Any], volume_format: str) -> str:
    """qemu's name of the image's format; ImageUnacceptable for one that cannot be made."""
    disk_format = image_meta.get("disk_format") or "raw"
    container = image_meta.get("container_format")
    target_format = formats.to_qemu(disk_format)
    if target_format is None or container not in formats.CONTAINERS:
        reason = f"no image of format {disk_format!r} in {container!r} can be made"
        raise unacceptable(image_meta["id"], reason)
    check_conversion(image_meta["id"], disk_format, volume_format)
    return target_format


class _Upload:
    """Where a file is to be sent."""

    def __init__(
        self,
        context: Any,
        image_service: ImageService,
        image_id: str,
        store_id: str | None,
        base_image_ref: str | None,
    ) -> None:
        self._context = context
        self._service = image_service
        self._image_id = image_id
        # Image services of others may know neither.
        given = {"store_id": store_id, "base_image_ref": base_image_ref}
        self._options: dict[str, Any] = {key: value for key, value in given.items() if value}

    def path(self, path: str, file: BinaryIO | None, way: Progress) -> None:
        if file is None:
            with open(path, "rb") as opened:
                self._send(opened, way)
        else:
            self._send(file, way)

    def _send(self, file: BinaryIO, way: Progress) -> None:
        count = way.counter(os.fstat(file.fileno()).st_size)
        counted: Any = progress_of.WatchedReader(file, lambda piece: count(len(piece)))
        self._service.update(self._context, self._image_id, {}, counted, **self._options)


def _refuse_backing_file(path: str, image_format: str, image_id: str, run_as_root: bool) -> None:
    """A qcow2 file that is a part of a chain is no image: half of its data would be missing."""
    if image_format == "raw":
        return
    info = qemu.info(path, image_format, run_as_root=run_as_root)
    if info.backing_file:
        raise unacceptable(image_id, "the volume's file refers to a backing file")
