# SPDX-License-Identifier: Apache-2.0
"""The marker that says of the files beside it that their volume has moved to another share."""

from __future__ import annotations

import contextlib
import os
from typing import Final

_TEXT: Final = "This volume has moved; the files beside this one are left over. It is on: "
_LONGEST: Final = 8192


def mark(path: str, target: str) -> None:
    """Leave the marker. When this returns, it outlasts a crash of the machine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(_text(target))
        file.flush()
        os.fsync(file.fileno())


def target_of(path: str) -> str | None:
    """What the marker names as the volume's share; None where there is none, or half of one."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        text = file.read(_LONGEST).decode(errors="replace")
    target = text.removeprefix(_TEXT).removesuffix("\n")
    return target if target and text == _text(target) else None


def _text(target: str) -> str:
    return f"{_TEXT}{target}\n"
