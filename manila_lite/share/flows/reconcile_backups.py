# SPDX-License-Identifier: Apache-2.0
"""Backups that nobody brings to an end, and shares that wait for one: found, and ended."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import backups as backup_rows
from manila_lite.db import share_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import abandoned, backups, casting, common

RECONCILE_BACKUP: Final = "_reconcile_backup"
STATUSES: Final = (states.CREATING, states.DELETING, states.RESTORING)
SHARE_STATUSES: Final = (states.BACKUP_CREATING, states.BACKUP_RESTORING)


def candidates(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, operation) for each backup that is stuck if no operation is on that lane."""
    for row in abandoned.older(backup_rows.by_status(connection, host, STATUSES), before):
        share_id = row["share_id"]
        if row["status"] == states.RESTORING:
            share_id = backup_rows.share_to_restore(connection, row["id"]) or share_id
        yield (
            casting.lane_of(share_id),
            casting.internal(
                RECONCILE_BACKUP,
                message_id=abandoned.message_id(RECONCILE_BACKUP, row, before),
                backup_id=row["id"],
                share_id=share_id,
                status=row["status"],
            ),
        )


def waits_for_others(connection: Connection, host: str, share: Record) -> bool:
    """Whether a share waits for a backup that another service makes or restores.

    Manila's data service does that for drivers that cannot; it may take days.
    """
    if share["status"] not in SHARE_STATUSES:
        return False
    backup = _find(connection, share)
    return backup is not None and backup["host"] != host


def _failed(
    op: Operation, error: BaseException, backup_id: str, share_id: str, status: str
) -> list[Write]:
    if status == states.CREATING:
        return backups.creation_failed(op, error, backup_id)
    if status == states.DELETING:
        return backups.deletion_failed(op, error, backup_id)
    return backups.restoration_failed(op, error, backup_id, share_id)


@flow(
    RECONCILE_BACKUP,
    lane="share:{share_id}",
    resource=("backup", "backup_id"),
    on_failure=_failed,
    internal=True,
)
def reconcile_backup(op: Operation, backup_id: str, share_id: str, status: str) -> None:
    """Bring an abandoned backup to an end.

    The driver is asked how far it is, as Manila asks after a restart: it knows of what was begun,
    and says so of what was not. A deletion is carried out again.
    """
    backup = backups.get_backup(op, backup_id)
    if backup is None or backup["status"] != status:
        return common.skip(op, "the backup has moved on")
    if status == states.DELETING:
        return backups.delete_backup(op, backup_id)
    share = common.get_instance_of_share(op, share_id)
    if status == states.CREATING:
        return _go_on_creating(op, share, backup)
    if share is None or share["status"] != states.BACKUP_RESTORING:
        return op.finish(backup_rows.move(backup_id, status, states.AVAILABLE, op.clock.now()))
    backups.finish_restoration(op, share, backup)


def _go_on_creating(op: Operation, share: Record | None, backup: Record) -> None:
    if share is None:
        raise abandoned.Abandoned(what=f"Backup {backup['id']}", status=backup["status"])
    backups.finish_creation(op, share, backup)


def share_failed(op: Operation, error: BaseException, share: Record) -> list[Write]:
    """What becomes of an abandoned share, and of its backup, when reconcile_share fails."""
    backup_id = _backup_of(op, share)
    if share["status"] == states.BACKUP_RESTORING:
        return backups.restoration_failed(op, error, backup_id or "", share["share_id"])
    return [] if backup_id is None else backups.creation_failed(op, error, backup_id)


def reconcile_share(op: Operation, share: Record) -> None:
    """Bring a share to an end that waits for its backup, or for what is restored into it.

    Where there is no such backup, the first was not changed, and of the second nobody can tell.
    """
    if common.read(op, lambda connection: waits_for_others(connection, op.env.host, share)):
        return common.skip(op, "the backup is another service's")
    backup_id = _backup_of(op, share)
    backup = None if backup_id is None else backups.get_backup(op, backup_id)
    now = op.clock.now()
    if share["status"] == states.BACKUP_CREATING:
        if backup is not None:
            return backups.finish_creation(op, share, backup)
        return op.finish(
            share_changes.move(share["id"], states.BACKUP_CREATING, states.AVAILABLE, now)
        )
    if backup is None:
        raise abandoned.Abandoned(what=f"Share {share['share_id']}", status=share["status"])
    backups.finish_restoration(op, share, backup)


def _backup_of(op: Operation, share: Record) -> str | None:
    """The id of this back end's backup that a share waits for; None where there is none."""
    found = common.read(op, lambda connection: _find(connection, share))
    return None if found is None or found["host"] != op.env.host else str(found["id"])


def _find(connection: Connection, share: Record) -> Record | None:
    if share["status"] == states.BACKUP_RESTORING:
        return backup_rows.being_restored(connection, share["share_id"])
    return backup_rows.being_made(connection, share["share_id"])
