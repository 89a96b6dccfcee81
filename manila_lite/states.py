# SPDX-License-Identifier: Apache-2.0
"""Statuses of shares, snapshots and access rules, and the transitions that operations make.

The words are Manila's, as they stand in its tables. The transitions are those that an *operation*
may make; the rules are data, so that they can be tested one by one and drawn.

How they are kept: the write builders of the repositories check a transition when they build a
write, and the UPDATE itself carries a guard (:func:`may_be_overwritten`): it changes a row only
where the row still shows the status that the operation found, or a *steady* status that an
administrator has forced in the meantime. A row that shows another operation's transitional status
is left alone; that operation is next in the lane and decides. So nobody can wedge an operation by
a forced reset, and no operation undoes another one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from manila_lite.exception import ManilaException

CREATING: Final = "creating"
CREATING_FROM_SNAPSHOT: Final = "creating_from_snapshot"
DELETING: Final = "deleting"
DEFERRED_DELETING: Final = "deferred_deleting"
DELETED: Final = "deleted"
ERROR: Final = "error"
ERROR_DELETING: Final = "error_deleting"
ERROR_DEFERRED_DELETING: Final = "error_deferred_deleting"
AVAILABLE: Final = "available"
MANAGE_STARTING: Final = "manage_starting"
MANAGE_ERROR: Final = "manage_error"
UNMANAGE_STARTING: Final = "unmanage_starting"
MANAGE_ERROR_UNMANAGE_STARTING: Final = "manage_error_unmanage_starting"
UNMANAGE_ERROR: Final = "unmanage_error"
UNMANAGED: Final = "unmanaged"
EXTENDING: Final = "extending"
EXTENDING_ERROR: Final = "extending_error"
SHRINKING: Final = "shrinking"
SHRINKING_ERROR: Final = "shrinking_error"
SHRINKING_POSSIBLE_DATA_LOSS_ERROR: Final = "shrinking_possible_data_loss_error"
MIGRATING: Final = "migrating"
MIGRATING_TO: Final = "migrating_to"
REPLICATION_CHANGE: Final = "replication_change"
RESTORING: Final = "restoring"
REVERTING: Final = "reverting"
REVERTING_ERROR: Final = "reverting_error"
REVERTING_TO_SNAPSHOT: Final = "reverting_to_snapshot"
AWAITING_TRANSFER: Final = "awaiting_transfer"
BACKUP_CREATING: Final = "backup_creating"
BACKUP_RESTORING: Final = "backup_restoring"
BACKUP_RESTORING_ERROR: Final = "backup_restoring_error"
ENSURING: Final = "ensuring"
SERVER_MIGRATING: Final = "server_migrating"
SERVER_MIGRATING_TO: Final = "server_migrating_to"

SHARE_STATUSES: Final = frozenset(
    {
        CREATING, CREATING_FROM_SNAPSHOT, DELETING, DEFERRED_DELETING, DELETED, ERROR,
        ERROR_DELETING, ERROR_DEFERRED_DELETING, AVAILABLE, MANAGE_STARTING, MANAGE_ERROR,
        UNMANAGE_STARTING, MANAGE_ERROR_UNMANAGE_STARTING, UNMANAGE_ERROR, UNMANAGED, EXTENDING,
        EXTENDING_ERROR, SHRINKING, SHRINKING_ERROR, SHRINKING_POSSIBLE_DATA_LOSS_ERROR,
        MIGRATING, MIGRATING_TO, REPLICATION_CHANGE, RESTORING, REVERTING, REVERTING_ERROR,
        REVERTING_TO_SNAPSHOT, AWAITING_TRANSFER, BACKUP_CREATING, BACKUP_RESTORING,
        BACKUP_RESTORING_ERROR, ENSURING, SERVER_MIGRATING, SERVER_MIGRATING_TO,
    }
)  # fmt: skip

# Manila's own list of snapshot statuses leaves out the two of deferred deletion, which its
# manager writes all the same.
SNAPSHOT_STATUSES: Final = frozenset(
    {
        CREATING, AVAILABLE, DELETING, DELETED, ERROR, ERROR_DELETING, DEFERRED_DELETING,
        ERROR_DEFERRED_DELETING, MANAGE_STARTING, MANAGE_ERROR, UNMANAGE_STARTING, UNMANAGE_ERROR,
        UNMANAGED, MIGRATING, MIGRATING_TO, RESTORING,
    }
)  # fmt: skip

#: What Manila itself calls transitional.
TRANSITIONAL: Final = frozenset(
    {
        CREATING, DELETING, MANAGE_STARTING, UNMANAGE_STARTING, EXTENDING, SHRINKING, MIGRATING,
        MIGRATING_TO, RESTORING, REVERTING, SERVER_MIGRATING, SERVER_MIGRATING_TO,
        BACKUP_RESTORING, BACKUP_CREATING, ENSURING, REVERTING_TO_SNAPSHOT,
    }
)  # fmt: skip

#: An operation is under way, or due: nobody else's write may replace these.
UNDERWAY: Final = TRANSITIONAL | {
    CREATING_FROM_SNAPSHOT,
    DEFERRED_DELETING,
    MANAGE_ERROR_UNMANAGE_STARTING,
    REPLICATION_CHANGE,
}

#: Nothing comes after these.
TERMINAL: Final = frozenset({DELETED, UNMANAGED})

#: Nothing is going on; an administrator may have forced any of these.
STEADY: Final = SHARE_STATUSES - UNDERWAY - TERMINAL

#: Which error status an operation that failed leaves behind, by its transitional status.
SHARE_ERROR_STATUS: Final[Mapping[str, str]] = {
    CREATING: ERROR,
    CREATING_FROM_SNAPSHOT: ERROR,
    DELETING: ERROR_DELETING,
    DEFERRED_DELETING: ERROR_DEFERRED_DELETING,
    EXTENDING: EXTENDING_ERROR,
    SHRINKING: SHRINKING_ERROR,
    MANAGE_STARTING: MANAGE_ERROR,
    UNMANAGE_STARTING: UNMANAGE_ERROR,
    MANAGE_ERROR_UNMANAGE_STARTING: UNMANAGE_ERROR,
    REVERTING: REVERTING_ERROR,
    REVERTING_TO_SNAPSHOT: REVERTING_ERROR,
    RESTORING: ERROR,
    ENSURING: ERROR,
    MIGRATING: ERROR,
    MIGRATING_TO: ERROR,
    SERVER_MIGRATING: ERROR,
    SERVER_MIGRATING_TO: ERROR,
    REPLICATION_CHANGE: ERROR,
    BACKUP_CREATING: ERROR,
    BACKUP_RESTORING: BACKUP_RESTORING_ERROR,
}

SNAPSHOT_ERROR_STATUS: Final[Mapping[str, str]] = {
    CREATING: ERROR,
    DELETING: ERROR_DELETING,
    DEFERRED_DELETING: ERROR_DEFERRED_DELETING,
    MANAGE_STARTING: MANAGE_ERROR,
    UNMANAGE_STARTING: UNMANAGE_ERROR,
    RESTORING: ERROR,
    MIGRATING: ERROR,
    MIGRATING_TO: ERROR,
}

# How an operation that went well ends.
_SHARE_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({AVAILABLE, CREATING_FROM_SNAPSHOT}),
    CREATING_FROM_SNAPSHOT: frozenset({AVAILABLE}),
    DELETING: frozenset({DELETED, DEFERRED_DELETING}),
    DEFERRED_DELETING: frozenset({DELETED}),
    EXTENDING: frozenset({AVAILABLE}),
    # Data in the way is an answer, not a failure of the storage: it has a status of its own.
    SHRINKING: frozenset({AVAILABLE, SHRINKING_POSSIBLE_DATA_LOSS_ERROR}),
    MANAGE_STARTING: frozenset({AVAILABLE}),
    UNMANAGE_STARTING: frozenset({UNMANAGED, DELETED}),
    MANAGE_ERROR_UNMANAGE_STARTING: frozenset({UNMANAGED, DELETED}),
    REVERTING: frozenset({AVAILABLE}),
    REVERTING_TO_SNAPSHOT: frozenset({AVAILABLE}),
    RESTORING: frozenset({AVAILABLE}),
    ENSURING: frozenset({AVAILABLE}),
    MIGRATING: frozenset({AVAILABLE, DELETED}),
    MIGRATING_TO: frozenset({AVAILABLE, DELETED}),
    SERVER_MIGRATING: frozenset({AVAILABLE, DELETED}),
    SERVER_MIGRATING_TO: frozenset({AVAILABLE, DELETED}),
    REPLICATION_CHANGE: frozenset({AVAILABLE}),
    BACKUP_CREATING: frozenset({AVAILABLE}),
    BACKUP_RESTORING: frozenset({AVAILABLE}),
}

_SNAPSHOT_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({AVAILABLE}),
    # A driver that calls the snapshot busy leaves it as it was.
    DELETING: frozenset({DELETED, DEFERRED_DELETING, AVAILABLE}),
    DEFERRED_DELETING: frozenset({DELETED}),
    MANAGE_STARTING: frozenset({AVAILABLE}),
    UNMANAGE_STARTING: frozenset({UNMANAGED, DELETED}),
    RESTORING: frozenset({AVAILABLE}),
    MIGRATING: frozenset({AVAILABLE, DELETED}),
    MIGRATING_TO: frozenset({AVAILABLE, DELETED}),
}

# How an operation begins: what the API does before it casts, and what an operator's retry of a
# failed operation does again.
_SHARE_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    AVAILABLE: frozenset(
        {
            DELETING,
            DEFERRED_DELETING,
            EXTENDING,
            SHRINKING,
            UNMANAGE_STARTING,
            REVERTING,
            REVERTING_TO_SNAPSHOT,
            ENSURING,
            MIGRATING,
            SERVER_MIGRATING,
            REPLICATION_CHANGE,
            BACKUP_CREATING,
            BACKUP_RESTORING,
            AWAITING_TRANSFER,
            ERROR,
        }
    ),
    AWAITING_TRANSFER: frozenset({AVAILABLE, ERROR, DELETING}),
    # The two of a migration: its completion is tried again.
    ERROR: frozenset(
        {
            CREATING,
            DELETING,
            DEFERRED_DELETING,
            UNMANAGE_STARTING,
            AVAILABLE,
            MIGRATING,
            MIGRATING_TO,
            REPLICATION_CHANGE,
        }
    ),
    ERROR_DELETING: frozenset({DELETING, DEFERRED_DELETING}),
    ERROR_DEFERRED_DELETING: frozenset({DELETING, DEFERRED_DELETING, DELETED}),
    EXTENDING_ERROR: frozenset({EXTENDING, DELETING, AVAILABLE}),
    SHRINKING_ERROR: frozenset({SHRINKING, DELETING, AVAILABLE}),
    SHRINKING_POSSIBLE_DATA_LOSS_ERROR: frozenset({SHRINKING, EXTENDING, DELETING, AVAILABLE}),
    REVERTING_ERROR: frozenset({REVERTING, REVERTING_TO_SNAPSHOT, DELETING}),
    BACKUP_RESTORING_ERROR: frozenset({BACKUP_RESTORING, DELETING}),
    MANAGE_ERROR: frozenset({MANAGE_STARTING, MANAGE_ERROR_UNMANAGE_STARTING, DELETING}),
    UNMANAGE_ERROR: frozenset({UNMANAGE_STARTING, DELETING}),
}

_SNAPSHOT_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    AVAILABLE: frozenset(
        {DELETING, DEFERRED_DELETING, UNMANAGE_STARTING, RESTORING, MIGRATING, ERROR}
    ),
    ERROR: frozenset({CREATING, DELETING, DEFERRED_DELETING, UNMANAGE_STARTING, MIGRATING_TO}),
    ERROR_DELETING: frozenset({DELETING, DEFERRED_DELETING}),
    ERROR_DEFERRED_DELETING: frozenset({DELETING, DEFERRED_DELETING, DELETED}),
    MANAGE_ERROR: frozenset({MANAGE_STARTING, UNMANAGE_STARTING, DELETING}),
    UNMANAGE_ERROR: frozenset({UNMANAGE_STARTING, DELETING}),
}

# Share groups and their snapshots. The API deletes only those that are available or in error, so
# a deletion that failed ends in error: nobody could ask for another one otherwise.
GROUP_ERROR_STATUS: Final[Mapping[str, str]] = {CREATING: ERROR, DELETING: ERROR}
_GROUP_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({AVAILABLE}),
    DELETING: frozenset({DELETED}),
}
_GROUP_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    AVAILABLE: frozenset({DELETING, ERROR}),
    ERROR: frozenset({CREATING, DELETING}),
    ERROR_DELETING: frozenset({DELETING}),
}


# Backups of shares. One that could not be restored is as good as before.
BACKUP_ERROR_STATUS: Final[Mapping[str, str]] = {
    CREATING: ERROR,
    DELETING: ERROR_DELETING,
    RESTORING: ERROR,
}
_BACKUP_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({AVAILABLE}),
    DELETING: frozenset({DELETED}),
    RESTORING: frozenset({AVAILABLE}),
}
_BACKUP_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    AVAILABLE: frozenset({DELETING, RESTORING, ERROR}),
    ERROR: frozenset({CREATING, DELETING}),
    ERROR_DELETING: frozenset({DELETING}),
}


def merged_transitions(
    begin: Mapping[str, frozenset[str]],
    succeed: Mapping[str, frozenset[str]],
    fail: Mapping[str, str],
) -> Mapping[str, frozenset[str]]:
    """Return {status: statuses that may follow} of beginnings, good ends and bad ends."""
    merged = dict(begin)
    for status, outcomes in succeed.items():
        merged[status] = outcomes | {fail[status]}
    return merged


#: {status: statuses that an operation may put in its place}
SHARE_TRANSITIONS: Final = merged_transitions(
    _SHARE_BEGINNINGS, _SHARE_OUTCOMES, SHARE_ERROR_STATUS
)
SNAPSHOT_TRANSITIONS: Final = merged_transitions(
    _SNAPSHOT_BEGINNINGS, _SNAPSHOT_OUTCOMES, SNAPSHOT_ERROR_STATUS
)

GROUP_TRANSITIONS: Final = merged_transitions(
    _GROUP_BEGINNINGS, _GROUP_OUTCOMES, GROUP_ERROR_STATUS
)
BACKUP_TRANSITIONS: Final = merged_transitions(
    _BACKUP_BEGINNINGS, _BACKUP_OUTCOMES, BACKUP_ERROR_STATUS
)


class InvalidStatusTransition(ManilaException):
    """A programming error: no operation may make this transition."""

    message = "A %(kind)s cannot go from '%(old)s' to '%(new)s'."


def check_share_instance_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old."""
    check_transition("share instance", SHARE_TRANSITIONS, old, new)


def check_snapshot_instance_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old."""
    check_transition("snapshot instance", SNAPSHOT_TRANSITIONS, old, new)


def check_group_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old.

    For share groups and for their snapshots.
    """
    check_transition("share group", GROUP_TRANSITIONS, old, new)


def check_backup_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old."""
    check_transition("backup", BACKUP_TRANSITIONS, old, new)


def check_transition(kind: str, allowed: Mapping[str, frozenset[str]], old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless ``allowed`` leads from old to new."""
    if new not in allowed.get(old, ()):
        raise InvalidStatusTransition(kind=kind, old=old, new=new)


def may_be_overwritten(old: str) -> frozenset[str]:
    """Statuses that an operation which found ``old`` may replace: that one and all steady ones."""
    return STEADY | {old}


# What the rows of a share or of a snapshot say together.

_FIRST: Final = (REPLICATION_CHANGE, MIGRATING, SERVER_MIGRATING, AVAILABLE, ERROR)
_RANK: Final[Mapping[str, int]] = {
    status: rank
    for rank, status in enumerate(
        (*_FIRST, *sorted(UNDERWAY - set(_FIRST)), *sorted(STEADY - set(_FIRST)))
    )
}


def rank(status: str | None) -> int:
    """Sort key: the status of a share is that of its instance with the lowest rank."""
    return _RANK.get(status or "", len(_RANK))


# Access rules.

ACCESS_QUEUED_TO_APPLY: Final = "queued_to_apply"
ACCESS_QUEUED_TO_DENY: Final = "queued_to_deny"
ACCESS_QUEUED_TO_UPDATE: Final = "queued_to_update"
ACCESS_APPLYING: Final = "applying"
ACCESS_DENYING: Final = "denying"
ACCESS_UPDATING: Final = "updating"
ACCESS_ACTIVE: Final = "active"
ACCESS_ERROR: Final = "error"
ACCESS_DELETED: Final = "deleted"

#: What an instance's access_rules_status says while rules are due; else it is active or error.
ACCESS_SYNCING: Final = "syncing"

#: {what was asked for: what shows that it is under way}
ACCESS_BEGINNINGS: Final[Mapping[str, str]] = {
    ACCESS_QUEUED_TO_APPLY: ACCESS_APPLYING,
    ACCESS_QUEUED_TO_DENY: ACCESS_DENYING,
    ACCESS_QUEUED_TO_UPDATE: ACCESS_UPDATING,
}
ACCESS_QUEUED: Final = frozenset(ACCESS_BEGINNINGS)
ACCESS_UNDERWAY: Final = frozenset(ACCESS_BEGINNINGS.values())

REPLICA_ACTIVE: Final = "active"
REPLICA_IN_SYNC: Final = "in_sync"
REPLICA_OUT_OF_SYNC: Final = "out_of_sync"
#: What drivers say of a replica; a deletion that failed leaves error_deleting.
REPLICA_STATES: Final = frozenset({REPLICA_ACTIVE, REPLICA_IN_SYNC, REPLICA_OUT_OF_SYNC, ERROR})
REPLICATION_READABLE: Final = "readable"
