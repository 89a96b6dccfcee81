# SPDX-License-Identifier: Apache-2.0
"""Statuses of share servers and of share networks, and the transitions that operations make.

The words are Manila's; how they are kept is told in :mod:`manila_lite.states`. A server never goes
from ``active`` to ``deleting`` by a plain write: whoever marks it looks, in the same transaction,
whether a share or a share group is on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from manila_lite.states import check_transition, merged_transitions

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
CREATING: Final = "creating"
DELETING: Final = "deleting"
DELETED: Final = "deleted"
ERROR: Final = "error"
MANAGE_STARTING: Final = "manage_starting"
MANAGE_ERROR: Final = "manage_error"
UNMANAGE_STARTING: Final = "unmanage_starting"
UNMANAGE_ERROR: Final = "unmanage_error"
SERVER_MIGRATING: Final = "server_migrating"
SERVER_MIGRATING_TO: Final = "server_migrating_to"
NETWORK_CHANGE: Final = "network_change"

SERVER_STATUSES: Final = frozenset(
    {
        ACTIVE, INACTIVE, CREATING, DELETING, ERROR, MANAGE_STARTING, MANAGE_ERROR,
        UNMANAGE_STARTING, UNMANAGE_ERROR, SERVER_MIGRATING, SERVER_MIGRATING_TO, NETWORK_CHANGE,
    }
)  # fmt: skip

#: An operation is under way, or due: nobody else's write may replace these.
UNDERWAY: Final = frozenset(
    {
        CREATING, DELETING, MANAGE_STARTING, UNMANAGE_STARTING, SERVER_MIGRATING,
        SERVER_MIGRATING_TO, NETWORK_CHANGE,
    }
)  # fmt: skip

#: Nothing is going on; an administrator may have forced any of these.
STEADY: Final = SERVER_STATUSES - UNDERWAY

#: A server in one of these may be removed, when nothing is on it.
REMOVABLE: Final = frozenset({*STEADY, DELETING})

#: Which error status an operation that failed leaves behind, by its transitional status.
ERROR_STATUS: Final[Mapping[str, str]] = {
    CREATING: ERROR,
    DELETING: ERROR,
    MANAGE_STARTING: MANAGE_ERROR,
    UNMANAGE_STARTING: UNMANAGE_ERROR,
    SERVER_MIGRATING: ERROR,
    SERVER_MIGRATING_TO: ERROR,
    NETWORK_CHANGE: ERROR,
}

_OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    CREATING: frozenset({ACTIVE}),
    DELETING: frozenset({DELETED}),
    MANAGE_STARTING: frozenset({ACTIVE}),
    UNMANAGE_STARTING: frozenset({DELETED}),
    SERVER_MIGRATING: frozenset({ACTIVE, INACTIVE, DELETED}),
    SERVER_MIGRATING_TO: frozenset({ACTIVE, DELETED}),
    NETWORK_CHANGE: frozenset({ACTIVE}),
}

_BEGINNINGS: Final[Mapping[str, frozenset[str]]] = {
    ACTIVE: frozenset({DELETING, UNMANAGE_STARTING, SERVER_MIGRATING, NETWORK_CHANGE, ERROR}),
    INACTIVE: frozenset({DELETING, ERROR}),
    ERROR: frozenset({CREATING, DELETING, UNMANAGE_STARTING, NETWORK_CHANGE, ACTIVE}),
    MANAGE_ERROR: frozenset({MANAGE_STARTING, DELETING, UNMANAGE_STARTING}),
    UNMANAGE_ERROR: frozenset({UNMANAGE_STARTING, DELETING}),
}

#: {status: statuses that an operation may put in its place}
TRANSITIONS: Final = merged_transitions(_BEGINNINGS, _OUTCOMES, ERROR_STATUS)


def check_server_transition(old: str, new: str) -> None:
    """Raise InvalidStatusTransition unless an operation may put new in the place of old."""
    check_transition("share server", TRANSITIONS, old, new)


def may_be_overwritten(old: str) -> frozenset[str]:
    """Statuses that an operation which found ``old`` may replace: that one and all steady ones."""
    return STEADY | {old}


# Share networks (share_networks.status).

NETWORK_ACTIVE: Final = "active"
NETWORK_ERROR: Final = "error"

NETWORK_STATUSES: Final = frozenset({NETWORK_ACTIVE, NETWORK_ERROR, NETWORK_CHANGE})

# Security services (security_services.type).

SECURITY_SERVICE_TYPES: Final = ("active_directory", "ldap", "kerberos")
