# SPDX-License-Identifier: Apache-2.0
"""What alembic may look at: the tables of ours and its own version table, nothing of Manila's."""

from __future__ import annotations

from typing import Any

from alembic.config import Config

from manila_lite.db.models import is_ours, metadata
from manila_lite.db.models.base import VERSION_TABLE


def settings() -> dict[str, Any]:
    """Return what the migration context is configured with, apart from its connection."""
    return {
        "target_metadata": metadata,
        "version_table": VERSION_TABLE,
        "include_name": _include_name,
        "include_object": _include_object,
        "compare_type": True,
    }


def config() -> Config:
    """Return alembic's configuration: the revisions inside the package, no ini file."""
    found = Config()
    found.set_main_option("script_location", "manila_lite.db:migrations")
    return found


def _include_name(name: str | None, type_: str, _parents: Any) -> bool:
    return type_ != "table" or (is_ours(name) and name != VERSION_TABLE)


def _include_object(_item: Any, name: str | None, type_: str, _reflected: bool, _to: Any) -> bool:
    return type_ != "table" or is_ours(name)
