# SPDX-License-Identifier: Apache-2.0
"""Access rules of shares and snapshots: reading.

A rule belongs to the share; each instance has a mapping of its own with the rule's state there.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import shares as share_rows
from manila_lite.db.guards import one_of
from manila_lite.db.models import (
    share_access_map,
    share_instance_access_map,
    share_instances,
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
    share_snapshot_instances,
    share_snapshots,
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


# -- rules that nobody takes up ----------------------------------------------------------------

_i = share_instances.c
_n = share_snapshot_instances.c
_p = share_snapshots.c
#: Where another operation is under way, or the end is near, rules are not taken up.
_BUSY: Final = states.UNDERWAY | {states.ERROR_DEFERRED_DELETING}
_ON_HOST = sa.and_(
    sa.or_(_i.host == sa.bindparam("host"), _i.host.like(sa.bindparam("pools"), escape="/")),
    _i.deleted == "False",
)


def _with_rules_due(
    joined: sa.FromClause,
    instances: sa.Table,
    mappings: sa.Table,
    share_id: sa.Column[Any],
) -> sa.Select[Any]:
    key, m = instances.c.id, mappings.c
    changed = sa.func.max(sa.func.coalesce(m.updated_at, m.created_at))
    return (
        sa.select(key, share_id.label("share_id"), changed.label("changed"))
        .select_from(joined)
        .where(
            _ON_HOST,
            m.deleted == "False",
            one_of(m.state, states.ACCESS_QUEUED | states.ACCESS_UNDERWAY),
            ~one_of(instances.c.status, _BUSY),
            key > sa.bindparam("after"),
        )
        .group_by(key, share_id)
        .having(sa.or_(changed.is_(None), changed <= sa.bindparam("before")))
        .order_by(key)
        .limit(sa.bindparam("most"))
    )


_DUE_ON_INSTANCES = _with_rules_due(
    share_instances.join(share_instance_access_map, _m.share_instance_id == _i.id),
    share_instances,
    share_instance_access_map,
    _i.share_id,
)
_DUE_ON_SNAPSHOT_INSTANCES = _with_rules_due(
    share_snapshot_instances.join(
        share_snapshot_instance_access_map, _sm.share_snapshot_instance_id == _n.id
    )
    .join(share_snapshots, sa.and_(_p.id == _n.snapshot_id, _n.deleted == "False"))
    .join(share_instances, _i.id == _n.share_instance_id),
    share_snapshot_instances,
    share_snapshot_instance_access_map,
    _p.share_id,
)


def instances_with_rules_due(
    connection: Connection, host: str, before: datetime.datetime, page: int = share_rows.PAGE
) -> Iterator[Record]:
    """Yield id, share_id, changed of the host's instances whose rules wait since that time.

    changed: when the last one of their rules that wait was written.
    """
    return _iterate(connection, _DUE_ON_INSTANCES, host, before, page)


def snapshot_instances_with_rules_due(
    connection: Connection, host: str, before: datetime.datetime, page: int = share_rows.PAGE
) -> Iterator[Record]:
    """Yield the same of snapshot instances."""
    return _iterate(connection, _DUE_ON_SNAPSHOT_INSTANCES, host, before, page)


def _iterate(
    connection: Connection,
    statement: sa.Select[Any],
    host: str,
    before: datetime.datetime,
    page: int,
) -> Iterator[Record]:
    parameters = {"host": host, "pools": share_rows.pools_of(host), "before": before, "most": page}
    after = ""
    while True:
        found = Record.all(connection.execute(statement, {**parameters, "after": after}))
        yield from found
        if len(found) < page:
            return
        after = found[-1]["id"]
