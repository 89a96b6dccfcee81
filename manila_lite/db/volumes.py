# SPDX-License-Identifier: Apache-2.0
"""Volumes: reading.

A volume is read as Cinder's drivers know it: its columns, its name on the storage, and with
:func:`complete` its metadata, type and attachments. What a deleted row says is never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import volume_states
from manila_lite.db import volume_attachments, volume_metadata, volume_types
from manila_lite.db.guards import living
from manila_lite.db.models import snapshots, volumes
from manila_lite.db.records import Record
from manila_lite.db.shares import pools_of

DEFAULT_NAME_TEMPLATE = "volume-%s"
PAGE = 500

_v = volumes.c
_p = snapshots.c

_SELECT = sa.select(volumes).where(living(volumes))
_BY_IDS = _SELECT.where(_v.id.in_(sa.bindparam("ids", expanding=True))).order_by(_v.id)
_ON_HOST = sa.or_(
    _v.host == sa.bindparam("host"),
    _v.host.like(sa.bindparam("pools"), escape="/"),
)
_OF_HOST = (
    _SELECT.where(_ON_HOST, _v.id > sa.bindparam("after"))
    .order_by(_v.id)
    .limit(sa.bindparam("most"))
)
_OF_HOST_BY_STATUS = _OF_HOST.where(_v.status.in_(sa.bindparam("statuses", expanding=True)))
_NEWEST = _SELECT.order_by(_v.created_at.desc(), _v.id)
_VOLUME_IDS = sa.select(_p.id, _p.volume_id).where(
    _p.id.in_(sa.bindparam("snapshot_ids", expanding=True))
)


def as_volume(row: Any, name_template: str = DEFAULT_NAME_TEMPLATE) -> Record:
    """Build the record of a volume from a row; what other tables say of it is empty."""
    record = Record.of(row)
    record["name_id"] = record["_name_id"] or record["id"]
    record["name"] = name_template % record["name_id"]
    record["pool"] = (record["host"] or "").partition("#")[2] or None
    record["volume_type"] = None
    record["volume_attachment"] = []
    for name in volume_metadata.OF_VOLUME:
        record[name] = {}
    return record


def get_volume(
    connection: Connection, volume_id: str, name_template: str = DEFAULT_NAME_TEMPLATE
) -> Record | None:
    """Return a complete volume by id; None when it is deleted or unknown."""
    return get_volumes(connection, [volume_id], name_template).get(volume_id)


def get_volumes(
    connection: Connection,
    volume_ids: Sequence[str],
    name_template: str = DEFAULT_NAME_TEMPLATE,
) -> dict[str, Record]:
    """Return {id: complete volume} of those that exist."""
    rows = connection.execute(_BY_IDS, {"ids": list(volume_ids)})
    found = {row.id: as_volume(row, name_template) for row in rows}
    complete(connection, list(found.values()))
    return found


def list_of_host(
    connection: Connection,
    host: str,
    after: str = "",
    most: int = PAGE,
    statuses: Sequence[str] | None = None,
    name_template: str = DEFAULT_NAME_TEMPLATE,
) -> list[Record]:
    """Return a page of the complete volumes on a back end (all its pools), by id.

    after: the id of the last one of the page before.
    """
    parameters: dict[str, Any] = {"host": host, "pools": pools_of(host)}
    parameters |= {"after": after, "most": most}
    statement = _OF_HOST
    if statuses is not None:
        statement = _OF_HOST_BY_STATUS
        parameters["statuses"] = list(statuses)
    found = [as_volume(row, name_template) for row in connection.execute(statement, parameters)]
    complete(connection, found)
    return found


def complete(connection: Connection, found: Sequence[Record]) -> None:
    """Add metadata, types and attachments to volumes, with one or two SELECTs each."""
    ids = [volume["id"] for volume in found]
    if not ids:
        return
    pairs = volume_metadata.of_volumes(connection, ids)
    attachments = volume_attachments.of_volumes(connection, ids)
    types = volume_types.get_types(connection, [volume["volume_type_id"] for volume in found])
    for volume in found:
        volume.update(pairs.get(volume["id"], {}))
        volume["volume_attachment"] = attachments.get(volume["id"], [])
        volume["volume_type"] = types.get(volume["volume_type_id"])


def search(
    connection: Connection,
    *,
    host: str | None = None,
    status: str | None = None,
    project_id: str | None = None,
    most: int = PAGE,
    name_template: str = DEFAULT_NAME_TEMPLATE,
) -> list[Record]:
    """Return volumes, newest first, without what other tables say of them.

    host: ``host@backend``, or a pool of it in full.
    """
    query = _NEWEST.limit(most)
    if host is not None:
        query = query.where(sa.or_(_v.host == host, _v.host.like(pools_of(host), escape="/")))
    if status is not None:
        query = query.where(_v.status == status)
    if project_id is not None:
        query = query.where(_v.project_id == project_id)
    return [as_volume(row, name_template) for row in connection.execute(query)]


def volume_ids_of_snapshots(connection: Connection, snapshot_ids: Sequence[str]) -> dict[str, str]:
    """Return {snapshot id: volume id}, deleted snapshots included: the lane outlives the row."""
    rows = connection.execute(_VOLUME_IDS, {"snapshot_ids": list(snapshot_ids)})
    return {row.id: row.volume_id for row in rows}


def resting_status(volume: Mapping[str, Any]) -> str:
    """Return the status of a complete volume on which nothing is under way.

    Its attachments decide: they are kept up while ``previous_status`` may be of long ago.
    """
    attached = (
        one["attach_status"] == volume_states.ATTACH_ATTACHED for one in volume["volume_attachment"]
    )
    return volume_states.IN_USE if any(attached) else volume_states.AVAILABLE
