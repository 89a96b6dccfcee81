# SPDX-License-Identifier: Apache-2.0
"""Backups of shares: reading, and writing as data."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import quotas
from manila_lite.db.guards import status_write
from manila_lite.db.models import share_backups, share_instances, shares
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

DEFAULT_NAME_TEMPLATE: Final = "share-backup-%s"
DONE: Final = "100"
NOTHING: Final = "0"
_LONGEST_REASON: Final = 255  # what the column holds

_b = share_backups.c
_s = shares.c
_i = share_instances.c

_BY_ID = sa.select(share_backups).where(_b.id == sa.bindparam("backup_id"), _b.deleted == "False")
_SHARE_IDS = sa.select(_b.id, _b.share_id).where(
    _b.id.in_(sa.bindparam("backup_ids", expanding=True))
)
_BY_STATUS = (
    sa.select(share_backups)
    .where(
        _b.host == sa.bindparam("host"),
        _b.deleted == "False",
        _b.status.in_(sa.bindparam("statuses", expanding=True)),
    )
    .order_by(_b.id)
)
_BEING_MADE = (
    sa.select(_b.id, _b.host)
    .where(
        _b.share_id == sa.bindparam("share_id"),
        _b.status == states.CREATING,
        _b.deleted == "False",
    )
    .order_by(_b.id)
)
_BEING_RESTORED = (
    sa.select(_b.id, _b.host)
    .select_from(share_backups.join(shares, _s.source_backup_id == _b.id))
    .where(
        _s.id == sa.bindparam("share_id"),
        _b.status == states.RESTORING,
        _b.deleted == "False",
    )
)
_SHARES_TO_RESTORE = (
    sa.select(_s.id)
    .select_from(shares.join(share_instances, _i.share_id == _s.id))
    .where(
        _s.source_backup_id == sa.bindparam("backup_id"),
        _s.deleted == "False",
        _i.status == states.BACKUP_RESTORING,
        _i.deleted == "False",
    )
    .order_by(_s.id)
)
_OF_SHARE = (
    sa.select(sa.func.count())
    .select_from(share_backups)
    .where(_b.share_id == sa.bindparam("share_id"), _b.deleted == "False")
)
_DELETE = (
    share_backups.update()
    .where(_b.id == sa.bindparam("b_id"), _b.deleted == "False")
    .values(
        status=states.DELETED,
        deleted=_b.id,
        deleted_at=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
    )
)


def _shown(column: str, status: str) -> sa.Update:
    return (
        share_backups.update()
        .where(_b.id == sa.bindparam("b_id"), _b.deleted == "False", _b.status == status)
        .values({column: sa.bindparam("b_progress"), "updated_at": sa.bindparam("b_now")})
    )


#: {status: the column that says how far that is, and how it is written}
_PROGRESS: Final = {
    status: _shown(column, status)
    for status, column in (
        (states.CREATING, "progress"),
        (states.RESTORING, "restore_progress"),
    )
}


def get_backup(
    connection: Connection, backup_id: str, name_template: str = DEFAULT_NAME_TEMPLATE
) -> Record | None:
    """Return a living backup with its name on the storage, or None."""
    row = connection.execute(_BY_ID, {"backup_id": backup_id}).first()
    if row is None:
        return None
    backup = Record.of(row)
    backup["name"] = name_template % backup["id"]
    return backup


def share_ids_of_backups(connection: Connection, backup_ids: Sequence[str]) -> dict[str, str]:
    """Return {backup id: share id}, deleted ones included: the lane outlives the row."""
    rows = connection.execute(_SHARE_IDS, {"backup_ids": list(backup_ids)})
    return {row.id: row.share_id for row in rows if row.share_id is not None}


def by_status(connection: Connection, host: str, statuses: Sequence[str]) -> list[Record]:
    """Return the living backups of a back end that are in one of the statuses."""
    rows = connection.execute(_BY_STATUS, {"host": host, "statuses": list(statuses)})
    return Record.all(rows)


def being_made(connection: Connection, share_id: str) -> Record | None:
    """Return id and host of the backup of a share that is in 'creating'; None where none is.

    The host of a backup that Manila's data service makes is none of a back end, or None.
    """
    return _first(connection, _BEING_MADE, share_id)


def being_restored(connection: Connection, share_id: str) -> Record | None:
    """Return id and host of the backup that is being restored into a share, as being_made."""
    return _first(connection, _BEING_RESTORED, share_id)


def _first(
    connection: Connection, statement: sa.Select[tuple[str, str]], share_id: str
) -> Record | None:
    row = connection.execute(statement, {"share_id": share_id}).first()
    return None if row is None else Record.of(row)


def share_to_restore(connection: Connection, backup_id: str) -> str | None:
    """Return the id of the share that a backup is being restored into; None where none is."""
    found: str | None = connection.execute(_SHARES_TO_RESTORE, {"backup_id": backup_id}).scalar()
    return found


def count_of_share(connection: Connection, share_id: str) -> int:
    """Return how many living backups a share has."""
    return int(connection.execute(_OF_SHARE, {"share_id": share_id}).scalar_one())


# -- writing -----------------------------------------------------------------------------------


def move(backup_id: str, old: str, new: str, now: datetime.datetime, **columns: Any) -> list[Write]:
    """Take a backup from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation.
    """
    return [
        status_write(
            share_backups, states.check_backup_transition, backup_id, old, new, now, columns
        )
    ]


def failed(backup_id: str, old: str, reason: str, now: datetime.datetime) -> list[Write]:
    """Put a backup into the error status of what was being done, with the reason."""
    new, reason = states.BACKUP_ERROR_STATUS[old], reason[:_LONGEST_REASON]
    return move(backup_id, old, new, now, fail_reason=reason)


def progressed(backup_id: str, status: str, percent: int, now: datetime.datetime) -> list[Write]:
    """Say how far a backup in 'creating' or 'restoring' is, in percent."""
    parameters = {"b_id": backup_id, "b_progress": str(percent), "b_now": now}
    return [Write(_PROGRESS[status], parameters)]


def deleted(backup: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Mark a backup as deleted, and take it off the usages of its owner."""
    deltas = {quotas.BACKUPS: -1, quotas.BACKUP_GIGABYTES: -int(backup["size"] or 0)}
    return [
        Write(_DELETE, {"b_id": backup["id"], "b_now": now}),
        *quotas.change(backup, None, deltas, now),
    ]


# -- what an API does before it casts ----------------------------------------------------------


def new_backup(
    connection: Connection,
    now: datetime.datetime,
    instance: Mapping[str, Any],
    *,
    host: str,
    topic: str,
    project_id: str,
    user_id: str,
    backup_id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    backup_type: str | None = None,
) -> str:
    """Insert a backup of a share instance (a record of db.shares) in 'creating'; return its id.

    host: 'host@backend'. The usages grow by one backup and the share's size.
    """
    backup_id = backup_id or str(uuid.uuid4())
    owner = {"project_id": project_id, "user_id": user_id}
    connection.execute(
        share_backups.insert(),
        {
            "id": backup_id,
            "share_id": instance["share_id"],
            "size": instance["size"],
            "host": host,
            "topic": topic,
            "status": states.CREATING,
            "progress": NOTHING,
            "restore_progress": NOTHING,
            "display_name": name,
            "display_description": description,
            "backup_type": backup_type,
            "availability_zone_id": instance["availability_zone_id"],
            "created_at": now,
            "updated_at": now,
            "deleted": "False",
            **owner,
        },
    )
    deltas = {quotas.BACKUPS: 1, quotas.BACKUP_GIGABYTES: int(instance["size"] or 0)}
    quotas.add_usage(connection, owner, None, deltas, now)
    return backup_id


def begin(connection: Connection, backup_id: str, status: str, now: datetime.datetime) -> bool:
    """Put a backup into a transitional status; False where its status does not lead there."""
    sources = [old for old, new in states.BACKUP_TRANSITIONS.items() if status in new]
    statement = (
        share_backups.update()
        .where(
            _b.id == backup_id,
            _b.deleted == "False",
            _b.status.in_([old for old in sources if old in states.STEADY]),
        )
        .values(status=status, updated_at=now)
    )
    return connection.execute(statement).rowcount == 1


def set_source(connection: Connection, share_id: str, backup_id: str) -> None:
    """Say which backup is restored into a share."""
    connection.execute(shares.update().where(_s.id == share_id).values(source_backup_id=backup_id))
