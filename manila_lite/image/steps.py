# SPDX-License-Identifier: Apache-2.0
"""Single steps with images, for drivers and for whole transfers."""

from __future__ import annotations

import os
from typing import Any

from oslo_utils import imageutils, units

from manila_lite import exception
from manila_lite.image import formats, qemu, settings
from manila_lite.image import progress as progress_of
from manila_lite.image.progress import Progress, Report
from manila_lite.volume.qcow2 import foreign


def convert_image(
    source: str,
    dest: str,
    out_format: str,
    out_subformat: str | None = None,
    src_format: str | None = None,
    run_as_root: bool = False,
    throttle: Any = None,
    cipher_spec: Any = None,
    passphrase_file: str | None = None,
    compress: bool = False,
    src_passphrase_file: str | None = None,
    image_id: str | None = None,
    data: Any = None,
    disable_sparse: bool = False,
    progress: Report | None = None,
) -> None:
    """Convert a file of this service into another format.

    src_format: qemu's name of what `source` is. Without it the header tells, and an image that
    refers to other files is refused: whoever knows that its backing files are ours says the format.
    Encryption is not supported.
    """
    if cipher_spec or passphrase_file or src_passphrase_file:
        raise exception.ImageCopyFailure(reason="encrypted volumes are not supported")
    shown = image_id or os.path.basename(source)
    converted(
        source, dest, src_format or detected_format(source, shown), _format_of(out_format),
        image_id=shown, subformat=out_subformat, sparse=not disable_sparse,
        compress=compress and is_compressed(out_format),
        run_as_root=run_as_root, way=progress_of.begin(progress),
    )  # fmt: skip


def resize_image(
    source: str, size: int, run_as_root: bool = False, file_format: str | None = None
) -> None:
    """Make the virtual disk of an image `size` GiB large.

    file_format: what the file is; raw where nothing is said, as after fetch_to_raw. Raises
    ProcessExecutionError where the disk is larger already.
    """
    qemu.resize(source, size, file_format or "raw", run_as_root=run_as_root)


def qemu_img_info(
    path: str,
    run_as_root: bool = False,
    force_share: bool = False,
    allow_qcow2_backing_file: bool = False,
    image_format: str | None = None,
) -> imageutils.QemuImgInfo:
    """What qemu-img says about one image file; see qemu.info for its attributes.

    image_format: what the file is. Without it, the header tells, and an image that refers to other
    files is refused, but for a qcow2's backing file where that is allowed. Do not leave it out
    for a raw volume that a guest has written to.
    """
    if image_format is None:
        shown = os.path.basename(path)
        image_format = detected_format(path, shown, allow_backing_file=allow_qcow2_backing_file)
    return qemu.info(path, image_format, force_share=force_share, run_as_root=run_as_root)


def check_virtual_size(virtual_size: float, volume_size: int, image_id: str) -> int:
    """Return the size of a virtual disk of so many bytes in GiB, rounded up.

    Raises ImageUnacceptable where it does not fit into the volume.
    """
    needed = -(-int(virtual_size) // units.Gi)
    if needed > volume_size:
        reason = f"its disk has {needed} GiB, and the volume {volume_size}"
        raise unacceptable(image_id, reason)
    return needed


def detected_format(path: str, shown: str, allow_backing_file: bool = False) -> str:
    """What the header of a file says that it is, by qemu's name; ImageUnacceptable if unsafe."""
    found = foreign.inspect(
        path,
        shown,
        vmdk_types=settings.current().vmdk_types,
        allow_backing_file=allow_backing_file,
    )
    return found.file_format


def check_conversion(image_id: str, image_format: str, volume_format: str) -> None:
    """Raise ImageConversionNotAllowed where the formats differ and conversions are switched off."""
    if settings.current().conversion_disabled and image_format != volume_format:
        raise exception.ImageConversionNotAllowed(
            image_id=image_id, reason=f"image {image_format!r}, volume {volume_format!r}"
        )


def converted(
    source: str,
    dest: str,
    source_format: str,
    target_format: str,
    *,
    image_id: str,
    way: Progress,
    subformat: str | None = None,
    compress: bool = False,
    sparse: bool = True,
    run_as_root: bool = False,
) -> None:
    """Convert one file into another; ImageTooBig where the target's disk is full."""
    try:
        qemu.convert(
            source, dest, source_format, target_format, subformat=subformat, compress=compress,
            sparse=sparse, on_output=way.of_qemu_img(), run_as_root=run_as_root,
        )  # fmt: skip
    except exception.ProcessExecutionError as error:
        if "No space left" in (error.stderr or ""):
            reason = f"{os.path.dirname(dest)} is full"
            raise exception.ImageTooBig(image_id=image_id, reason=reason) from error
        raise
    way.at(1)


def _format_of(name: str) -> str:
    """qemu's name, whether it is Glance's or qemu's own that was given."""
    return formats.to_qemu(name) or name


def is_compressed(image_format: str) -> bool:
    """Whether images of that format, by qemu's name, are to be compressed."""
    return settings.current().compress and image_format in formats.COMPRESSIBLE


def unacceptable(image_id: str, reason: str) -> exception.ImageUnacceptable:
    return exception.ImageUnacceptable(image_id=image_id, reason=reason)
