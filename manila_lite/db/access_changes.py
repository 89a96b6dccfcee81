# SPDX-License-Identifier: Apache-2.0
"""Access rules of shares and snapshots: writing, as data.

Each change names the states that it replaces. So a rule that an API queues meanwhile, for denial
or for a change, keeps what the API wrote, and the next pass takes it up.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db.guards import one_of
from manila_lite.db.models import (
    share_access_map,
    share_access_rules_metadata,
    share_instance_access_map,
    share_instances,
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
)
from manila_lite.db.writes import Write

#: States in which a rule is to be on the storage, as far as an operation has got.
_PRESENT: Final = (states.ACCESS_APPLYING, states.ACCESS_UPDATING, states.ACCESS_ACTIVE)
#: States that say that something is still to be done.
_DUE: Final = states.ACCESS_QUEUED | states.ACCESS_UNDERWAY

_NOW: Final[sa.BindParameter[Any]] = sa.bindparam("b_now")


class RuleChanges:
    """The changes of one kind of rules: a table of rules, and one of their states by instance."""

    def __init__(self, rules: sa.Table, mappings: sa.Table, instance: sa.Column[Any]) -> None:
        m, r = mappings.c, rules.c
        mine = sa.and_(instance == sa.bindparam("b_instance_id"), m.deleted == "False")
        self._begin = (
            mappings.update()
            .where(mine, one_of(m.state, states.ACCESS_BEGINNINGS))
            .values(state=sa.case(states.ACCESS_BEGINNINGS, value=m.state), updated_at=_NOW)
        )
        self._fail = _changing(mappings, mine, states.ACCESS_UNDERWAY, states.ACCESS_ERROR)
        self._settle = _changing(
            mappings, mine, (states.ACCESS_APPLYING, states.ACCESS_UPDATING), states.ACCESS_ACTIVE
        )
        self._refuse = _changing(
            mappings,
            sa.and_(mine, m.access_id == sa.bindparam("b_access_id")),
            (*_PRESENT, states.ACCESS_DENYING),
            states.ACCESS_ERROR,
        )
        self._change = _changing(mappings, mine, _PRESENT, states.ACCESS_QUEUED_TO_UPDATE)
        self._deny = _changing(
            mappings,
            mine,
            {*_DUE, states.ACCESS_ACTIVE, states.ACCESS_ERROR}
            - {states.ACCESS_QUEUED_TO_DENY, states.ACCESS_DENYING},
            states.ACCESS_QUEUED_TO_DENY,
        )
        self._remove = (
            mappings.update()
            .where(
                mine,
                m.access_id == sa.bindparam("b_access_id"),
                m.state == states.ACCESS_DENYING,
            )
            .values(deleted=m.id, state=states.ACCESS_DELETED, deleted_at=_NOW, updated_at=_NOW)
        )
        # Whoever comes second, of two instances that lose the rule at the same time, waits here
        # and then sees what the first one did.
        self._lock = (
            rules.update().where(r.id == sa.bindparam("b_access_id")).values(updated_at=_NOW)
        )
        self._unmapped = ~sa.exists(
            sa.select(m.id).where(m.access_id == sa.bindparam("b_access_id"), m.deleted == "False")
        )
        self._forget = (
            rules.update()
            .where(r.id == sa.bindparam("b_access_id"), r.deleted == "False", self._unmapped)
            .values(deleted=r.id, deleted_at=_NOW)
        )

    def begin(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        """Show that all that is queued on an instance is under way."""
        return [_of(self._begin, instance_id, now)]

    def failed(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        """Put all that is under way on an instance into error."""
        return [_of(self._fail, instance_id, now)]

    def settled(
        self,
        instance_id: str,
        now: datetime.datetime,
        *,
        refused: Iterable[str] = (),
        denied: Iterable[str] = (),
    ) -> list[Write]:
        """Show what became of all that was under way on an instance.

        refused: ids of rules that the driver could not apply, change, or deny; they end in error.
        denied: ids of the other rules that were to go. Their rows go with their last instance.
        """
        writes = [_of(self._refuse, instance_id, now, b_access_id=key) for key in sorted(refused)]
        writes.append(_of(self._settle, instance_id, now))
        denied = sorted(denied)
        if denied:
            writes += [Write(self._lock, {"b_access_id": key, "b_now": now}) for key in denied]
            writes += [_of(self._remove, instance_id, now, b_access_id=key) for key in denied]
            for key in denied:
                writes += self.forgotten(key, now)
        return writes

    def forgotten(self, access_id: str, now: datetime.datetime) -> list[Write]:
        """Delete a rule that no instance has any more."""
        return [Write(self._forget, {"b_access_id": access_id, "b_now": now})]

    def queued_to_update(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        """Have all rules changed that are, or are to be, on an instance."""
        return [_of(self._change, instance_id, now)]

    def queued_to_deny(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        """Have all rules of an instance denied, those in error too."""
        return [_of(self._deny, instance_id, now)]


def _changing(
    mappings: sa.Table, condition: sa.ColumnElement[bool], old: Iterable[str], new: str
) -> sa.Update:
    return (
        mappings.update()
        .where(condition, one_of(mappings.c.state, old))
        .values(state=new, updated_at=_NOW)
    )


def _of(statement: sa.Update, instance_id: str, now: datetime.datetime, **values: Any) -> Write:
    return Write(statement, {"b_instance_id": instance_id, "b_now": now, **values})


class _ShareRuleChanges(RuleChanges):
    """Rules of shares have metadata of their own, and instances a status of all their rules."""

    def __init__(self) -> None:
        m = share_instance_access_map.c
        super().__init__(share_access_map, share_instance_access_map, m.share_instance_id)
        metadata = share_access_rules_metadata.c
        self._forget_metadata = (
            share_access_rules_metadata.update()
            .where(
                metadata.access_id == sa.bindparam("b_access_id"),
                metadata.deleted == "False",
                self._unmapped,
            )
            .values(deleted=sa.cast(metadata.id, sa.String(36)), deleted_at=_NOW)
        )

    def begin(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        return [*super().begin(instance_id, now), *status_of_rules(instance_id, now)]

    def failed(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        """Put all that is under way into error, and the instance's status of its rules too."""
        writes = super().failed(instance_id, now)
        return [*writes, Write(_FAILED_STATUS, {"b_instance_id": instance_id, "b_now": now})]

    def settled(
        self,
        instance_id: str,
        now: datetime.datetime,
        *,
        refused: Iterable[str] = (),
        denied: Iterable[str] = (),
    ) -> list[Write]:
        writes = super().settled(instance_id, now, refused=refused, denied=denied)
        return [*writes, *status_of_rules(instance_id, now)]

    def forgotten(self, access_id: str, now: datetime.datetime) -> list[Write]:
        metadata = Write(self._forget_metadata, {"b_access_id": access_id, "b_now": now})
        return [metadata, *super().forgotten(access_id, now)]

    def queued_to_update(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        return [*super().queued_to_update(instance_id, now), *status_of_rules(instance_id, now)]

    def queued_to_deny(self, instance_id: str, now: datetime.datetime) -> list[Write]:
        return [*super().queued_to_deny(instance_id, now), *status_of_rules(instance_id, now)]


_i = share_instances.c
_m = share_instance_access_map.c


def _has(wanted: Iterable[str]) -> sa.ColumnElement[bool]:
    return sa.exists(
        sa.select(_m.id).where(
            _m.share_instance_id == sa.bindparam("b_instance_id"),
            _m.deleted == "False",
            one_of(_m.state, wanted),
        )
    )


def _set_status(*cases: tuple[Any, str], otherwise: str) -> sa.Update:
    return (
        share_instances.update()
        .where(_i.id == sa.bindparam("b_instance_id"), _i.deleted == "False")
        .values(access_rules_status=sa.case(*cases, else_=otherwise), updated_at=_NOW)
    )


_STATUS = _set_status(
    (_has(_DUE), states.ACCESS_SYNCING),
    (_has((states.ACCESS_ERROR,)), states.ACCESS_ERROR),
    otherwise=states.ACCESS_ACTIVE,
)
_FAILED_STATUS = _set_status((_has(_DUE), states.ACCESS_SYNCING), otherwise=states.ACCESS_ERROR)
_READ_ONLY = (
    share_instances.update()
    .where(_i.id == sa.bindparam("b_instance_id"), _i.deleted == "False")
    .values(cast_rules_to_readonly=sa.bindparam("b_read_only"), updated_at=_NOW)
)
_SET_KEY = (
    share_access_map.update()
    .where(
        share_access_map.c.id == sa.bindparam("b_access_id"), share_access_map.c.deleted == "False"
    )
    .values(access_key=sa.bindparam("b_key"), updated_at=_NOW)
)
OF_SHARE: Final = _ShareRuleChanges()
OF_SNAPSHOT: Final = RuleChanges(
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
    share_snapshot_instance_access_map.c.share_snapshot_instance_id,
)


def status_of_rules(instance_id: str, now: datetime.datetime) -> list[Write]:
    """Make access_rules_status what the states of the instance's rules say together.

    syncing while anything is queued or under way, else error if a rule is, else active.
    """
    return [Write(_STATUS, {"b_instance_id": instance_id, "b_now": now})]


def keys(found: Iterable[tuple[str, str]], now: datetime.datetime) -> list[Write]:
    """Keep the access keys (rule's id, key) that a driver returned."""
    return [
        Write(_SET_KEY, {"b_access_id": access_id, "b_key": key, "b_now": now})
        for access_id, key in found
    ]


def read_only(instance_id: str, is_read_only: bool, now: datetime.datetime) -> list[Write]:
    """Have an instance's rules changed: all to "ro", or all to what they say themselves."""
    parameters = {"b_instance_id": instance_id, "b_read_only": is_read_only, "b_now": now}
    return [Write(_READ_ONLY, parameters), *OF_SHARE.queued_to_update(instance_id, now)]
