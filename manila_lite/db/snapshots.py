# SPDX-License-Identifier: Apache-2.0
"""Snapshots and their instances: reading.

A snapshot instance is read as drivers know it. Two of its keys surprise: ``share_id`` holds the id
of the share *instance*, as Manila's model has it for its drivers' sake; the share's own id is
``record["share"]["share_id"]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import shares as share_rows
from manila_lite.db.models import (
    share_instances,
    share_snapshot_instance_export_locations,
    share_snapshot_instances,
    share_snapshot_metadata,
    share_snapshots,
)
from manila_lite.db.records import Record

DEFAULT_NAME_TEMPLATE = "share-snapshot-%s"

_n = share_snapshot_instances.c
_p = share_snapshots.c
_i = share_instances.c
_l = share_snapshot_instance_export_locations.c
_LIVE = (_n.deleted == "False",)

_OF_SNAPSHOT_COLUMNS = (
    _p.share_id.label("parent_share_id"),
    _p.display_name,
    _p.display_description,
    _p.share_size,
    _p.size.label("snapshot_size"),
    _p.share_proto.label("snapshot_proto"),
    _p.user_id.label("snapshot_user_id"),
    _p.project_id.label("snapshot_project_id"),
)
_JOINED = share_snapshot_instances.join(share_snapshots, _p.id == _n.snapshot_id)
_SELECT = (
    sa.select(*share_snapshot_instances.columns, *_OF_SNAPSHOT_COLUMNS)
    .select_from(_JOINED)
    .where(*_LIVE)
)
_BY_SNAPSHOT = _SELECT.where(_n.snapshot_id == sa.bindparam("snapshot_id")).order_by(_n.id)
_ON_INSTANCES = _SELECT.where(
    _n.share_instance_id.in_(sa.bindparam("share_instance_ids", expanding=True))
).order_by(_n.id)
_BY_ID = _SELECT.where(_n.id == sa.bindparam("instance_id"))
_OF_HOST = (
    sa.select(*share_snapshot_instances.columns, *_OF_SNAPSHOT_COLUMNS, _i.replica_state)
    .select_from(_JOINED.join(share_instances, _i.id == _n.share_instance_id))
    .where(
        *_LIVE,
        sa.or_(_i.host == sa.bindparam("host"), _i.host.like(sa.bindparam("pools"), escape="/")),
        _n.status.in_(sa.bindparam("statuses", expanding=True)),
        _n.id > sa.bindparam("after"),
    )
    .order_by(_n.id)
    .limit(sa.bindparam("most"))
)
_SNAPSHOT = sa.select(share_snapshots).where(
    _p.id == sa.bindparam("snapshot_id"), _p.deleted == "False"
)
_SHARE_IDS = sa.select(_p.id, _p.share_id).where(
    _p.id.in_(sa.bindparam("snapshot_ids", expanding=True))
)
_SHARE_IDS_OF_INSTANCES = (
    sa.select(_n.id, _p.share_id)
    .select_from(_JOINED)
    .where(_n.id.in_(sa.bindparam("instance_ids", expanding=True)))
)
_IN_STATUS = (
    sa.select(_n.snapshot_id)
    .where(
        *_LIVE,
        _n.share_instance_id == sa.bindparam("share_instance_id"),
        _n.status == sa.bindparam("status"),
    )
    .order_by(_n.id)
    .limit(1)
)
_EXPORT_LOCATIONS = (
    sa.select(share_snapshot_instance_export_locations)
    .where(_l.share_snapshot_instance_id == sa.bindparam("instance_id"), _l.deleted == "False")
    .order_by(_l.id)
)
_METADATA = (
    sa.select(share_snapshot_metadata)
    .where(
        share_snapshot_metadata.c.share_snapshot_id == sa.bindparam("snapshot_id"),
        share_snapshot_metadata.c.deleted == "False",
    )
    .order_by(share_snapshot_metadata.c.id)
)


def as_instance(
    row: Any,
    name_template: str = DEFAULT_NAME_TEMPLATE,
    share_name_template: str = share_rows.DEFAULT_NAME_TEMPLATE,
) -> Record:
    """Build the record of a snapshot instance from a row; ``share`` is still to be set."""
    record = Record.of(row)
    for name in ("size", "proto", "user_id", "project_id"):
        column = "share_proto" if name == "proto" else name
        inherited = record.pop(f"snapshot_{name}")
        if record[column] is None:
            record[column] = inherited
    record["name"] = name_template % record["id"]
    record["share_name"] = share_name_template % record["share_instance_id"]
    record["share_id"] = record["share_instance_id"]
    record["export_locations"] = []
    return record


def list_instances(
    connection: Connection,
    snapshot_id: str,
    name_template: str = DEFAULT_NAME_TEMPLATE,
    share_name_template: str = share_rows.DEFAULT_NAME_TEMPLATE,
) -> list[Record]:
    """Return the live instances of a snapshot, without their shares."""
    rows = connection.execute(_BY_SNAPSHOT, {"snapshot_id": snapshot_id})
    return [as_instance(row, name_template, share_name_template) for row in rows]


def get_instance(
    connection: Connection, instance_id: str, name_template: str = DEFAULT_NAME_TEMPLATE
) -> Record | None:
    """Return a snapshot instance by id, without its share; None when deleted or unknown."""
    row = connection.execute(_BY_ID, {"instance_id": instance_id}).first()
    return None if row is None else as_instance(row, name_template)


def on_instances(
    connection: Connection,
    share_instance_ids: Sequence[str],
    name_template: str = DEFAULT_NAME_TEMPLATE,
    share_name_template: str = share_rows.DEFAULT_NAME_TEMPLATE,
) -> list[Record]:
    """Return the live snapshot instances of share instances, without these."""
    parameters = {"share_instance_ids": list(share_instance_ids)}
    rows = connection.execute(_ON_INSTANCES, parameters)
    return [as_instance(row, name_template, share_name_template) for row in rows]


def snapshot_in_status(connection: Connection, share_instance_id: str, status: str) -> str | None:
    """Return the id of a snapshot of a share instance that has this status, or None."""
    parameters = {"share_instance_id": share_instance_id, "status": status}
    found = connection.execute(_IN_STATUS, parameters).scalar()
    return None if found is None else str(found)


def iterate_instances(
    connection: Connection, host: str, statuses: Sequence[str], page: int = share_rows.PAGE
) -> Iterator[list[Record]]:
    """Yield pages of the snapshot instances of a back end that are in one of these statuses.

    replica_state is that of the share instance that each is on.
    """
    parameters = {
        "host": host,
        "pools": share_rows.pools_of(host),
        "statuses": list(statuses),
        "most": page,
    }
    after = ""
    while True:
        rows = connection.execute(_OF_HOST, {**parameters, "after": after}).all()
        if rows:
            yield [as_instance(row) for row in rows]
        if len(rows) < page:
            return
        after = rows[-1].id


def with_share(record: Record, share: Record | None) -> Record:
    """Set the share instance that a snapshot instance was taken of; return the record."""
    record["share"] = record["share_instance"] = share
    return record


def export_locations_of(connection: Connection, instance_id: str) -> list[Record]:
    """Return the export locations of a snapshot instance that can be mounted."""
    return Record.all(connection.execute(_EXPORT_LOCATIONS, {"instance_id": instance_id}))


def metadata_of(connection: Connection, snapshot_id: str) -> list[Record]:
    """Return the metadata rows of a snapshot."""
    return Record.all(connection.execute(_METADATA, {"snapshot_id": snapshot_id}))


def get_snapshot(connection: Connection, snapshot_id: str) -> Record | None:
    """Return a snapshot with its instances and the status that it takes from the first."""
    row = connection.execute(_SNAPSHOT, {"snapshot_id": snapshot_id}).first()
    if row is None:
        return None
    snapshot = Record.of(row)
    snapshot["instances"] = list_instances(connection, snapshot_id)
    snapshot["instance"] = first = next(iter(snapshot["instances"]), None)
    snapshot["status"] = states.DELETED if first is None else first["status"]
    snapshot["progress"] = None if first is None else first["progress"]
    return snapshot


def share_ids_of_instances(connection: Connection, instance_ids: Sequence[str]) -> dict[str, str]:
    """Return {snapshot instance id: share id}, deleted ones included."""
    rows = connection.execute(_SHARE_IDS_OF_INSTANCES, {"instance_ids": list(instance_ids)})
    return {row.id: row.share_id for row in rows}


def share_ids_of_snapshots(connection: Connection, snapshot_ids: Sequence[str]) -> dict[str, str]:
    """Return {snapshot id: share id}, deleted snapshots included: the lane outlives the row."""
    rows = connection.execute(_SHARE_IDS, {"snapshot_ids": list(snapshot_ids)})
    return {row.id: row.share_id for row in rows}
