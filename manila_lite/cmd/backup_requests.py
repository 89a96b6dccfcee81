# SPDX-License-Identifier: Apache-2.0
"""Backups: finding and listing them as people name them, and what to ask of a service.

The requests go into the journal in any case: an API casts a whole row, which may be old by the
time that it is read.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.cmd import lookup, requests
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.limits import require_room
from manila_lite.db import backups, quotas
from manila_lite.db.models import share_backups, shares
from manila_lite.db.records import Record
from manila_lite.db.shares import backend_of

if TYPE_CHECKING:
    from manila_lite.context import RequestContext

_b = share_backups.c
_s = shares.c


def backup(connection: Connection, name_or_id: str) -> Record:
    """The backup of this id, beginning of an id, or name.

    Raises ShareBackupNotFound; Refused when several backups fit.
    """
    found = lookup.find_id(connection, share_backups, name_or_id, "backup")
    record = backups.get_backup(connection, found) if found else None
    if record is None:
        raise exception.ShareBackupNotFound(backup_id=name_or_id)
    return record


def backup_list(
    connection: Connection, *, share_id: str | None, status: str | None, most: int
) -> list[dict[str, Any]]:
    """Living backups, newest first."""
    query = (
        sa.select(share_backups, _s.display_name.label("share_name"))
        .select_from(share_backups.outerjoin(shares, _s.id == _b.share_id))
        .where(_b.deleted == "False")
        .order_by(_b.created_at.desc(), _b.id)
        .limit(most)
    )
    if share_id is not None:
        query = query.where(_b.share_id == share_id)
    if status is not None:
        query = query.where(_b.status == status)
    return [dict(row) for row in connection.execute(query).mappings()]


def create_backup(
    connection: Connection,
    context: RequestContext,
    share_name: str,
    backup_id: str,
    topic: str,
    now: datetime.datetime,
    name: str | None = None,
    description: str | None = None,
) -> Prepared:
    """Make the row of a new backup in 'creating', and put its share into 'backup_creating'."""
    share = lookup.share(connection, share_name)
    requests.refuse_in_migration(share)
    instance = requests.only_instance(share)
    room = {quotas.BACKUPS: 1, quotas.BACKUP_GIGABYTES: int(share["size"])}
    require_room(connection, context.project_id or "", room)
    requests.begin_share(connection, share, instance, states.BACKUP_CREATING, now)
    host = backend_of(instance["host"])
    backups.new_backup(
        connection,
        now,
        instance,
        host=host,
        topic=topic,
        project_id=context.project_id or "",
        user_id=context.user_id or "",
        backup_id=backup_id,
        name=name,
        description=description,
    )
    return _asked("create_backup", host, backup_id=backup_id)


def delete_backup(
    connection: Connection, name_or_id: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a backup into 'deleting'."""
    found = _served(backup(connection, name_or_id))
    _begin(connection, found, states.DELETING, now)
    return found, _asked("delete_backup", found["host"], backup_id=found["id"])


def restore_backup(
    connection: Connection, name_or_id: str, share_name: str | None, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a backup into 'restoring', and the share into 'backup_restoring'; return the share.

    share_name: the share to restore into, the backup's own one where it is None.
    """
    found = _served(backup(connection, name_or_id))
    share = lookup.share(connection, share_name or found["share_id"])
    requests.refuse_in_migration(share)
    instance = requests.only_instance(share)
    if backend_of(instance["host"]) != found["host"]:
        raise Refused(
            reason=f"share {share['id']} is on {instance['host']}, the backup on {found['host']}"
        )
    if found["size"] > share["size"]:
        raise Refused(
            reason=f"the backup has {found['size']} GiB, share {share['id']} only {share['size']}"
        )
    _begin(connection, found, states.RESTORING, now)
    requests.begin_share(connection, share, instance, states.BACKUP_RESTORING, now)
    backups.set_source(connection, share["id"], found["id"])
    arguments = {"backup_id": found["id"], "share_id": share["id"]}
    return share, _asked("restore_backup", found["host"], **arguments)


def _asked(method: str, host: str, **arguments: Any) -> Prepared:
    return Prepared([Request(method, host, arguments, journaled=True)])


def _served(found: Record) -> Record:
    """Raise Refused for a backup that Manila's data service has made."""
    if not found["host"] or "@" not in found["host"]:
        raise Refused(reason=f"backup {found['id']} is on no back end of a share service")
    return found


def _begin(connection: Connection, found: Record, status: str, now: datetime.datetime) -> None:
    if not backups.begin(connection, found["id"], status, now):
        raise requests.wrong_status("backup", found["id"], found["status"], status)
