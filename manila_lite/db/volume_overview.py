# SPDX-License-Identifier: Apache-2.0
"""Volumes and their snapshots, many at a time: what reports, waits and a new driver ask for."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import volume_states
from manila_lite.db.guards import living
from manila_lite.db.models import snapshots, volumes
from manila_lite.db.shares import pools_of

_v = volumes.c
_s = snapshots.c

_SIZES = sa.select(_v.host, sa.func.sum(_v.size)).where(
    living(volumes),
    sa.or_(_v.host == sa.bindparam("host"), _v.host.like(sa.bindparam("pools"), escape="/")),
    _v.status != volume_states.ERROR_MANAGING,
).group_by(_v.host)  # fmt: skip
_ANY = sa.select(_v.id).where(living(volumes)).limit(1)
_WORDS = sa.select(_s.id, _s.status, _s.progress).where(
    living(snapshots), _s.id.in_(sa.bindparam("ids", expanding=True))
)


def allocated_by_pool(connection: Connection, host: str) -> dict[str, int]:
    """Return the GiB of all volumes of ``host@backend`` by pool; "" where the host names none."""
    rows = connection.execute(_SIZES, {"host": host, "pools": pools_of(host)})
    return {str(found).partition("#")[2]: int(size or 0) for found, size in rows}


def is_empty(connection: Connection) -> bool:
    """Tell whether there is no volume at all, of whatever back end: a new installation."""
    return connection.execute(_ANY).first() is None


def words_of(
    connection: Connection, snapshot_ids: Sequence[str]
) -> dict[str, tuple[str, str | None]]:
    """Return (status, progress) by snapshot id; those that are deleted are left out."""
    rows = connection.execute(_WORDS, {"ids": list(snapshot_ids)})
    return {found: (status, progress) for found, status, progress in rows}
