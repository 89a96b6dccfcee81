# SPDX-License-Identifier: Apache-2.0
"""backend_info: what a driver said of its storage when its shares were last ensured, as a hash."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import backend_info as table
from manila_lite.db.writes import Write

_c = table.c
_GET = sa.select(_c.info_hash).where(_c.host == sa.bindparam("host"), _c.deleted == 0)
_SET = (
    table.update()
    .where(_c.host == sa.bindparam("b_host"))
    .values(
        info_hash=sa.bindparam("b_hash"),
        updated_at=sa.bindparam("b_now"),
        deleted=0,
        deleted_at=None,
    )
)
_INSERT_MISSING = table.insert().from_select(
    ["host", "info_hash", "created_at", "deleted"],
    sa.select(
        sa.bindparam("host", type_=sa.String),
        sa.bindparam("hash", type_=sa.String),
        sa.bindparam("now", type_=sa.DateTime),
        sa.literal_column("0"),
    ).where(~sa.exists(sa.select(_c.host).where(_c.host == sa.bindparam("host", type_=sa.String)))),
    include_defaults=False,
)


def hash_of(info: Mapping[str, Any]) -> str:
    """Return the hash by which two answers of get_backend_info are compared.

    It is Manila's, so that the first start after a swap does not ensure every share anew. It
    guards nothing: a change that is not in the driver's answer goes unnoticed.
    """
    text = str(sorted(info.items()))
    return hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def get_hash(connection: Connection, host: str) -> str | None:
    """Return the hash that was kept for ``host@backend``, or None."""
    found = connection.execute(_GET, {"host": host}).scalar()
    return None if found is None else str(found)


def set_hash(host: str, info_hash: str, now: datetime.datetime) -> list[Write]:
    """Keep the hash for ``host@backend``."""
    return [
        Write(_INSERT_MISSING, {"host": host, "hash": info_hash, "now": now}),
        Write(_SET, {"b_host": host, "b_hash": info_hash, "b_now": now}),
    ]
