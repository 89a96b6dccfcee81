# SPDX-License-Identifier: Apache-2.0
"""Rows as drivers know them: read by key or by attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self


class Record(dict[str, Any]):
    """A row, detached from the database, that answers both ``share['id']`` and ``share.id``.

    Drivers written for Manila use either way, and ``get``. Changing a record changes no row. A key
    that is also the name of a dict method (``items``, ``keys``, ``update`` ...) is reachable by
    key only.
    """

    __slots__ = ()

    @classmethod
    def of(cls, row: Any) -> Self:
        """Build a record from a SQLAlchemy result row or from a mapping."""
        return cls(getattr(row, "_mapping", row))

    @classmethod
    def all(cls, rows: Iterable[Any]) -> list[Self]:
        """Build a list of records from an executed SELECT."""
        return [cls.of(row) for row in rows]

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict (not deep), as Manila's models do for notifications and RPC."""
        return dict(self)

    def copy(self) -> Self:
        """Return a shallow copy that is a record as well."""
        return type(self)(self)

    def merged(self, values: Mapping[str, Any]) -> Self:
        """Return a copy in which ``values`` replace what stands here."""
        return type(self)({**self, **values})
