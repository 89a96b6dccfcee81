# SPDX-License-Identifier: Apache-2.0
"""The ``.info`` file: which overlay stands for which snapshot, and which image is active.

A JSON object: ``active`` and one entry for each snapshot, id to file name. Cinder's drivers read
and write the same form. Ours adds ``unfinished_deletion`` while a snapshot is being deleted, which
Cinder's take for nothing. The file is always replaced as a whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from manila_lite.volume.qcow2.names import NEW, VolumeNames

ACTIVE: Final = "active"
UNFINISHED: Final = "unfinished_deletion"
_LONGEST: Final = 1024 * 1024
_MODE: Final = 0o644


@dataclasses.dataclass(frozen=True)
class Unfinished:
    """A deletion of which the end is not recorded.

    file: the image that is to go once its data have been merged. merged: whether they have been;
    the file is of no use then, whatever stands over it. nova: whether Nova was to merge them,
    and may still be doing so while a guest has the volume.
    """

    snapshot_id: str
    file: str
    merged: bool
    nova: bool = False


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What an ``.info`` file says. files: snapshot id to overlay.

    damage: why it cannot be believed; then all else is empty. missing: there is no such file,
    which is as it should be for a volume that never had a snapshot.
    """

    active: str | None = None
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unfinished: Unfinished | None = None
    missing: bool = False
    damage: str | None = None


def load(path: str, names: VolumeNames) -> Recorded:
    """Read the file of a volume. What is damaged is told, not raised; OSError is."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        return Recorded(missing=True)
    except (UnicodeDecodeError, NotAFile) as error:
        return Recorded(damage=str(error))
    return parse(text, names)


def parse(text: str, names: VolumeNames) -> Recorded:
    """As `load`, of the file's text."""
    try:
        return _parse(json.loads(text), names)
    except (ValueError, RecursionError) as error:
        return Recorded(damage=str(error) if text.strip() else "it is empty")


class NotAFile(Exception):
    """Something that is no ordinary file, or far too long, has the name of the file."""


def read_text(path: str) -> str:
    """The text of the file. Raises OSError, NotAFile, UnicodeDecodeError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotAFile("it is no ordinary file") from error
        raise
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST:
            raise NotAFile("it is no ordinary file, or too long")
        return file.read(_LONGEST).decode()


def content(
    active: str, files: Mapping[str, str], unfinished: Unfinished | None = None
) -> dict[str, Any]:
    """What the file has to hold."""
    values: dict[str, Any] = {ACTIVE: active, **files}
    if unfinished is not None:
        values[UNFINISHED] = dataclasses.asdict(unfinished)
    return values


def replace(path: str, values: Mapping[str, Any]) -> None:
    """Put values in the stead of what the file has: a reader sees the old ones or the new ones.

    The file keeps its owner and permissions, as far as this process may give them.
    """
    beside = f"{path}{NEW}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(beside, flags, _MODE), "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1, sort_keys=True)
        file.flush()
        _dress_as(path, file.fileno())
        os.fsync(file.fileno())
    os.rename(beside, path)
    sync_directory(os.path.dirname(path))


def sync_directory(directory: str) -> None:
    """Make the names in a directory durable, where the file system has such a notion."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM):
            raise
    finally:
        os.close(descriptor)


def _dress_as(path: str, descriptor: int) -> None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _parse(values: Any, names: VolumeNames) -> Recorded:
    if not isinstance(values, dict):
        raise ValueError("it holds no table")
    active = values.get(ACTIVE)
    entries = {k: v for k, v in values.items() if k not in (ACTIVE, UNFINISHED)}
    for name in (active, *entries.values()):
        if not isinstance(name, str) or not names.is_image(name):
            raise ValueError(f"it names {ascii(name)[:100]}, which is no image of the volume")
    return Recorded(active=active, files=entries, unfinished=_unfinished(values, names))


def _unfinished(values: dict[str, Any], names: VolumeNames) -> Unfinished | None:
    found = values.get(UNFINISHED)
    if not isinstance(found, dict):
        return None
    snapshot_id, file = found.get("snapshot_id"), found.get("file")
    if not isinstance(snapshot_id, str) or not isinstance(file, str) or not names.is_image(file):
        raise ValueError("it tells of a deletion that makes no sense")
    merged, nova = bool(found.get("merged")), bool(found.get("nova"))
    return Unfinished(snapshot_id, file, merged, nova)
