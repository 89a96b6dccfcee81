# SPDX-License-Identifier: Apache-2.0
"""Share servers that hold what nobody here knows of any more: they are kept."""

from __future__ import annotations

import datetime

import sqlalchemy as sa

from manila_lite.db.models import share_servers
from manila_lite.db.writes import Write

_c = share_servers.c
_KEEP = (
    share_servers.update()
    .where(_c.id == sa.bindparam("b_id"), _c.deleted == "False")
    .values(is_auto_deletable=False, updated_at=sa.bindparam("b_now"))
)


def keep(server_id: str | None, now: datetime.datetime) -> list[Write]:
    """Never delete the server by itself when its last share goes; None: there is no server."""
    return [] if server_id is None else [Write(_KEEP, {"b_id": server_id, "b_now": now})]
