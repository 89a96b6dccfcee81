# SPDX-License-Identifier: Apache-2.0
"""What an image from outside is, found out by reading it before qemu-img sees it.

qemu-img trusts the images that it opens: a backing file, a data file or an extent named in one is
opened as well, and may be any file of this machine. Here nothing but the image itself is opened,
whatever it says; oslo.utils parses the headers in Python.
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

ACCEPTED: Final = frozenset({"raw", "qcow2", "vmdk", "vpc", "vhdx", "vdi"})
VMDK_TYPES: Final = ("streamOptimized", "monolithicSparse")

# By oslo.utils' names. A partition table or an ISO file system is what a raw disk has in it.
_DETECTED: Final = {
    "raw": "raw", "gpt": "raw", "iso": "raw", "luks": "raw", "qcow2": "qcow2", "vmdk": "vmdk",
    "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx",
}  # fmt: skip
_OF_GLANCE: Final = {
    "raw": "raw", "iso": "raw", "ami": "raw", "ari": "raw", "aki": "raw", "qcow2": "qcow2",
    "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vpc": "vpc", "vhdx": "vhdx",
}  # fmt: skip
_CHUNK: Final = 1 << 20
_CREATE_TYPE: Final = re.compile(rb'^\s*createtype\s*=\s*"([^"\n]{1,64})"', re.I | re.M)
_PARENT: Final = re.compile(rb"^\s*parentfilenamehint\s*=", re.I | re.M)
_NO_PARENT: Final = re.compile(rb"^\s*parentcid\s*=\s*ffffffff\s*$", re.I | re.M)
_EXTENT: Final = re.compile(rb"^\s*(?:rw|rdonly|noaccess)\s+\d+\s+(\w+)", re.I | re.M)


@dataclasses.dataclass(frozen=True)
class ForeignImage:
    """file_format as qemu calls it; virtual_size in bytes, of a raw image the file's own."""

    file_format: str
    virtual_size: int


def inspect(
    path: str,
    image_id: str,
    expected: str | None = None,
    accepted: Collection[str] = ACCEPTED,
    *,
    vmdk_types: Collection[str] = VMDK_TYPES,
    allow_backing_file: bool = False,
) -> ForeignImage:
    """Find out what an image is, and refuse what could reach for other files.

    expected: the disk format that its metadata name, as Glance does; what the file shows must
    agree. accepted: formats by qemu's names. vmdk_types: createTypes that are accepted.
    allow_backing_file: in qcow2 images, for files of our own. Raises ImageUnacceptable, with the
    reason.
    """
    with _refusing(image_id):
        detected = _detected(path)
        names = " and ".join(sorted(str(inspector) for inspector in detected))
        file_format = _qemu_name(names)
        if expected is not None and to_qemu(expected) != file_format:
            raise _Unsafe(f"its metadata say {expected:.40}, but its contents are {names}")
        if file_format not in accepted:
            raise _Unsafe(f"images of format {names} are not accepted")
        if file_format == "raw":
            return ForeignImage("raw", os.path.getsize(path))
        _check(detected[0], vmdk_types, allow_backing_file)
        return ForeignImage(file_format, detected[0].virtual_size)


def to_qemu(disk_format: object) -> str | None:
    """qemu's name of one of Glance's disk formats; None for one that is not known here."""
    return _OF_GLANCE.get(disk_format.lower()) if isinstance(disk_format, str) else None


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


def _qemu_name(names: str) -> str:
    """Installation media are ISO file systems and disks with partitions at once: both are raw."""
    found = {_DETECTED.get(name, name) for name in names.split(" and ")}
    if found == {"raw"}:
        return "raw"
    if names not in _DETECTED:
        raise _Unsafe(f"what is {names} is not supported")
    return _DETECTED[names]


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
