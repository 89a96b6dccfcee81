# SPDX-License-Identifier: Apache-2.0
"""Texts that come from anywhere, made fit for a column."""

from __future__ import annotations

from typing import Any


def writable(text: str) -> str:
    """Escape what no database takes: NUL, and lone surrogates such as undecodable file names."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def short(value: Any, most: int) -> str | None:
    """Return the value as text of at most `most` characters that any database takes."""
    return None if value is None else writable(str(value))[:most]
