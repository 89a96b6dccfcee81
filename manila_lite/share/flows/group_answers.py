# SPDX-License-Identifier: Apache-2.0
"""What drivers return for share groups and their snapshots, checked and made into columns."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from manila_lite import exception, states
from manila_lite.db.models import (
    share_group_snapshots,
    share_groups,
    share_instances,
    share_snapshot_instances,
)

LOG = logging.getLogger(__name__)

#: What a driver may set: rows of which it is no business who owns them and where they are.
_ALLOWED: Final[Mapping[sa.Table, tuple[str, ...]]] = {
    share_groups: ("name", "description", "consistent_snapshot_support", "availability_zone_id"),
    share_group_snapshots: ("name", "description"),
    share_instances: ("mount_point_name", "encryption_key_ref"),
    share_snapshot_instances: ("provider_location", "size"),
}
#: Taken from the answer by themselves, or said of it by other means.
_APART: Final = ("id", "status", "export_locations", "progress")
_ENDS: Final = (states.AVAILABLE, states.ERROR)

Update = Mapping[str, Any]


class _Refusal:
    """Raises the exception of the kind of resource that an answer is about."""

    def __init__(self, kind: type[exception.Invalid]) -> None:
        self.kind = kind

    def __call__(self, reason: str) -> exception.Invalid:
        return self.kind(reason=reason)


OF_GROUP: Final = _Refusal(exception.InvalidShareGroup)
OF_SNAPSHOT: Final = _Refusal(exception.InvalidShareGroupSnapshot)


def pair(returned: Any, refusal: _Refusal) -> tuple[Update, list[Update]]:
    """Return (update of the whole, updates of the members); nothing is an empty update.

    A dictionary by itself is the update of the whole. Raises InvalidShareGroup or
    InvalidShareGroupSnapshot for anything else.
    """
    if returned is None or isinstance(returned, Mapping):
        return returned or {}, []
    if not _is_list(returned) or len(returned) != 2:
        raise refusal(f"the driver returned {returned!r:.100}")
    whole, members = returned
    if whole is not None and not isinstance(whole, Mapping):
        raise refusal(f"the driver returned {whole!r:.100} as its update")
    if members is not None and not _is_list(members):
        raise refusal(f"the driver returned {members!r:.100} as updates of its members")
    for member in members or ():
        if not isinstance(member, Mapping):
            raise refusal(f"the driver returned {member!r:.100} as update of a member")
    return whole or {}, list(members or ())


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def by_id(updates: list[Update], known: Sequence[str], refusal: _Refusal) -> dict[str, Update]:
    """Return {id: update} of the members; one without an id is logged and left out.

    Raises InvalidShareGroup or InvalidShareGroupSnapshot for an id that is no member's.
    """
    found: dict[str, Update] = {}
    for update in updates:
        member_id = update.get("id")
        if not member_id:
            LOG.warning("The driver returned an update of a member without its id: ignored")
        elif member_id not in known:
            raise refusal(f"the driver returned an update of '{member_id!s:.100}', no member of it")
        else:
            found[member_id] = update
    return found


def status(update: Update, refusal: _Refusal) -> str:
    """Return the status that the update gives: available without one, or error.

    Raises InvalidShareGroup or InvalidShareGroupSnapshot for any other.
    """
    given = update.get("status") or states.AVAILABLE
    if given not in _ENDS:
        raise refusal(f"the driver reports the status {given!r:.100}")
    return str(given)


def columns(table: sa.Table, update: Update, refusal: _Refusal) -> dict[str, Any]:
    """Return those columns of the update that a driver may set; the rest is logged.

    Raises InvalidShareGroup or InvalidShareGroupSnapshot for a value that the column cannot hold.
    """
    allowed = _ALLOWED[table]
    ignored = sorted(str(key) for key in update if key not in (*allowed, *_APART))
    if ignored:
        LOG.debug("Not taken from the driver's update: %s", ", ".join(ignored))
    return {
        name: _fitting(table.c[name], update[name], refusal) for name in allowed if name in update
    }


def _fitting(column: sa.Column[Any], value: Any, refusal: _Refusal) -> Any:
    if value is None:
        return None
    kind = column.type
    if isinstance(kind, sa.Integer):
        return _number(column, value, refusal)
    text = str(value)
    if isinstance(kind, sa.Enum) and text not in kind.enums:
        raise refusal(f"its {column.name} is {text!r:.100}, not one of {', '.join(kind.enums)}")
    length = getattr(kind, "length", None)
    if length is not None and len(text) > length:
        raise refusal(f"its {column.name} has more than {length} characters")
    return text


def _number(column: sa.Column[Any], value: Any, refusal: _Refusal) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise refusal(f"its {column.name} is {value!r:.100}, which is no number") from None
