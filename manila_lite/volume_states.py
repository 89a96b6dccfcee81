# SPDX-License-Identifier: Apache-2.0
"""Statuses of volumes and of their snapshots, and the transitions that operations make.

The words are Cinder's, as they stand in its tables; how they are kept is told in
:mod:`manila_lite.states`. Two things are different from shares:

* a volume may be in somebody's hands while nothing is under way (``in-use``, ``reserved``,
  ``awaiting-transfer``): an operation that did not find it so does not take it away;
* an operation that fails may leave the volume as good as it was (an upload, an attachment): it
  then goes back to the status that it had before (``previous_status``).

A snapshot never changes the status of its volume, except that a volume is ``reverting`` while its
snapshot is ``restoring``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from manila_lite.states import check_transition, merged_transitions

CREATING: Final = "creating"
AVAILABLE: Final = "available"
RESERVED: Final = "reserved"
ATTACHING: Final = "attaching"
DETACHING: Final = "detaching"
IN_USE: Final = "in-use"
MAINTENANCE: Final = "maintenance"
DELETING: Final = "deleting"
DELETED: Final = "deleted"
AWAITING_TRANSFER: Final = "awaiting-transfer"
ERROR: Final = "error"
ERROR_DELETING: Final = "error_deleting"
ERROR_MANAGING: Final = "error_managing"
ERROR_MANAGING_DELETING: Final = "error_managing_deleting"
MANAGING: Final = "managing"
UNMANAGING: Final = "unmanaging"
ERROR_UNMANAGING: Final = "error_unmanaging"
ERROR_RESTORING: Final = "error_restoring"
BACKING_UP: Final = "backing-up"
RESTORING_BACKUP: Final = "restoring-backup"
ERROR_BACKING_UP: Final = "error_backing-up"
ERROR_EXTENDING: Final = "error_extending"
DOWNLOADING: Final = "downloading"
UPLOADING: Final = "uploading"
RETYPING: Final = "retyping"
EXTENDING: Final = "extending"
REVERTING: Final = "reverting"

# Of snapshots only.
RESTORING: Final = "restoring"
UPDATING: Final = "updating"

VOLUME_STATUSES: Final = frozenset(
    {
        CREATING, AVAILABLE, RESERVED, ATTACHING, DETACHING, IN_USE, MAINTENANCE, DELETING,
        DELETED, AWAITING_TRANSFER, ERROR, ERROR_DELETING, ERROR_MANAGING,
        ERROR_MANAGING_DELETING, MANAGING, UNMANAGING, ERROR_UNMANAGING, ERROR_RESTORING,
        BACKING_UP, RESTORING_BACKUP, ERROR_BACKING_UP, ERROR_EXTENDING, DOWNLOADING, UPLOADING,
        RETYPING, EXTENDING, REVERTING,
    }
)  # fmt: skip

SNAPSHOT_STATUSES: Final = frozenset(
    {
        CREATING, AVAILABLE, DELETING, DELETED, ERROR, ERROR_DELETING, UPDATING, UNMANAGING,
        BACKING_UP, RESTORING,
    }
)  # fmt: skip

#: Something is under way on the volume or the snapshot, or due: nobody else may replace these.
UNDERWAY: Final = frozenset(
    {
        CREATING, ATTACHING, DETACHING, MAINTENANCE, DELETING, ERROR_MANAGING_DELETING, MANAGING,
        UNMANAGING, BACKING_UP, RESTORING_BACKUP, DOWNLOADING, UPLOADING, RETYPING, EXTENDING,
        REVERTING, RESTORING, UPDATING,
    }
)  # fmt: skip

#: Nothing comes after these.
TERMINAL: Final = frozenset({DELETED})

#: Nothing is going on; an administrator may have forced any of these.
STEADY: Final = VOLUME_STATUSES - UNDERWAY - TERMINAL

#: Of the steady ones: somebody counts on having the volume.
HELD: Final = frozenset({IN_USE, RESERVED, AWAITING_TRANSFER})

#: Under way, but in the hands of others: Nova attaches and detaches, a backup service copies, and
#: a migration is known by ``migration_status``. Such a row without an operation of ours is normal.
OTHERS_WORK: Final = frozenset(
    {ATTACHING, DETACHING, MAINTENANCE, BACKING_UP, RESTORING_BACKUP, UPDATING}
)

#: Which error status an operation that failed leaves behind. Transitional statuses that are not
#: here leave the volume as it was: see :func:`failed_volume_status`.
VOLUME_ERROR_STATUS: Final[Mapping[str, str]] = {
    CREATING: ERROR,
    DOWNLOADING: ERROR,
    DELETING: ERROR_DELETING,
    ERROR_MANAGING_DELETING: ERROR_DELETING,
    EXTENDING: ERROR_EXTENDING,
    REVERTING: ERROR,
    MANAGING: ERROR_MANAGING,
    UNMANAGING: ERROR_UNMANAGING,
}

#: A snapshot that could not be reverted to is as good as before; its volume is not.
SNAPSHOT_ERROR_STATUS: Final[Mapping[str, str]] = {
    CREATING: ERROR,
    DELETING: ERROR_DELETING,
    UNMANAGING: ERROR_DELETING,
    RESTORING: AVAILABLE,
}

_AS_BEFORE: Final = frozenset({AVAILABLE, IN_USE})

# How an operation that went well ends, or one that failed without harm.
_VOLUME_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({AVAILABLE, DOWNLOADING}),
    DOWNLOADING: frozenset({AVAILABLE}),
    # A driver that calls the volume busy leaves it as it was.
    DELETING: frozenset({DELETED, AVAILABLE}),
    ERROR_MANAGING_DELETING: frozenset({DELETED}),
    EXTENDING: _AS_BEFORE,
    REVERTING: frozenset({AVAILABLE}),
    MANAGING: frozenset({AVAILABLE}),
    UNMANAGING: frozenset({DELETED, AVAILABLE}),
}
_VOLUME_ROUND_TRIPS: Final[Mapping[str, frozenset[str]]] = {
    UPLOADING: _AS_BEFORE | {ERROR},
    RETYPING: _AS_BEFORE | {ERROR},
    MAINTENANCE: _AS_BEFORE | {ERROR},
    ATTACHING: _AS_BEFORE | {RESERVED, ERROR},
    DETACHING: _AS_BEFORE | {ERROR},
}

_SNAPSHOT_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({AVAILABLE}),
    # A driver that calls the snapshot busy leaves it as it was.
    DELETING: frozenset({DELETED, AVAILABLE}),
    UNMANAGING: frozenset({DELETED}),
    RESTORING: frozenset({AVAILABLE}),
}

# How an operation begins: what an API does before it casts, what a call does by itself, and what
# an operator's retry of a failed operation does again.
_VOLUME_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    AVAILABLE: frozenset(
        {
            ATTACHING, AWAITING_TRANSFER, DELETING, ERROR, EXTENDING, IN_USE, MAINTENANCE,
            RESERVED, RETYPING, REVERTING, UNMANAGING, UPLOADING,
        }
    ),
    IN_USE: frozenset(
        {ATTACHING, AVAILABLE, DETACHING, ERROR, EXTENDING, MAINTENANCE, RETYPING, UPLOADING}
    ),
    RESERVED: frozenset({ATTACHING, AVAILABLE, IN_USE, ERROR}),
    AWAITING_TRANSFER: frozenset({AVAILABLE, ERROR}),
    ERROR: frozenset({AVAILABLE, CREATING, DELETING, IN_USE, REVERTING, UNMANAGING}),
    ERROR_DELETING: frozenset({DELETING}),
    ERROR_EXTENDING: frozenset({AVAILABLE, DELETING, EXTENDING, IN_USE}),
    ERROR_MANAGING: frozenset({DELETING, ERROR_MANAGING_DELETING, MANAGING, UNMANAGING}),
    ERROR_UNMANAGING: frozenset({AVAILABLE, DELETING, UNMANAGING}),
    ERROR_RESTORING: frozenset({AVAILABLE, DELETING}),
    ERROR_BACKING_UP: frozenset({AVAILABLE, DELETING, IN_USE}),
}  # fmt: skip

_SNAPSHOT_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    AVAILABLE: frozenset({DELETING, ERROR, RESTORING, UNMANAGING}),
    ERROR: frozenset({AVAILABLE, CREATING, DELETING, UNMANAGING}),
    ERROR_DELETING: frozenset({DELETING, UNMANAGING}),
}

#: {status: statuses that an operation may put in its place}
VOLUME_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    **merged_transitions(_VOLUME_BEGINNINGS, _VOLUME_OUTCOMES, VOLUME_ERROR_STATUS),
    **_VOLUME_ROUND_TRIPS,
}
SNAPSHOT_TRANSITIONS: Final = merged_transitions(
    _SNAPSHOT_BEGINNINGS, _SNAPSHOT_OUTCOMES, SNAPSHOT_ERROR_STATUS
)

#: What Nova may say of a snapshot, by the status that the snapshot has: contract of
#: ``os-update_snapshot_status``.
CALLBACK_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({CREATING, AVAILABLE, ERROR}),
    DELETING: frozenset({DELETING, ERROR_DELETING}),
}


def check_volume_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old."""
    check_transition("volume", VOLUME_TRANSITIONS, old, new)


def check_snapshot_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old."""
    check_transition("volume snapshot", SNAPSHOT_TRANSITIONS, old, new)


def may_be_overwritten(old: str) -> frozenset[str]:
    """Statuses that an operation which found ``old`` may replace.

    That one, and those that an administrator may have forced meanwhile; but not a hold that
    somebody got on the volume since then.
    """
    return (STEADY - HELD) | {old}


def failed_volume_status(old: str, previous: str | None) -> str:
    """Return what a failed operation leaves in the place of its transitional status ``old``.

    previous: the volume's ``previous_status``, for operations that do no harm when they fail.
    """
    if old in VOLUME_ERROR_STATUS:
        return VOLUME_ERROR_STATUS[old]
    if previous is not None and previous in VOLUME_TRANSITIONS.get(old, ()):
        return previous
    return ERROR


# Attachments (volume_attachment.attach_status, and volumes.attach_status).

ATTACH_DETACHED: Final = "detached"
ATTACH_RESERVED: Final = "reserved"
ATTACH_ATTACHING: Final = "attaching"
ATTACH_ATTACHED: Final = "attached"
ATTACH_ERROR_ATTACHING: Final = "error_attaching"
ATTACH_ERROR_DETACHING: Final = "error_detaching"
ATTACH_DELETED: Final = "deleted"

ATTACH_STATUSES: Final = frozenset(
    {
        ATTACH_DETACHED, ATTACH_RESERVED, ATTACH_ATTACHING, ATTACH_ATTACHED,
        ATTACH_ERROR_ATTACHING, ATTACH_ERROR_DETACHING, ATTACH_DELETED,
    }
)  # fmt: skip

# Migrations (volumes.migration_status).

MIGRATION_STARTING: Final = "starting"
MIGRATION_MIGRATING: Final = "migrating"
MIGRATION_COMPLETING: Final = "completing"
MIGRATION_SUCCESS: Final = "success"
MIGRATION_ERROR: Final = "error"

#: No migration is under way.
MIGRATION_OVER: Final = frozenset({None, "none", MIGRATION_SUCCESS, MIGRATION_ERROR, "deleting"})
