# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes: reading, and writing as data.

A snapshot is read as Cinder's drivers know it: its columns, its name, its volume (complete) and
its metadata.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import volume_states as states
from manila_lite.db import volume_metadata, volumes
from manila_lite.db.guards import living, one_of, status_write
from manila_lite.db.models import snapshots
from manila_lite.db.models import volumes as volume_table
from manila_lite.db.records import Record
from manila_lite.db.shares import pools_of
from manila_lite.db.texts import short
from manila_lite.db.writes import Write
from manila_lite.states import InvalidStatusTransition

DEFAULT_NAME_TEMPLATE = "snapshot-%s"
DONE: Final = "100%"
NONE_YET: Final = "0%"

#: What a driver may say of a snapshot.
MODEL_COLUMNS: Final = frozenset({"provider_auth", "provider_id", "provider_location"})

_p = snapshots.c
_v = volume_table.c
_THIS = (_p.id == sa.bindparam("b_id"), living(snapshots))
_NOW: sa.BindParameter[Any] = sa.bindparam("b_now")

_SELECT = sa.select(snapshots).where(living(snapshots))
_BY_IDS = _SELECT.where(_p.id.in_(sa.bindparam("ids", expanding=True))).order_by(_p.id)
_IN_ORDER = (_p.created_at, _p.id)
_OF_VOLUME = _SELECT.where(_p.volume_id == sa.bindparam("volume_id")).order_by(*_IN_ORDER)
_OF_HOST = (
    sa.select(_p.id)
    .select_from(snapshots.join(volume_table, _v.id == _p.volume_id))
    .where(
        living(snapshots),
        sa.or_(_v.host == sa.bindparam("host"), _v.host.like(sa.bindparam("pools"), escape="/")),
        _p.status.in_(sa.bindparam("statuses", expanding=True)),
        _p.id > sa.bindparam("after"),
    )
    .order_by(_p.id)
    .limit(sa.bindparam("most"))
)
_WITH_HOST = (
    sa.select(snapshots, _v.host)
    .select_from(snapshots.join(volume_table, _v.id == _p.volume_id))
    .where(_p.id == sa.bindparam("id"), living(snapshots), living(volume_table))
)
_STATUS = sa.select(_p.status, _p.progress).where(_p.id == sa.bindparam("id"), living(snapshots))
_NEWEST = (
    sa.select(snapshots, _v.display_name.label("volume_display_name"), _v.host)
    .select_from(snapshots.outerjoin(volume_table, _v.id == _p.volume_id))
    .where(living(snapshots))
    .order_by(_p.created_at.desc(), _p.id)
)

_DELETE = (
    snapshots.update()
    .where(*_THIS)
    .values(status=states.DELETED, deleted=True, deleted_at=_NOW, updated_at=_NOW)
)
_CLEAR_PROGRESS = (
    snapshots.update()
    .where(*_THIS, one_of(_p.status, states.CALLBACK_TRANSITIONS))
    .values(progress=NONE_YET, updated_at=_NOW)
)


def _report(new: str, *, with_progress: bool) -> sa.Update:
    before = {old for old, allowed in states.CALLBACK_TRANSITIONS.items() if new in allowed}
    changes: dict[str, Any] = {"status": new, "updated_at": _NOW}
    if with_progress:
        changes["progress"] = sa.bindparam("b_progress")
    return snapshots.update().where(*_THIS, one_of(_p.status, before)).values(changes)


_REPORTS: Final[Mapping[tuple[str, bool], sa.Update]] = {
    (new, with_progress): _report(new, with_progress=with_progress)
    for allowed in states.CALLBACK_TRANSITIONS.values()
    for new in allowed
    for with_progress in (False, True)
}


# -- reading -----------------------------------------------------------------------------------


def as_snapshot(
    row: Any,
    volume: Record | None,
    name_template: str = DEFAULT_NAME_TEMPLATE,
) -> Record:
    """Build the record of a snapshot from a row; its metadata is empty."""
    record = Record.of(row)
    record["name"] = name_template % record["id"]
    record["volume"] = volume
    record["volume_name"] = None if volume is None else volume["name"]
    record["metadata"] = {}
    record["_context"] = None
    return record


def get_snapshot(
    connection: Connection,
    snapshot_id: str,
    name_template: str = DEFAULT_NAME_TEMPLATE,
    volume_name_template: str = volumes.DEFAULT_NAME_TEMPLATE,
) -> Record | None:
    """Return a snapshot with its volume; None when it is deleted or unknown.

    ``volume`` is None where that is deleted.
    """
    found = get_snapshots(connection, [snapshot_id], name_template, volume_name_template)
    return found.get(snapshot_id)


def with_host(connection: Connection, snapshot_id: str) -> Record | None:
    """Return a snapshot's columns and its volume's ``host``, in one query, and nothing else of it.

    None when it is deleted or unknown, or its volume is.
    """
    row = connection.execute(_WITH_HOST, {"id": snapshot_id}).first()
    return None if row is None else Record.of(row)


def get_snapshots(
    connection: Connection,
    snapshot_ids: Sequence[str],
    name_template: str = DEFAULT_NAME_TEMPLATE,
    volume_name_template: str = volumes.DEFAULT_NAME_TEMPLATE,
) -> dict[str, Record]:
    """Return {id: snapshot, as get_snapshot() returns it} of those that exist."""
    rows = connection.execute(_BY_IDS, {"ids": list(snapshot_ids)}).all()
    found = _complete(connection, rows, name_template, volume_name_template)
    return {snapshot["id"]: snapshot for snapshot in found}


def list_of_volume(
    connection: Connection,
    volume_id: str,
    name_template: str = DEFAULT_NAME_TEMPLATE,
    volume_name_template: str = volumes.DEFAULT_NAME_TEMPLATE,
) -> list[Record]:
    """Return the snapshots of a volume in the order in which they were made."""
    rows = connection.execute(_OF_VOLUME, {"volume_id": volume_id}).all()
    return _complete(connection, rows, name_template, volume_name_template)


def _complete(
    connection: Connection, rows: Sequence[Any], name_template: str, volume_name_template: str
) -> list[Record]:
    if not rows:
        return []
    volume_ids = sorted({row.volume_id for row in rows})
    their_volumes = volumes.get_volumes(connection, volume_ids, volume_name_template)
    pairs = volume_metadata.of_snapshots(connection, [row.id for row in rows])
    found = []
    for row in rows:
        snapshot = as_snapshot(row, their_volumes.get(row.volume_id), name_template)
        snapshot["metadata"] = pairs.get(row.id, {})
        found.append(snapshot)
    return found


def ids_of_host(
    connection: Connection, host: str, statuses: Sequence[str], after: str = "", most: int = 500
) -> list[str]:
    """Return a page of the ids of a back end's snapshots that are in one of these statuses."""
    parameters = {
        "host": host,
        "pools": pools_of(host),
        "statuses": list(statuses),
        "after": after,
        "most": most,
    }
    return list(connection.execute(_OF_HOST, parameters).scalars())


def search(
    connection: Connection,
    *,
    volume_id: str | None = None,
    status: str | None = None,
    most: int = 500,
) -> list[Record]:
    """Return snapshots, newest first, with ``volume_display_name`` and ``host`` of the volume."""
    query = _NEWEST.limit(most)
    if volume_id is not None:
        query = query.where(_p.volume_id == volume_id)
    if status is not None:
        query = query.where(_p.status == status)
    return Record.all(connection.execute(query))


def status_of(connection: Connection, snapshot_id: str) -> tuple[str, str | None] | None:
    """Return (status, progress) of a snapshot; None when it is deleted or unknown."""
    row = connection.execute(_STATUS, {"id": snapshot_id}).first()
    return None if row is None else (row.status, row.progress)


# -- writing -----------------------------------------------------------------------------------


def move_snapshot(
    snapshot_id: str, old: str, new: str, now: datetime.datetime, **columns: Any
) -> list[Write]:
    """Take a snapshot from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation.
    """
    return [
        status_write(
            snapshots,
            states.check_snapshot_transition,
            snapshot_id,
            old,
            new,
            now,
            columns,
            states.may_be_overwritten,
        )
    ]


def snapshot_created(
    snapshot: Mapping[str, Any], model_update: Mapping[str, Any] | None, now: datetime.datetime
) -> list[Write]:
    """Make a new snapshot available, with what the driver says of it.

    A snapshot of a bootable volume keeps what the volume knows of its image.
    """
    columns: dict[str, Any] = {"progress": DONE, **model_columns(model_update)}
    writes = move_snapshot(snapshot["id"], states.CREATING, states.AVAILABLE, now, **columns)
    image = (snapshot["volume"] or {}).get("volume_glance_metadata") or {}
    writes += volume_metadata.set_on_snapshot(snapshot, "volume_glance_metadata", image, now)
    return writes


def snapshot_failed(snapshot_id: str, old: str, now: datetime.datetime) -> list[Write]:
    """Put a snapshot whose operation failed into the status that goes with it."""
    return move_snapshot(snapshot_id, old, states.SNAPSHOT_ERROR_STATUS[old], now)


def snapshot_updated(
    snapshot_id: str, model_update: Mapping[str, Any] | None, now: datetime.datetime
) -> list[Write]:
    """Keep what a driver says of a snapshot; its status is not touched."""
    columns = model_columns(model_update)
    if not columns:
        return []
    statement = snapshots.update().where(_p.id == snapshot_id, living(snapshots))
    return [Write(statement.values(**columns, updated_at=now))]


def snapshot_deleted(snapshot: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Mark a snapshot as deleted, with its metadata."""
    return [
        Write(_DELETE, {"b_id": snapshot["id"], "b_now": now}),
        *volume_metadata.deleted_of_snapshot(snapshot, now),
    ]


def progress_cleared(snapshot_id: str, now: datetime.datetime) -> list[Write]:
    """Forget what Nova said: to be written together with the intent to ask it (again).

    The '90%' of an earlier request would pass for the answer to this one.
    """
    return [Write(_CLEAR_PROGRESS, {"b_id": snapshot_id, "b_now": now})]


def report_progress(
    snapshot_id: str, status: str, progress: str | None, now: datetime.datetime
) -> list[Write]:
    """Keep what Nova says of a snapshot, if the row shows the status that may become this one.

    Raises InvalidStatusTransition for a status that Nova never may report. Changes nothing where
    the snapshot is not being created or deleted any more: Nova's word then comes too late.
    """
    statement = _REPORTS.get((status, progress is not None))
    if statement is None:
        raise InvalidStatusTransition(
            kind="volume snapshot", old=" or ".join(states.CALLBACK_TRANSITIONS), new=status
        )
    parameters = {"b_id": snapshot_id, "b_now": now}
    if progress is not None:
        parameters["b_progress"] = short(progress, 255)
    return [Write(statement, parameters)]


def model_columns(model_update: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the columns of a driver's model update that a snapshot has."""
    return {name: value for name, value in (model_update or {}).items() if name in MODEL_COLUMNS}
