# SPDX-License-Identifier: Apache-2.0
"""create_backup, delete_backup and restore_backup."""

from __future__ import annotations

import datetime
from typing import Any, Final

from manila_lite import exception, states
from manila_lite.db import backups, messages, share_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.shown import describe
from manila_lite.share.flows import backup_polls, common

_LANE: Final = "share:{share_id}"
_TO_RESTORE: Final = (states.BACKUP_RESTORING, states.BACKUP_RESTORING_ERROR)


def get_backup(op: Operation, backup_id: str) -> Record | None:
    """Return a backup with its name on the storage; None where it is deleted."""
    template = op.env.backup_name_template
    return common.read(op, lambda c: backups.get_backup(c, backup_id, template))


def _tell(op: Operation, backup: Record, action: str, now: datetime.datetime) -> list[Write]:
    resource = (messages.RESOURCE_BACKUP, backup["id"])
    return common.tell_user(op, backup, action, now, resource=resource)


# -- create ------------------------------------------------------------------------------------


def creation_failed(op: Operation, error: BaseException, backup_id: str) -> list[Write]:
    """Put the backup into error with the reason; its share is as it was, and available."""
    backup, now = get_backup(op, backup_id), op.clock.now()
    if backup is None:
        return []
    share = common.get_instance_of_share(op, backup["share_id"])
    return [
        *backups.failed(backup_id, states.CREATING, describe(error), now),
        *_released(share, now),
        *_tell(op, backup, messages.ACTION_CREATE, now),
    ]


def _released(share: Record | None, now: datetime.datetime) -> list[Write]:
    """Make a share available that was waiting for its backup; any other stays as it is."""
    if share is None or share["status"] != states.BACKUP_CREATING:
        return []
    return share_changes.move(share["id"], states.BACKUP_CREATING, states.AVAILABLE, now)


@flow(
    "create_backup",
    version="1.26",
    lane=_LANE,
    resource=("backup", "backup_id"),
    first_step="create",
    on_failure=creation_failed,
)
def create_backup(op: Operation, backup_id: str) -> None:
    """Have the driver begin the backup, and ask it until it is made."""
    backup = get_backup(op, backup_id)
    if backup is None:
        return common.skip(op, "the backup is deleted")
    share = common.get_instance_of_share(op, backup["share_id"])
    if backup["status"] not in (states.CREATING, states.ERROR):
        reason = f"the backup is {backup['status']}"
        return common.skip(op, reason, _released(share, op.clock.now()))
    if share is None:
        raise exception.ShareNotFound(share_id=backup["share_id"])
    _begin_creation(op, share, backup)
    op.step(
        "create",
        backup_polls.start_creation,
        op.env.driver,
        op.context,
        share,
        backup,
        share_server=common.share_server(op, share),
        retry=common.DRIVER,
    )
    finish_creation(op, share, backup)


def _begin_creation(op: Operation, share: Record, backup: Record) -> None:
    """Show an operator's retry of a failed backup as what it is."""
    if backup["status"] == states.CREATING:
        return
    now = op.clock.now()
    writes = backups.move(
        backup["id"],
        backup["status"],
        states.CREATING,
        now,
        fail_reason=None,
        progress=backups.NOTHING,
    )
    if share["status"] not in (states.AVAILABLE, states.BACKUP_CREATING):
        raise exception.InvalidShare(
            reason=f"share {share['share_id']} is '{share['status']}', which allows no backup"
        )
    if share["status"] == states.AVAILABLE:
        writes += share_changes.move(share["id"], states.AVAILABLE, states.BACKUP_CREATING, now)
    op.record("begin", writes)
    backup["status"], backup["progress"] = states.CREATING, backups.NOTHING
    share["status"] = states.BACKUP_CREATING


def finish_creation(op: Operation, share: Record, backup: Record) -> None:
    """Wait for a backup that the driver has begun; make it and its share available."""
    backup_polls.created(op, share, backup)
    now = op.clock.now()
    op.finish(
        backups.move(backup["id"], states.CREATING, states.AVAILABLE, now, progress=backups.DONE),
        _released(share, now),
    )


# -- delete ------------------------------------------------------------------------------------


def deletion_failed(op: Operation, error: BaseException, backup_id: str) -> list[Write]:
    """Put the backup into error_deleting, with the reason."""
    backup, now = get_backup(op, backup_id), op.clock.now()
    if backup is None:
        return []
    return [
        *backups.failed(backup_id, states.DELETING, describe(error), now),
        *_tell(op, backup, messages.ACTION_DELETE, now),
    ]


@flow(
    "delete_backup",
    version="1.26",
    lane=_LANE,
    resource=("backup", "backup_id"),
    first_step="delete",
    on_failure=deletion_failed,
)
def delete_backup(op: Operation, backup_id: str) -> None:
    """Have the driver remove the backup, and take it off the usages.

    Of a share that is gone, the driver gets None.
    """
    backup = get_backup(op, backup_id)
    if backup is None:
        return common.skip(op, "the backup is already deleted")
    status = backup["status"]
    if status not in (states.DELETING, states.ERROR_DELETING):
        return common.skip(op, f"the backup is {status}")
    if status == states.ERROR_DELETING:
        now = op.clock.now()
        op.record("begin", backups.move(backup_id, status, states.DELETING, now, fail_reason=None))
    share = common.get_instance_of_share(op, backup["share_id"])
    op.step(
        "delete",
        backup_polls.delete,
        op.env.driver,
        op.context,
        backup,
        share,
        share_server=None if share is None else common.share_server(op, share),
        retry=common.DRIVER,
    )
    op.finish(backups.deleted(backup, op.clock.now()))


# -- restore -----------------------------------------------------------------------------------


class RestoredElsewhere(exception.BackupException):
    message = (
        "Backup %(backup)s is of share %(source)s; the driver cannot restore it into share "
        "%(share)s."
    )


def restoration_failed(
    op: Operation, error: BaseException, backup_id: str, share_id: str
) -> list[Write]:
    """Put the share into backup_restoring_error; the backup is as good as before."""
    now = op.clock.now()
    backup = get_backup(op, backup_id)
    share = common.get_instance_of_share(op, share_id)
    writes = [] if backup is None else _unused(backup, now, backups.NOTHING)
    if share is None or share["status"] not in _TO_RESTORE:
        return writes
    detail = messages.DETAIL_UNKNOWN_ERROR
    if isinstance(error, RestoredElsewhere):
        detail = messages.DETAIL_TARGETED_RESTORE_UNSUPPORTED
    return [
        *writes,
        *share_changes.move(
            share["id"], states.BACKUP_RESTORING, states.BACKUP_RESTORING_ERROR, now
        ),
        *common.tell_user(op, share, messages.ACTION_RESTORE_BACKUP, now, detail=detail),
    ]


def _unused(backup: Record, now: datetime.datetime, progress: str) -> list[Write]:
    """Make a backup available that was being restored; any other stays as it is."""
    if backup["status"] != states.RESTORING:
        return []
    return backups.move(
        backup["id"], states.RESTORING, states.AVAILABLE, now, restore_progress=progress
    )


@flow(
    "restore_backup",
    version="1.26",
    lane=_LANE,
    resource=("backup", "backup_id"),
    first_step="restore",
    on_failure=restoration_failed,
)
def restore_backup(op: Operation, backup_id: str, share_id: str) -> None:
    """Have the driver begin to restore a backup into a share, and ask it until that is done."""
    backup = get_backup(op, backup_id)
    share = common.get_instance_of_share(op, share_id)
    reason = _reason_not_to_restore(share, backup)
    if share is None or reason is not None:
        released = [] if backup is None else _unused(backup, op.clock.now(), backups.NOTHING)
        return common.skip(op, reason or "the share is deleted", released)
    if backup is None:
        raise exception.ShareBackupNotFound(backup_id=backup_id)
    _begin_restoration(op, share, backup)
    op.step(
        "restore",
        _restore,
        op.env.driver,
        op.context,
        backup,
        share,
        share_server=common.share_server(op, share),
        retry=common.DRIVER,
    )
    finish_restoration(op, share, backup)


def _reason_not_to_restore(share: Record | None, backup: Record | None) -> str | None:
    if share is None:
        return "the share is deleted"
    if share["status"] not in _TO_RESTORE:
        return f"the share is {share['status']}"
    if backup is not None and backup["status"] not in (states.RESTORING, states.AVAILABLE):
        return f"the backup is {backup['status']}"
    return None


def _begin_restoration(op: Operation, share: Record, backup: Record) -> None:
    """Show an operator's retry of a failed restoration as what it is."""
    now = op.clock.now()
    writes: list[Write] = []
    if share["status"] != states.BACKUP_RESTORING:
        writes += share_changes.move(share["id"], share["status"], states.BACKUP_RESTORING, now)
        share["status"] = states.BACKUP_RESTORING
    if backup["status"] != states.RESTORING:
        writes += backups.move(backup["id"], backup["status"], states.RESTORING, now)
        backup["status"] = states.RESTORING
    if writes:
        op.record("begin", writes)


def _restore(
    driver: Any, context: Any, backup: Record, share: Record, share_server: Record | None
) -> None:
    """Raises RestoredElsewhere for another share than the backup's, where the driver cannot."""
    is_other = share["share_id"] != backup["share_id"]
    if is_other and not backup_polls.restores_elsewhere(driver):
        raise RestoredElsewhere(
            backup=backup["id"], source=backup["share_id"], share=share["share_id"]
        )
    backup_polls.start_restoration(driver, context, backup, share, share_server=share_server)


def finish_restoration(op: Operation, share: Record, backup: Record) -> None:
    """Wait for a restoration that the driver has begun; make share and backup available.

    A cancel is too late from here on: drivers cannot be told to stop, and would replace the data of
    a share that its user believes to have back.
    """
    op.begin_clean_up()
    backup_polls.restored(op, share, backup)
    now = op.clock.now()
    op.finish(
        share_changes.move(share["id"], states.BACKUP_RESTORING, states.AVAILABLE, now),
        _unused(backup, now, backups.DONE),
    )
