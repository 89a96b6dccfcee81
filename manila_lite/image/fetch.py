# SPDX-License-Identifier: Apache-2.0
"""From an image to the file of a volume: download, look, convert."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any, Final

from manila_lite import exception
from manila_lite.image import formats, qemu, settings
from manila_lite.image import progress as progress_of
from manila_lite.image.progress import Progress, Report
from manila_lite.image.service import ACTIVE, ImageService
from manila_lite.image.steps import check_conversion, check_virtual_size, converted, unacceptable
from manila_lite.image.temporary import check_space, temporary_file
from manila_lite.volume.qcow2 import foreign

_DOWNLOADED: Final = 0.5  # share of the way
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def fetch_to_raw(
    context: Any,
    image_service: ImageService,
    image_id: str,
    dest: str,
    blocksize: Any = None,
    user_id: str | None = None,
    project_id: str | None = None,
    size: int | None = None,
    run_as_root: bool = False,
    disable_sparse: bool = False,
    progress: Report | None = None,
) -> None:
    """Write an image to the raw file `dest`; as fetch_to_volume_format."""
    fetch_to_volume_format(
        context, image_service, image_id, dest, "raw", blocksize, size=size,
        run_as_root=run_as_root, disable_sparse=disable_sparse, progress=progress,
    )  # fmt: skip


def fetch_to_volume_format(
    context: Any,
    image_service: ImageService,
    image_id: str,
    dest: str,
    volume_format: str,
    blocksize: Any = None,
    volume_subformat: str | None = None,
    user_id: str | None = None,
    project_id: str | None = None,
    size: int | None = None,
    run_as_root: bool = False,
    disable_sparse: bool = False,
    progress: Report | None = None,
) -> None:
    """Download an image, make sure that it is what it says, and write it to `dest`.

    size: of the volume; the image's virtual disk must not be larger. `dest` gets the image's size.
    Raises ImageUnacceptable for an image that is unsafe or does not fit, ImageDownloadFailed,
    ImageTooBig where a disk is full, and what the image service raises. After an error, `dest` may
    hold a part of the image.
    """
    way = progress_of.begin(progress)
    meta = image_service.show(context, image_id)
    _check_meta(meta, image_id, size)
    check_conversion(image_id, meta["disk_format"], volume_format)
    with temporary_file(prefix=f"download-{image_id[:40]}-") as path:
        _download(context, image_service, image_id, meta, path, way.part(0, _DOWNLOADED))
        found = _inspected(path, image_id, meta, size)
        _check_target(path, dest, found, not disable_sparse, image_id)
        converted(
            path, dest, found.file_format, volume_format,
            image_id=image_id, subformat=volume_subformat, sparse=not disable_sparse,
            run_as_root=run_as_root, way=way.part(_DOWNLOADED, 1),
        )  # fmt: skip
    way.at(1)


def fetch_verify_image(
    context: Any,
    image_service: ImageService,
    image_id: str,
    dest: str,
    user_id: str | None = None,
    project_id: str | None = None,
    size: int | None = None,
    run_as_root: bool = False,
    progress: Report | None = None,
) -> None:
    """Download an image to `dest` as it is, and make sure that it is what it says.

    Errors as of fetch_to_volume_format. After an error, `dest` is empty.
    """
    way = progress_of.begin(progress)
    meta = image_service.show(context, image_id)
    _check_meta(meta, image_id, size)
    try:
        _download(context, image_service, image_id, meta, dest, way)
        _inspected(dest, image_id, meta, size)
    except BaseException:
        os.truncate(dest, 0)
        raise
    way.at(1)


def _check_meta(meta: Mapping[str, Any], image_id: str, size: int | None) -> None:
    """Refuse what needs no download to be refused."""
    if meta.get("status") != ACTIVE:
        raise unacceptable(image_id, f"it is {meta.get('status')}, not active")
    if meta.get("container_format") not in formats.CONTAINERS:
        reason = f"container format {meta.get('container_format')!r} is not supported"
        raise unacceptable(image_id, reason)
    if formats.to_qemu(meta.get("disk_format")) is None:
        raise unacceptable(image_id, f"format {meta.get('disk_format')!r} is not supported")
    if size is None:
        return
    if (meta.get("min_disk") or 0) > size:
        reason = f"it needs a volume of {meta['min_disk']} GiB, and this one has {size}"
        raise unacceptable(image_id, reason)
    if meta["disk_format"] in formats.RAW_FORMATS:
        check_virtual_size(meta.get("size") or 0, size, image_id)


def _download(
    context: Any,
    image_service: ImageService,
    image_id: str,
    meta: Mapping[str, Any],
    path: str,
    way: Progress,
) -> None:
    """Bring an image into the file at `path`; what zeros it has become holes."""
    size = meta.get("size")
    check_space(path, size or 0, image_id)
    try:
        with open(path, "wb") as file:
            target = progress_of.CountedWriter(file, way.counter(size))
            image_service.download(context, image_id, target)  # type: ignore[arg-type]
    except OSError as error:
        if error.errno in _FULL:
            reason = f"{os.path.dirname(path)} is full"
            raise exception.ImageTooBig(image_id=image_id, reason=reason) from error
        raise


def _inspected(
    path: str, image_id: str, meta: Mapping[str, Any], size: int | None
) -> foreign.ForeignImage:
    """What the file is, first read by ourselves and only then looked at by qemu-img."""
    allowed = settings.current().vmdk_types
    found = foreign.inspect(path, image_id, meta["disk_format"], vmdk_types=allowed)
    if size is not None:
        check_virtual_size(found.virtual_size, size, image_id)
    if found.file_format != "raw":
        _confirm(path, image_id, found, size)
    return found


def _confirm(path: str, image_id: str, found: foreign.ForeignImage, size: int | None) -> None:
    """Have qemu-img say the same of an image that our own reading found harmless."""
    try:
        info = qemu.info(path, found.file_format)
        qemu.check(path, found.file_format)
    except exception.ProcessExecutionError as error:
        raise unacceptable(image_id, f"qemu-img refuses it: {_last_line(error)}") from error
    if info.file_format != found.file_format or info.backing_file:
        raise unacceptable(image_id, f"qemu-img takes it for {info.file_format} with a backing "
                            f"file {info.backing_file!r}")  # fmt: skip
    if size is not None:
        check_virtual_size(info.virtual_size, size, image_id)


def _check_target(
    path: str, dest: str, found: foreign.ForeignImage, sparse: bool, image_id: str
) -> None:
    needed = qemu.space_needed(path, found.file_format) if sparse else found.virtual_size
    if os.path.isfile(dest):
        # What the old contents of the target take becomes free when it is made anew.
        check_space(dest, needed - os.stat(dest).st_blocks * 512, image_id)


def _last_line(error: exception.ProcessExecutionError) -> str:
    lines = (error.stderr or "").strip().splitlines()
    return lines[-1][:200] if lines else f"exit code {error.exit_code}"
