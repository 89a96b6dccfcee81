# SPDX-License-Identifier: Apache-2.0
"""Share groups and their snapshots: reading.

The members of a group snapshot are rows of ``share_snapshot_instances`` without a snapshot of
their own. As with single snapshots, the ``share_id`` of a member is the id of the share instance,
for drivers' sake.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.models import (
    share_group_share_type_mappings,
    share_group_snapshots,
    share_groups,
    share_instances,
    share_snapshot_instances,
    shares,
)
from manila_lite.db.records import Record

_g = share_groups.c
_p = share_group_snapshots.c
_n = share_snapshot_instances.c
_m = share_group_share_type_mappings.c
_i = share_instances.c
_s = shares.c

_GROUP = sa.select(share_groups).where(_g.id == sa.bindparam("group_id"), _g.deleted == "False")
_TYPES = (
    sa.select(share_group_share_type_mappings)
    .where(_m.share_group_id == sa.bindparam("group_id"), _m.deleted == "False")
    .order_by(_m.id)
)
_SHARES = (
    sa.select(*share_rows.INSTANCE_COLUMNS)
    .select_from(share_instances.join(shares, _s.id == _i.share_id))
    .where(
        _s.share_group_id == sa.bindparam("group_id"), _s.deleted == "False", _i.deleted == "False"
    )
    .order_by(_i.id)
)
_SNAPSHOT = sa.select(share_group_snapshots).where(
    _p.id == sa.bindparam("snapshot_id"), _p.deleted == "False"
)
_SNAPSHOTS_OF_GROUP = (
    sa.select(sa.func.count())
    .select_from(share_group_snapshots)
    .where(_p.share_group_id == sa.bindparam("group_id"), _p.deleted == "False")
)
_MEMBERS = (
    sa.select(share_snapshot_instances)
    .where(_n.share_group_snapshot_id == sa.bindparam("snapshot_id"), _n.deleted == "False")
    .order_by(_n.id)
)
_MEMBERS_OF_SHARE = (
    sa.select(sa.func.count())
    .select_from(share_snapshot_instances.join(share_instances, _i.id == _n.share_instance_id))
    .where(
        _i.share_id == sa.bindparam("share_id"),
        _n.share_group_snapshot_id.is_not(None),
        _n.deleted == "False",
    )
)
_GROUP_IDS = sa.select(_p.id, _p.share_group_id).where(
    _p.id.in_(sa.bindparam("snapshot_ids", expanding=True))
)
_ON_HOST = sa.or_(_g.host == sa.bindparam("host"), _g.host.like(sa.bindparam("pools"), escape="/"))
_BY_STATUS = (
    sa.select(share_groups)
    .where(_ON_HOST, _g.deleted == "False", _g.status.in_(sa.bindparam("statuses", expanding=True)))
    .order_by(_g.id)
)
_SNAPSHOTS_BY_STATUS = (
    sa.select(share_group_snapshots)
    .select_from(share_group_snapshots.join(share_groups, _g.id == _p.share_group_id))
    .where(_ON_HOST, _p.deleted == "False", _p.status.in_(sa.bindparam("statuses", expanding=True)))
    .order_by(_p.id)
)


def get_group(connection: Connection, group_id: str) -> Record | None:
    """Return a living share group with ``share_types`` (its rows of types), or None."""
    row = connection.execute(_GROUP, {"group_id": group_id}).first()
    if row is None:
        return None
    group = Record.of(row)
    group["share_types"] = Record.all(connection.execute(_TYPES, {"group_id": group_id}))
    return group


def shares_of_group(
    connection: Connection,
    group_id: str,
    name_template: str = share_rows.DEFAULT_NAME_TEMPLATE,
) -> list[Record]:
    """Return the living share instances of a group, with metadata and export locations."""
    rows = connection.execute(_SHARES, {"group_id": group_id})
    found = [share_rows.as_instance(row, name_template) for row in rows]
    share_rows.complete(connection, found)
    return found


def get_group_snapshot(
    connection: Connection,
    snapshot_id: str,
    name_template: str = snapshot_rows.DEFAULT_NAME_TEMPLATE,
    share_name_template: str = share_rows.DEFAULT_NAME_TEMPLATE,
) -> Record | None:
    """Return a living group snapshot with ``share_group`` and its members, or None.

    ``share`` of a member is the share instance that it is of, None where that is gone.
    """
    row = connection.execute(_SNAPSHOT, {"snapshot_id": snapshot_id}).first()
    if row is None:
        return None
    snapshot = Record.of(row)
    snapshot["share_group"] = get_group(connection, snapshot["share_group_id"])
    rows = connection.execute(_MEMBERS, {"snapshot_id": snapshot_id})
    members = Record.all(rows)
    ids = [member["share_instance_id"] for member in members]
    instances = share_rows.get_instances(connection, ids, share_name_template) if ids else {}
    share_rows.complete(connection, list(instances.values()))
    for member in members:
        member["name"] = name_template % member["id"]
        member["share_name"] = share_name_template % member["share_instance_id"]
        member["share_id"] = member["share_instance_id"]
        share = instances.get(member["share_instance_id"])
        snapshot_rows.with_share(member, share)
        member["share_type_id"] = share["share_type_id"] if share is not None else None
    snapshot["share_group_snapshot_members"] = members
    return snapshot


def count_snapshots(connection: Connection, group_id: str) -> int:
    """Return how many living snapshots a group has."""
    return int(connection.execute(_SNAPSHOTS_OF_GROUP, {"group_id": group_id}).scalar_one())


def count_members_of_share(connection: Connection, share_id: str) -> int:
    """Return how many living group snapshots a share is in."""
    return int(connection.execute(_MEMBERS_OF_SHARE, {"share_id": share_id}).scalar_one())


def group_ids_of_snapshots(connection: Connection, snapshot_ids: Sequence[str]) -> dict[str, str]:
    """Return {group snapshot id: group id}, deleted ones included: the lane outlives the row."""
    rows = connection.execute(_GROUP_IDS, {"snapshot_ids": list(snapshot_ids)})
    return {row.id: row.share_group_id for row in rows}


def groups_by_status(connection: Connection, host: str, statuses: Sequence[str]) -> list[Record]:
    """Return the living groups of a back end (all its pools) that are in one of the statuses."""
    return _by_status(connection, _BY_STATUS, host, statuses)


def snapshots_by_status(connection: Connection, host: str, statuses: Sequence[str]) -> list[Record]:
    """Return the living group snapshots of a back end that are in one of the statuses."""
    return _by_status(connection, _SNAPSHOTS_BY_STATUS, host, statuses)


def _by_status(
    connection: Connection, statement: sa.Select[tuple[object, ...]], host: str,
    statuses: Sequence[str],
) -> list[Record]:  # fmt: skip
    parameters = {
        "host": host,
        "pools": share_rows.pools_of(host),
        "statuses": list(statuses),
    }
    return Record.all(connection.execute(statement, parameters))
