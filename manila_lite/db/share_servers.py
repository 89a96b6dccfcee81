# SPDX-License-Identifier: Apache-2.0
"""Share servers: reading."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import (
    share_server_backend_details,
    share_server_share_network_subnet_mappings,
    share_servers,
)
from manila_lite.db.records import Record

_s = share_servers.c
_d = share_server_backend_details.c
_m = share_server_share_network_subnet_mappings.c

_BY_ID = sa.select(*share_servers.columns).where(
    _s.id == sa.bindparam("server_id"), _s.deleted == "False"
)
_DETAILS = sa.select(_d.key, _d.value).where(
    _d.share_server_id == sa.bindparam("server_id"), _d.deleted == "False"
)
_SUBNETS = (
    sa.select(_m.share_network_subnet_id)
    .where(_m.share_server_id == sa.bindparam("server_id"), _m.deleted == 0)
    .order_by(_m.id)
)


def get_server(connection: Connection, server_id: str) -> Record | None:
    """Return a living share server as drivers know it, or None.

    Beside its columns: ``backend_details``, a dict of texts, and ``share_network_subnet_ids``.
    """
    row = connection.execute(_BY_ID, {"server_id": server_id}).first()
    if row is None:
        return None
    details = connection.execute(_DETAILS, {"server_id": server_id})
    subnets = connection.execute(_SUBNETS, {"server_id": server_id})
    return Record.of(row).merged(
        {
            "backend_details": {row.key: row.value for row in details},
            "share_network_subnet_ids": list(subnets.scalars()),
        }
    )
