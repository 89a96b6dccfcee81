# SPDX-License-Identifier: Apache-2.0
"""A write as data, so that writes of many operations can share a transaction and a round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.sql.expression import Executable


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One INSERT, UPDATE or DELETE and the values of its bind parameters.

    ``statement`` should be a module-level constant with ``bindparam()`` for everything that varies:
    writes that hold the very same statement object are sent to the server together. A statement
    built for one occasion works as well, only slower.
    """

    statement: Executable
    parameters: Mapping[str, Any] = field(default_factory=dict)
