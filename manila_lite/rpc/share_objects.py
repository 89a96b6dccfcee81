# SPDX-License-Identifier: Apache-2.0
"""Rows in the arguments of Manila's share API: reduced to the ids that flows work with.

``delete_share_server`` carries the server's whole row, with details that may hold passwords, as it
was when it was sent. What an operation needs of it is the id: the row is read when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ROW: Final = "share_server"
_ID: Final = "share_server_id"


def reduced(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as flows know them: ``share_server`` becomes ``share_server_id``.

    Raises ValueError for a row without id, or with another one than the argument beside it.
    """
    if _ROW not in arguments:
        return arguments
    row = arguments[_ROW]
    found = row.get("id") if isinstance(row, Mapping) else row
    if not isinstance(found, str):
        raise ValueError(f"{_ROW} is a row without an id")
    rest = {name: value for name, value in arguments.items() if name != _ROW}
    if rest.get(_ID, found) != found:
        raise ValueError(f"{_ROW} and {_ID} are not the same")
    return {**rest, _ID: found}
