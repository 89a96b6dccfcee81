# SPDX-License-Identifier: Apache-2.0
"""What images need of qemu-img, with the limits, the time and the progress of conversions."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Collection
from typing import Final

from oslo_utils import imageutils, units

from manila_lite import exception, process
from manila_lite.image import settings
from manila_lite.volume.qcow2 import qemu_img

_ENVIRONMENT: Final = {"LC_ALL": "C"}
_LOOK_TIMEOUT: Final = 300.0  # seconds
_CONSISTENT: Final = (0, 3)  # 3: clusters that nothing refers to, which waste space only


def info(
    path: str, image_format: str, *, force_share: bool = False, run_as_root: bool = False
) -> imageutils.QemuImgInfo:
    """What ``qemu-img info`` says about one file; what it refers to is not opened.

    Attributes: file_format, virtual_size, disk_size, cluster_size (bytes), backing_file,
    snapshots, encrypted, format_specific. force_share: look though another process writes to it.
    """
    command = ["qemu-img", "info", "--output=json", "-f", image_format]
    if force_share:
        command.append("--force-share")
    output, _ = _look([*command, _operand(path)], run_as_root)
    return imageutils.QemuImgInfo(output, format="json")


def check(path: str, image_format: str) -> None:
    """Have qemu-img look whether a qcow2 image is consistent and complete.

    Raises ProcessExecutionError for one that is not. Other formats are left as they are.
    """
    if image_format == "qcow2":
        command = ["qemu-img", "check", "-q", "-f", image_format, _operand(path)]
        _look(command, run_as_root=False, accepted=_CONSISTENT)


def space_needed(path: str, image_format: str, *, run_as_root: bool = False) -> int:
    """Bytes that the data of an image take in another file that keeps no zeros, at most."""
    # Of a raw target, qemu-img only says how large its disk is; qcow2 counts the data.
    command = ["qemu-img", "measure", "--output=json", "-f", image_format, "-O", "qcow2"]
    output, _ = _look([*command, _operand(path)], run_as_root)
    return int(json.loads(output)["required"])


def convert(
    source: str,
    target: str,
    source_format: str,
    target_format: str,
    *,
    subformat: str | None = None,
    compress: bool = False,
    sparse: bool = True,
    on_output: Callable[[bytes], object] | None = None,
    run_as_root: bool = False,
) -> None:
    """Write the contents of one image into another, which is made anew, and flush it to the disk.

    sparse: leave out blocks of zeros. on_output: given what qemu-img says of its progress. After
    an error the target may be there, incomplete.
    """
    options = ["-p", "-t", "writeback"]
    if not sparse:
        options += ["-S", "0"]
    if compress:
        options.append("-c")
    if subformat is not None:
        options += ["-o", f"subformat={_checked_subformat(subformat)}"]
    qemu_img.convert(
        source,
        target,
        source_format,
        target_format,
        options=options,
        timeout=settings.current().timeout,
        execute=functools.partial(process.execute, env=_ENVIRONMENT, on_output=on_output),
        run_as_root=run_as_root,
    )


def resize(path: str, size: int, image_format: str, *, run_as_root: bool = False) -> None:
    """Make the virtual disk `size` GiB large. It is never made smaller: qemu-img refuses that."""
    qemu_img.resize(
        path, image_format, int(size) * units.Gi, execute=process.execute, run_as_root=run_as_root
    )


def _look(
    command: list[str], run_as_root: bool, accepted: Collection[int] = (0,)
) -> tuple[str, str]:
    """Run a command that reads an image; a hostile one must not take the machine's memory."""
    return process.execute(
        *command,
        check_exit_code=accepted,
        env=_ENVIRONMENT,
        prlimit=settings.current().limits,
        run_as_root=run_as_root,
        timeout=_LOOK_TIMEOUT,
    )


def _operand(path: str) -> str:
    """A path that qemu-img takes for a file: neither for an option nor for a protocol."""
    if not os.path.isabs(path):
        raise exception.PathRefused(name=path, reason="qemu-img is given absolute paths only")
    return path


def _checked_subformat(value: str) -> str:
    """A value in a list of options: a comma in it would begin the next one."""
    if not value.replace("-", "").isalnum():
        raise exception.PathRefused(name=value, reason="it is no name of a subformat")
    return value
