# SPDX-License-Identifier: Apache-2.0
"""Who may reach a Samba share, as its parameters say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from manila_lite.share.drivers.exports.base import READ_ONLY, READ_WRITE

ACCESS: Final = frozenset(
    {"available", "read only", "valid users", "write list", "read list", "hosts allow"}
)


def user_values(users: list[tuple[str, str]]) -> dict[str, str]:
    """Parameters that let in some users: (name, "rw" or "ro")."""
    writers = [name for name, level in users if level == READ_WRITE]
    readers = [name for name, level in users if level == READ_ONLY]
    values = {"read only": "yes", "valid users": " ".join(dict(users))}
    if writers:
        values["write list"] = " ".join(writers)
    if readers:
        values["read list"] = " ".join(readers)
    return values


def takes_away(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether somebody may do less after a change: those who are connected have to be cut off."""
    if _is_closed(before):
        return False
    return (
        _is_closed(after)
        or _shrinks(_words(before, "valid users"), _words(after, "valid users"))
        or _shrinks(_writers(before), _writers(after))
        or _shrinks(_words(before, "hosts allow"), _words(after, "hosts allow"))
    )


def _is_closed(values: Mapping[str, str]) -> bool:
    return values.get("available") == "no"


def _shrinks(before: set[str] | None, after: set[str] | None) -> bool:
    """Whether somebody is missing afterwards; None stands for everybody."""
    if before is None or after is None:
        return before is None and after is not None
    return not before <= after


def _words(values: Mapping[str, str], key: str) -> set[str] | None:
    return set(values[key].replace(",", " ").split()) if values.get(key) else None


def _writers(values: Mapping[str, str]) -> set[str] | None:
    if values.get("read only") == "no":
        return _words(values, "valid users")
    return _words(values, "write list") or set()
