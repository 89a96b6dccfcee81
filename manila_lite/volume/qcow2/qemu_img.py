# SPDX-License-Identifier: Apache-2.0
"""qemu-img, each use with explicit formats, limits on memory and time, and no shell.

Functions take ``execute``, which runs commands as `manila_lite.process.execute` does (a driver
passes its own), and paths that are absolute: a relative one with a colon would be a protocol.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from oslo_utils import units

from manila_lite import exception, process
from manila_lite.process import ProcessLimits

Execute = Callable[..., tuple[str, str]]

LOOKING: Final = ProcessLimits(cpu_time=30, address_space=units.Gi, core_file_size=0)
WORKING: Final = ProcessLimits(address_space=4 * units.Gi, core_file_size=0)
"""Data are moved for as long as it takes; a chain of many images needs tables of all of them."""

_LOOK_TIMEOUT: Final = 60.0
_HEADER_TIMEOUT: Final = 120.0
WORK_TIMEOUT: Final = 24 * 3600.0


@dataclasses.dataclass
class ImageInfo:
    """What qemu-img says of one image; sizes in bytes.

    backing_file is as the header has it, unchecked. ``specific`` is the part about the format.
    """

    image: str
    file_format: str
    virtual_size: int
    disk_size: int | None = None
    backing_file: str | None = None
    backing_format: str | None = None
    encrypted: bool = False
    specific: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def data_file(self) -> str | None:
        """Where the data of a qcow2 image lie, if not in the image itself."""
        found = self.specific.get("data-file")
        return None if found is None else str(found)

    @property
    def extents(self) -> list[str]:
        """Files of a VMDK image other than itself."""
        files = [str(extent.get("filename")) for extent in self.specific.get("extents", ())]
        return [file for file in files if file != self.image]


def info(
    path: str,
    image_format: str | None = None,
    force_share: bool = False,
    *,
    execute: Execute = process.execute,
    run_as_root: bool = False,
    limits: ProcessLimits = LOOKING,
) -> ImageInfo:
    """Ask for one image's header, without its backing files.

    image_format: None leaves qemu to guess, which a guest that writes a header into its raw disk
    can use: for images whose format is known, it is an error. force_share: also while a guest has
    the image open. Raises ProcessExecutionError, and InvalidImageInfo for an unreadable answer.
    """
    command = ["qemu-img", "info", "--output=json"]
    command += ["-U"] if force_share else []
    command += ["-f", image_format] if image_format else []
    output, _ = execute(
        *command,
        _absolute(path),
        run_as_root=run_as_root,
        prlimit=limits,
        timeout=_LOOK_TIMEOUT,
    )
    return parse_info(output)


class InvalidImageInfo(exception.RemoteFSException):
    """qemu-img answered in a form that nobody expected."""

    message = "What qemu-img says of the image cannot be understood: %(reason)s"


def parse_info(text: str) -> ImageInfo:
    """Parse the JSON of `qemu-img info`. Raises InvalidImageInfo."""
    try:
        answer = json.loads(text)
        return _parsed(answer)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidImageInfo(reason=f"{type(error).__name__}: {error}") from error


def create_overlay(
    path: str,
    backing_file: str,
    backing_format: str,
    size: int,
    *,
    execute: Execute = process.execute,
    run_as_root: bool = False,
) -> None:
    """Make an empty qcow2 image over another one, which is not opened: a guest may have it.

    backing_file: as it shall stand in the header. size: bytes.
    """
    command = ("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", backing_format)
    execute(
        *command, "-b", backing_file, _absolute(path), str(size),
        run_as_root=run_as_root, prlimit=WORKING, timeout=_HEADER_TIMEOUT,
    )  # fmt: skip


def create(
    path: str,
    image_format: str,
    size: int,
    *,
    options: str | None = None,
    execute: Execute = process.execute,
    run_as_root: bool = False,
) -> None:
    """Make an image of ``size`` bytes with no backing file. options: as ``-o`` takes them."""
    command = ["qemu-img", "create", "-q", "-f", image_format]
    command += ["-o", options] if options else []
    execute(
        *command, _absolute(path), str(size),
        run_as_root=run_as_root, prlimit=WORKING, timeout=WORK_TIMEOUT,
    )  # fmt: skip


def commit(path: str, *, execute: Execute = process.execute, run_as_root: bool = False) -> None:
    """Write the data of a qcow2 image into its backing file, which grows to its size if smaller.

    The image keeps its data, so that the same may be done again after a kill in the middle. The
    caller has looked at the whole chain: it is opened, each image with the format that the one
    above records.
    """
    execute(
        "qemu-img", "commit", "-q", "-d", "-f", "qcow2", _absolute(path),
        run_as_root=run_as_root, prlimit=WORKING, timeout=WORK_TIMEOUT,
    )  # fmt: skip


def rebase_header(
    path: str,
    backing_file: str,
    backing_format: str,
    *,
    execute: Execute = process.execute,
    run_as_root: bool = False,
) -> None:
    """Have a qcow2 image name another backing file; no data are looked at or moved."""
    execute(
        "qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", backing_format,
        "-b", backing_file, _absolute(path),
        run_as_root=run_as_root, prlimit=WORKING, timeout=_HEADER_TIMEOUT,
    )  # fmt: skip


def resize(
    path: str,
    image_format: str,
    size: int,
    *,
    execute: Execute = process.execute,
    run_as_root: bool = False,
) -> None:
    """Let an image have ``size`` bytes; what is new reads as zeros. It is never made smaller.

    Raises ProcessExecutionError where the image is larger.
    """
    execute(
        "qemu-img", "resize", "-q", "-f", image_format, _absolute(path), str(size),
        run_as_root=run_as_root, prlimit=WORKING, timeout=_HEADER_TIMEOUT,
    )  # fmt: skip


def convert(
    source: str,
    target: str,
    source_format: str,
    target_format: str,
    *,
    options: Sequence[str] = (),
    timeout: float = WORK_TIMEOUT,
    execute: Execute = process.execute,
    run_as_root: bool = False,
    limits: ProcessLimits = WORKING,
) -> tuple[str, str]:
    """Write what an image shows into another one. options: further arguments of qemu-img convert.

    A source with a backing file opens its whole chain, which the caller has looked at.
    """
    return execute(
        "qemu-img", "convert", "-f", source_format, "-O", target_format, *options,
        _absolute(source), _absolute(target),
        run_as_root=run_as_root, prlimit=limits, timeout=timeout,
    )  # fmt: skip


def errors_in(path: str, *, execute: Execute = process.execute, run_as_root: bool = False) -> int:
    """How many errors `qemu-img check` finds in a qcow2 image that nobody uses; leaks are none."""
    output, _ = execute(
        "qemu-img", "check", "--output=json", "-f", "qcow2", _absolute(path),
        check_exit_code=(0, 2, 3), run_as_root=run_as_root, prlimit=WORKING, timeout=WORK_TIMEOUT,
    )  # fmt: skip
    try:
        answer = json.loads(output)
        return int(answer.get("corruptions", 0)) + int(answer.get("check-errors", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidImageInfo(reason=str(error)) from error


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise exception.PathRefused(name=path, reason="the path of an image must be absolute")
    return path


def _parsed(answer: dict[str, Any]) -> ImageInfo:
    specific = (answer.get("format-specific") or {}).get("data") or {}
    disk_size = answer.get("actual-size")
    return ImageInfo(
        image=_text(answer["filename"]),
        file_format=_text(answer["format"]),
        virtual_size=int(answer["virtual-size"]),
        disk_size=None if disk_size is None else int(disk_size),
        backing_file=_text_or_none(answer.get("backing-filename")),
        backing_format=_text_or_none(answer.get("backing-filename-format")),
        encrypted=bool(answer.get("encrypted", False)),
        specific=dict(specific),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
