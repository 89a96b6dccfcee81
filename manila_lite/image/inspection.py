# SPDX-License-Identifier: Apache-2.0
"""What an image from outside is, found out by reading its first bytes.

qemu-img trusts the images that it opens: a backing file, a data file or an extent named in one is
opened as well, and may be any file of this machine. So every foreign image passes here before
qemu-img sees it. Nothing but the image itself is opened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import struct
from collections.abc import Collection, Iterator
from typing import Any, Final

from oslo_utils.imageutils import format_inspector

from manila_lite import exception
from manila_lite.image import formats

# oslo.utils' names of what it recognises, and qemu's. A partition table or an ISO file system is
# what a raw disk has in it.
_QEMU: Final = {"raw": "raw", "gpt": "raw", "iso": "raw", "luks": "raw", "qcow2": "qcow2",
                "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}  # fmt: skip
_CHUNK: Final = 1 << 20
_CREATE_TYPE: Final = re.compile(rb'^\s*createtype\s*=\s*"([^"\n]{1,64})"', re.I | re.M)
_PARENT: Final = re.compile(rb"^\s*parentfilenamehint\s*=", re.I | re.M)
_NO_PARENT: Final = re.compile(rb"^\s*parentcid\s*=\s*ffffffff\s*$", re.I | re.M)
_EXTENT: Final = re.compile(rb"^\s*(?:rw|rdonly|noaccess)\s+\d+\s+(\w+)", re.I | re.M)


@dataclasses.dataclass(frozen=True)
class Found:
    """image_format: qemu's name. virtual_size: bytes; of a raw image, the size of the file."""

    image_format: str
    virtual_size: int


def inspect(
    path: str,
    image_id: str,
    claimed: str | None,
    vmdk_types: Collection[str] = (),
    allow_backing_file: bool = False,
) -> Found:
    """Return what the file is. Raises ImageUnacceptable, with the reason, for all that is unsafe.

    claimed: the disk format of its metadata, which must agree with what the file shows; None where
    nobody claims anything. vmdk_types: createTypes that are accepted. allow_backing_file: in
    qcow2 images, for files of our own.
    """
    with _refusing(image_id):
        expected = _expected(claimed)
        detected = _detected(path)
        names = " and ".join(sorted(str(inspector) for inspector in detected))
        image_format = _qemu_name(names)
        if expected is not None and expected != image_format:
            raise _Unsafe(f"its metadata say {claimed}, but its contents are {names}")
        if image_format == "raw":
            return Found("raw", os.path.getsize(path))
        _check(detected[0], vmdk_types, allow_backing_file)
        return Found(image_format, detected[0].virtual_size)


def _detected(path: str) -> list[Any]:
    """oslo.utils' inspectors of the formats that the file shows, mostly one.

    Some formats have their mark at the end, so that all of a file is read that shows none.
    """
    with open(path, "rb") as file:
        wrapper = format_inspector.InspectWrapper(file)
        while wrapper.formats is None and wrapper.read(_CHUNK):
            pass
        wrapper.close()
        return wrapper.formats or []


class _Unsafe(Exception):
    """Carries the reason from the checks to the exception that names the image."""


@contextlib.contextmanager
def _refusing(image_id: str) -> Iterator[None]:
    try:
        yield
    except (_Unsafe, format_inspector.ImageFormatError) as error:
        raise exception.ImageUnacceptable(image_id=image_id, reason=str(error)) from error
    except (struct.error, ValueError, IndexError, KeyError, OverflowError) as error:
        # What oslo.utils raises of a header that makes no sense.
        reason = f"its header cannot be read: {type(error).__name__}"
        raise exception.ImageUnacceptable(image_id=image_id, reason=reason) from error


def _expected(claimed: str | None) -> str | None:
    if claimed is None:
        return None
    expected = formats.to_qemu(claimed)
    if expected is None:
        raise _Unsafe(f"format {claimed!r:.40} is not supported")
    return expected


def _qemu_name(names: str) -> str:
    """Installation media are ISO file systems and disks with partitions at once: both are raw."""
    found = {_QEMU.get(name, name) for name in names.split(" and ")}
    if found == {"raw"}:
        return "raw"
    if names not in _QEMU:
        raise _Unsafe(f"what is {names} is not supported")
    return _QEMU[names]


def _check(inspector: Any, vmdk_types: Collection[str], allow_backing_file: bool) -> None:
    try:
        inspector.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        failures = dict(error.failures)
        if allow_backing_file:
            failures.pop("backing_file", None)
        if failures:
            raise _Unsafe("; ".join(str(failure) for failure in failures.values())) from error
    if str(inspector) == "qcow2":
        _check_qcow2(inspector.region("header").data)
    if str(inspector) == "vmdk":
        _check_vmdk(inspector, vmdk_types)


def _check_qcow2(header: bytes) -> None:
    (version,) = struct.unpack(">I", header[4:8])
    (encryption,) = struct.unpack(">I", header[32:36])
    if version not in (2, 3):
        raise _Unsafe(f"it is qcow version {version}")
    if encryption:
        raise _Unsafe("it is encrypted")


def _check_vmdk(inspector: Any, allowed: Collection[str]) -> None:
    """Beyond oslo.utils: the type, a parent disk, and data that lie in other files."""
    if not inspector.has_region("header"):
        raise _Unsafe("the VMDK keeps data in other files")
    header, descriptor = (inspector.region(name).data for name in ("header", "descriptor"))
    found = _CREATE_TYPE.search(descriptor)
    create_type = found.group(1).decode("ascii", "replace") if found else "unknown"
    if create_type not in allowed:
        raise _Unsafe(f"VMDK createType {create_type!r} is not allowed")
    if _PARENT.search(descriptor) or not _NO_PARENT.search(descriptor):
        raise _Unsafe("the VMDK names a parent disk")
    (capacity,) = struct.unpack("<Q", header[12:20])
    extents = [kind.lower() for kind in _EXTENT.findall(descriptor)]
    # Without a capacity of its own, qemu takes the descriptor's extents for the disk.
    if capacity == 0 or extents != [b"sparse"]:
        raise _Unsafe("the VMDK keeps data in other files")
