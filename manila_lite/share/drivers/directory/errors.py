# SPDX-License-Identifier: Apache-2.0
"""What an error of the file system means to whoever called the driver."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from manila_lite import exception

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def told_as(doing: str, root: str, needed: int | None = None) -> Iterator[None]:
    """Turn an OSError of the block into the driver interface's exceptions.

    ``needed`` is in bytes, where it is known. ShareBackendFull for a full disk or an exceeded
    quota; BackendBusy for what the engine calls transient, since every operation here may be
    repeated; ShareBackendException for the rest. Each names what was done and the root.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(doing, root, needed) from error
        raise _refused(doing, root, error) from error


def full(doing: str, root: str, needed: int | None) -> exception.ShareBackendFull:
    """The error for a disk that has no room for ``needed`` bytes."""
    amount = f"; it needs {needed} bytes" if needed is not None else ""
    return exception.ShareBackendFull(
        reason=f"{doing} does not fit into {root}, which has {free_bytes(root)} bytes free{amount}"
    )


def free_bytes(path: str) -> int:
    """Bytes that this user may still write."""
    present = os.statvfs(path)
    return present.f_bavail * present.f_frsize


def _refused(doing: str, root: str, error: OSError) -> exception.ShareBackendException:
    name = f" ({os.fsencode(error.filename)!r})" if isinstance(error.filename, str) else ""
    what = f"{doing} in {root} failed: {error.strerror or error}{name}"
    if error.errno == errno.EXDEV:
        what += "; another file system is mounted there"
    if exception.classify(error) is exception.ErrorKind.TRANSIENT:
        return exception.BackendBusy(reason=what)
    return exception.ShareBackendException(msg=what)
