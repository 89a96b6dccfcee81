# SPDX-License-Identifier: Apache-2.0
"""What an API does between a request about an access rule and its casts."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.cmd import access_values, lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.db import access_creation
from manila_lite.db.access_creation import OF_SHARE, OF_SNAPSHOT, RuleTables
from manila_lite.db.records import Record

_LEAVING = (states.ACCESS_QUEUED_TO_DENY, states.ACCESS_DENYING)


class AccessRuleNotFound(exception.NotFound):
    message = "Access rule %(rule)s could not be found."


@dataclasses.dataclass(frozen=True)
class Kind:
    """Rules of shares, or of snapshots: where they are, and how they are cast."""

    noun: str
    tables: RuleTables
    method: str
    argument: str
    find: Callable[[Connection, str], Record]

    def owner(self, connection: Connection, name_or_id: str) -> Record:
        """Return the share or the snapshot; its instances have the ``host`` that casts go to."""
        return self.find(connection, name_or_id)

    def casts(self, owner: Mapping[str, Any]) -> list[Request]:
        """Return a cast for each instance that is somewhere."""
        return [
            Request(self.method, instance["host"], {self.argument: instance["id"]})
            for instance in owner["instances"]
            if instance["host"]
        ]


def _snapshot(connection: Connection, name_or_id: str) -> Record:
    snapshot = lookup.snapshot(connection, name_or_id)
    share = lookup.share(connection, snapshot["share_id"])
    hosts = {instance["id"]: instance["host"] for instance in share["instances"]}
    for instance in snapshot["instances"]:
        instance["host"] = hosts.get(instance["share_instance_id"])
    snapshot["mount_snapshot_support"] = share["mount_snapshot_support"]
    return snapshot


SHARE = Kind("share", OF_SHARE, "update_access", "share_instance_id", lookup.share)
SNAPSHOT = Kind(
    "snapshot", OF_SNAPSHOT, "snapshot_update_access", "snapshot_instance_id", _snapshot
)


def allow(
    connection: Connection,
    kind: Kind,
    name_or_id: str,
    now: datetime.datetime,
    *,
    access_type: str,
    access_to: str,
    **columns: Any,
) -> tuple[str, Prepared]:
    """Make the rows of a new rule; return its id. columns: access_level, for a share.

    Raises InvalidShareAccess; Refused where the resource is not available or has the rule.
    """
    text = access_values.checked(access_type, access_to)
    owner = kind.owner(connection, name_or_id)
    if owner["status"] != states.AVAILABLE:
        raise Refused(
            reason=f"{kind.noun} {owner['id']} is '{owner['status']}', which allows no new rules"
        )
    if kind is SNAPSHOT and not owner["mount_snapshot_support"]:
        raise Refused(reason=f"snapshot {owner['id']} cannot be mounted: its share's type says so")
    _refuse_twins(access_creation.list_rules(connection, kind.tables, owner["id"]),
                  access_type, text)  # fmt: skip
    casts = kind.casts(owner)
    rule_id = access_creation.new_rule(
        connection,
        kind.tables,
        owner["id"],
        [request.arguments[kind.argument] for request in casts],
        now,
        access_type=access_type,
        access_to=text,
        **columns,
    )
    undo = functools.partial(
        access_creation.withdraw_rule, tables=kind.tables, rule_id=rule_id, now=now
    )
    return rule_id, Prepared(casts, undo)


def _refuse_twins(rules: list[Record], access_type: str, access_to: str) -> None:
    for rule in rules:
        if rule["access_type"] == access_type and access_values.are_same(
            access_type, rule["access_to"], access_to
        ):
            raise Refused(
                reason=f"rule {rule['id']} is for {access_type} {access_to} already; "
                f"its state is {rule['state']}"
            )


def deny(
    connection: Connection, kind: Kind, name_or_id: str, rule: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Queue a rule for denial; return it as it was. Raises AccessRuleNotFound; Refused."""
    owner = kind.owner(connection, name_or_id)
    busy = [i["status"] for i in owner["instances"] if i["status"] in states.UNDERWAY]
    if busy:
        raise Refused(
            reason=f"{kind.noun} {owner['id']} is '{busy[0]}', which leaves its rules alone"
        )
    found = find_rule(access_creation.list_rules(connection, kind.tables, owner["id"]), rule)
    if found["state"] in _LEAVING:
        raise Refused(reason=f"rule {found['id']} is being denied already ({found['state']})")
    access_creation.deny_rule(connection, kind.tables, found, now)
    undo = functools.partial(
        access_creation.set_states,
        tables=kind.tables,
        rule=found,
        new={row["id"]: row["state"] for row in found["mappings"]},
        now=now,
    )
    return found, Prepared(kind.casts(owner), undo)


def find_rule(rules: list[Record], text: str) -> Record:
    """The rule of that id, that address or name, or with that beginning of its id.

    Raises AccessRuleNotFound; Refused when several fit.
    """
    conditions: list[Callable[[Record], bool]] = [
        lambda rule: rule["id"] == text,
        lambda rule: rule["access_to"] == text,
    ]
    if len(text) >= lookup.SHORTEST_PREFIX:
        conditions.append(lambda rule: rule["id"].startswith(text))
    for condition in conditions:
        found = [rule for rule in rules if condition(rule)]
        if len(found) > 1:
            shown = ", ".join(rule["id"] for rule in found[: lookup.FEW])
            raise Refused(reason=f"{text!r} fits several rules; give the id instead: {shown}")
        if found:
            return found[0]
    raise AccessRuleNotFound(rule=text)
