# SPDX-License-Identifier: Apache-2.0
"""Access rules of shares and snapshots: reading.

A rule belongs to the share; each instance has a mapping of its own with the rule's state there.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import (
    share_access_map,
    share_instance_access_map,
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
)
from manila_lite.db.records import Record

_r = share_access_map.c
_m = share_instance_access_map.c
_sr = share_snapshot_access_map.c
_sm = share_snapshot_instance_access_map.c

_OF_INSTANCE = (
    sa.select(
        _r.id,
        _r.id.label("access_id"),
        _r.share_id,
        _r.access_type,
        _r.access_to,
        _r.access_level,
        _r.access_key,
        _r.created_at,
        _r.updated_at,
        _r.deleted,
        _m.id.label("mapping_id"),
        _m.share_instance_id,
        _m.state,
    )
    .select_from(
        share_access_map.outerjoin(
            share_instance_access_map,
            sa.and_(
                _m.access_id == _r.id,
                _m.share_instance_id == sa.bindparam("instance_id"),
                _m.deleted == "False",
            ),
        )
    )
    .where(_r.share_id == sa.bindparam("share_id"), _r.deleted == "False")
    .order_by(_r.id)
)
_OF_SNAPSHOT = (
    sa.select(
        _sr.id,
        _sr.id.label("access_id"),
        _sr.share_snapshot_id,
        _sr.access_type,
        _sr.access_to,
        _sr.created_at,
        _sr.updated_at,
        _sr.deleted,
        _sm.id.label("mapping_id"),
        _sm.share_snapshot_instance_id,
        _sm.state,
    )
    .select_from(
        share_snapshot_access_map.outerjoin(
            share_snapshot_instance_access_map,
            sa.and_(
                _sm.access_id == _sr.id,
                _sm.share_snapshot_instance_id == sa.bindparam("instance_id"),
                _sm.deleted == "False",
            ),
        )
    )
    .where(_sr.share_snapshot_id == sa.bindparam("snapshot_id"), _sr.deleted == "False")
    .order_by(_sr.id)
)


def rules_of_instance(connection: Connection, share_id: str, instance_id: str) -> list[Record]:
    """Return the share's rules with their mapping on the instance (None where there is none)."""
    parameters = {"share_id": share_id, "instance_id": instance_id}
    return Record.all(connection.execute(_OF_INSTANCE, parameters))


def rules_of_snapshot_instance(
    connection: Connection, snapshot_id: str, instance_id: str
) -> list[Record]:
    """Return the snapshot's rules with their mapping on the snapshot instance."""
    parameters = {"snapshot_id": snapshot_id, "instance_id": instance_id}
    return [
        record.merged({"access_level": "ro"})
        for record in Record.all(connection.execute(_OF_SNAPSHOT, parameters))
    ]
