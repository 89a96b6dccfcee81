# SPDX-License-Identifier: Apache-2.0
"""Directory trees for tests: one with all that a file system can hold, and comparing two."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

PAST_NS = 1_500_000_000_123_456_789
SPARSE_SIZE = 8 << 20


def describe(top: str | os.PathLike[str]) -> dict[bytes, dict[str, Any]]:
    """All of a tree that a copy must keep, byte by byte, by path below ``top`` (b"." is the top).

    Two trees are equal when their descriptions are. Times of access and of change are left out;
    hard links are told by the first path of the inode.
    """
    root = os.fsencode(top)
    first: dict[int, bytes] = {}
    found = {b".": _entry(root, b".", first)}
    for parent, directories, files in os.walk(root):
        directories.sort()
        for name in sorted([*directories, *files]):
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, root)
            found[relative] = _entry(path, relative, first)
    return found


def _entry(path: bytes, relative: bytes, first: dict[int, bytes]) -> dict[str, Any]:
    info = os.lstat(path)
    entry: dict[str, Any] = {
        "mode": info.st_mode,
        "owner": (info.st_uid, info.st_gid),
        "modified": info.st_mtime_ns,
        "device": info.st_rdev,
    }
    if stat.S_ISREG(info.st_mode):
        entry["content"] = Path(os.fsdecode(path)).read_bytes()
    if stat.S_ISLNK(info.st_mode):
        entry["target"] = os.readlink(path)
    else:
        entry["xattrs"] = _xattrs(path)
    if not stat.S_ISDIR(info.st_mode):
        entry["inode of"] = first.setdefault(info.st_ino, relative)
    return entry


def _xattrs(path: bytes) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError:
        return {}


def grow_zoo(top: Path) -> None:
    """Fill a directory with one of each kind that an ordinary user can make."""
    inner = top / "outer" / "inner"
    inner.mkdir(parents=True)
    (top / "empty").touch()
    (top / "plain").write_bytes(bytes(range(256)) * 40)
    (inner / "random").write_bytes(os.urandom(100_000))
    os.link(inner / "random", top / "linked")
    os.link(inner / "random", top / "outer" / "linked too")
    _grow_sparse(top / "sparse")
    _grow_odd_names(top)
    _grow_special(top)
    with contextlib.suppress(OSError):
        os.setxattr(top / "plain", "user.colour", b"blue")
        os.setxattr(inner, "user.shape", b"round")
    os.chmod(top / "plain", 0o640)
    (top / "closed").mkdir()
    (top / "closed" / "file").write_text("behind a directory that nobody may write to")
    os.chmod(top / "closed", 0o555)
    for path in (top / "plain", top / "closed", inner):
        os.utime(path, ns=(PAST_NS, PAST_NS))


def _grow_sparse(path: Path) -> None:
    """Data at the start and in the middle, holes between and at the end."""
    with path.open("wb") as file:
        file.write(b"start")
        file.seek(SPARSE_SIZE // 2)
        file.write(b"middle")
        file.truncate(SPARSE_SIZE)


def _grow_odd_names(top: Path) -> None:
    names = (b"\xff\xfe no text", b"new\nline", b" space ", b"-rf", b"x" * 255, "käse".encode())
    for name in names:
        with open(os.path.join(os.fsencode(top), name), "wb") as file:
            file.write(name)


def _grow_special(top: Path) -> None:
    os.symlink("plain", top / "link")
    os.symlink("/nowhere/at all", top / "dangling")
    os.symlink("outer", top / "link to a directory")
    os.mkfifo(top / "fifo", 0o620)
    # A socket's path may only have 108 bytes.
    with socket.socket(socket.AF_UNIX) as server:
        parent = os.open(top, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{parent}/socket")
        finally:
            os.close(parent)
