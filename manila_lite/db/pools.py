# SPDX-License-Identifier: Apache-2.0
"""Share instances whose host names no pool."""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db.models import share_instances
from manila_lite.db.writes import Write

_i = share_instances.c
_WITHOUT_POOL = (
    sa.select(_i.id)
    .where(
        _i.host == sa.bindparam("host"),
        _i.status == states.AVAILABLE,
        _i.deleted == "False",
        _i.id > sa.bindparam("after"),
    )
    .order_by(_i.id)
    .limit(sa.bindparam("most"))
)
_NAME_POOL = (
    share_instances.update()
    .where(_i.id == sa.bindparam("b_id"), _i.host == sa.bindparam("b_host"), _i.deleted == "False")
    .values(host=sa.bindparam("b_new_host"), updated_at=sa.bindparam("b_now"))
)


def without_pool(connection: Connection, host: str, after: str, most: int) -> list[str]:
    """Return ids, after that one, of available share instances on ``host@backend`` as such."""
    parameters = {"host": host, "after": after, "most": most}
    return list(connection.execute(_WITHOUT_POOL, parameters).scalars())


def name_pool(instance_id: str, host: str, pool: str, now: datetime.datetime) -> list[Write]:
    """Say in which pool of ``host@backend`` an instance is, unless its host has changed."""
    parameters = {
        "b_id": instance_id,
        "b_host": host,
        "b_new_host": f"{host}#{pool}",
        "b_now": now,
    }
    return [Write(_NAME_POOL, parameters)]
