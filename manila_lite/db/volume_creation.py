# SPDX-License-Identifier: Apache-2.0
"""The rows that an API makes before it casts: for the command line, which has no API.

The caller records the operation in the same transaction, so that there is never a row in
'creating' that nobody will create.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import volume_states as states
from manila_lite.db import volume_types
from manila_lite.db.guards import living
from manila_lite.db.models import snapshot_metadata, snapshots, volume_metadata, volumes
from manila_lite.db.records import Record
from manila_lite.db.volume_snapshots import NONE_YET

_TICK = datetime.timedelta(microseconds=1)

_p = snapshots.c
# Deleted ones too: the order of a chain is the order in which its images were made.
_LAST_SNAPSHOT = sa.select(sa.func.max(_p.created_at)).where(
    _p.volume_id == sa.bindparam("volume_id")
)


def new_volume(
    connection: Connection,
    now: datetime.datetime,
    *,
    host: str,
    size: int,
    project_id: str,
    user_id: str,
    volume_type: Mapping[str, Any] | None = None,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    snapshot_id: str | None = None,
    source_volid: str | None = None,
    zone: str | None = None,
    multiattach: bool = False,
    status: str = states.CREATING,
    volume_id: str | None = None,
    **columns: Any,
) -> Record:
    """Insert a volume of size GiB; return {volume_id}.

    host: 'host@backend#pool'. zone: the availability zone's name. Without a type it gets the
    default one.
    """
    volume_id = volume_id or str(uuid.uuid4())
    kind = volume_type or volume_types.ensure_default(connection, now)
    row = {
        "id": volume_id,
        "user_id": user_id,
        "project_id": project_id,
        "host": host,
        "size": int(size),
        "availability_zone": zone,
        "status": status,
        "attach_status": states.ATTACH_DETACHED,
        "scheduled_at": now,
        "display_name": name,
        "display_description": description,
        "volume_type_id": kind["id"],
        "snapshot_id": snapshot_id,
        "source_volid": source_volid,
        "multiattach": multiattach,
        **columns,
    }
    _insert(connection, volumes, row, now)
    _insert_pairs(connection, volume_metadata, {"volume_id": volume_id}, metadata, now)
    return Record(volume_id=volume_id)


def new_snapshot(
    connection: Connection,
    now: datetime.datetime,
    volume: Mapping[str, Any],
    *,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    project_id: str | None = None,
    user_id: str | None = None,
    status: str = states.CREATING,
    snapshot_id: str | None = None,
    **columns: Any,
) -> Record:
    """Insert a snapshot of a volume (a record of db.volumes); return {snapshot_id}.

    It is younger than all other snapshots of the volume, however fine the clock: their order is
    that of the chain of images.
    """
    snapshot_id = snapshot_id or str(uuid.uuid4())
    last = connection.execute(_LAST_SNAPSHOT, {"volume_id": volume["id"]}).scalar()
    row = {
        "id": snapshot_id,
        "volume_id": volume["id"],
        "volume_size": volume["size"],
        "volume_type_id": volume["volume_type_id"],
        "encryption_key_id": volume["encryption_key_id"],
        "project_id": project_id or volume["project_id"],
        "user_id": user_id or volume["user_id"],
        "status": status,
        "progress": NONE_YET,
        "display_name": name,
        "display_description": description,
        **columns,
    }
    _insert(connection, snapshots, row, now if last is None else max(now, last + _TICK))
    _insert_pairs(connection, snapshot_metadata, {"snapshot_id": snapshot_id}, metadata, now)
    return Record(snapshot_id=snapshot_id)


def _insert(
    connection: Connection, table: sa.Table, row: Mapping[str, Any], now: datetime.datetime
) -> None:
    times = {"created_at": now, "updated_at": now, "deleted": False}
    connection.execute(table.insert(), {**row, **times})


def _insert_pairs(
    connection: Connection,
    table: sa.Table,
    owner: Mapping[str, str],
    pairs: Mapping[str, str] | None,
    now: datetime.datetime,
) -> None:
    for key, value in (pairs or {}).items():
        _insert(connection, table, {**owner, "key": key, "value": value}, now)


def begin_on_volume(
    connection: Connection,
    volume_id: str,
    status: str,
    now: datetime.datetime,
    sources: Iterable[str] | None = None,
) -> bool:
    """Put a volume into a transitional status, as the API does before it casts.

    ``previous_status`` keeps the one before. sources: the statuses from which this is allowed,
    else all that lead there. False, and no change, when another operation is under way or the
    status does not lead there.
    """
    c = volumes.c
    # previous_status first: MariaDB assigns from left to right.
    begun = {"previous_status": c.status, "status": sa.literal(status)}
    if status in (states.DELETING, states.UNMANAGING):
        begun["terminated_at"] = sa.literal(now, c.terminated_at.type)
    if sources is None:
        sources = _leading_to(status, states.VOLUME_TRANSITIONS)
    return _begun(connection, volumes, volume_id, begun, sources, now)


def begin_on_snapshot(
    connection: Connection, snapshot_id: str, status: str, now: datetime.datetime
) -> bool:
    """Put a snapshot into a transitional status; False where that is not possible."""
    sources = _leading_to(status, states.SNAPSHOT_TRANSITIONS)
    return _begun(connection, snapshots, snapshot_id, {"status": sa.literal(status)}, sources, now)


def _leading_to(status: str, transitions: Mapping[str, frozenset[str]]) -> list[str]:
    found = [old for old, new in transitions.items() if status in new]
    return [old for old in found if old in states.STEADY]


def _begun(
    connection: Connection,
    table: sa.Table,
    row_id: str,
    begun: Mapping[str, Any],
    sources: Iterable[str],
    now: datetime.datetime,
) -> bool:
    c = table.c
    assignments = [(c[name], value) for name, value in begun.items()]
    statement = (
        table.update()
        .where(c.id == row_id, living(table), c.status.in_(list(sources)))
        .ordered_values(*assignments, (c.updated_at, now))
    )
    return connection.execute(statement).rowcount == 1
