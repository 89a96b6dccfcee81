# SPDX-License-Identifier: Apache-2.0
"""Rows in the arguments of Manila's share API: reduced to the ids that flows work with.

``delete_share_server`` carries the server's whole row, with details that may hold passwords, and
the methods of backups the backup's, as they were when they were sent. What an operation needs of
them is the id: the row is read when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: {argument with a row: argument that flows have instead}
_ROWS: Final = {"share_server": "share_server_id", "backup": "backup_id"}


def reduced(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as flows know them: ``share_server`` becomes ``share_server_id``.

    Raises ValueError for a row without id, or with another one than the argument beside it.
    """
    for name, wanted in _ROWS.items():
        if name in arguments:
            arguments = _with_id(arguments, name, wanted)
    return arguments


def _with_id(arguments: dict[str, Any], name: str, wanted: str) -> dict[str, Any]:
    row = arguments[name]
    found = row.get("id") if isinstance(row, Mapping) else row
    if not isinstance(found, str):
        raise ValueError(f"{name} is a row without an id")
    rest = {other: value for other, value in arguments.items() if other != name}
    if rest.get(wanted, found) != found:
        raise ValueError(f"{name} and {wanted} are not the same")
    return {**rest, wanted: found}
