# SPDX-License-Identifier: Apache-2.0
"""Access rules as an API makes them: queued, for the service to take up."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db.access_changes import status_of_rules
from manila_lite.db.models import (
    share_access_map,
    share_instance_access_map,
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes

#: What a rule shows whose states on several instances differ: the first of these that is there.
PRECEDENCE: Final = (
    states.ACCESS_ERROR,
    states.ACCESS_QUEUED_TO_APPLY,
    states.ACCESS_QUEUED_TO_UPDATE,
    states.ACCESS_QUEUED_TO_DENY,
    states.ACCESS_APPLYING,
    states.ACCESS_UPDATING,
    states.ACCESS_DENYING,
    states.ACCESS_ACTIVE,
)


@dataclasses.dataclass(frozen=True)
class RuleTables:
    """Where the rules of shares, or of snapshots, are. owner, instance: columns with their ids."""

    rules: sa.Table
    mappings: sa.Table
    owner: str
    instance: str


OF_SHARE: Final = RuleTables(
    share_access_map, share_instance_access_map, "share_id", "share_instance_id"
)
OF_SNAPSHOT: Final = RuleTables(
    share_snapshot_access_map,
    share_snapshot_instance_access_map,
    "share_snapshot_id",
    "share_snapshot_instance_id",
)


def list_rules(connection: Connection, tables: RuleTables, owner_id: str) -> list[Record]:
    """Return the rules of a share or a snapshot, the oldest first.

    ``mappings`` are the rows of its states on the instances, ``state`` is what they say together.
    """
    r, m = tables.rules.c, tables.mappings.c
    wanted = sa.select(tables.rules).where(r[tables.owner] == owner_id, r.deleted == "False")
    rules = Record.all(connection.execute(wanted.order_by(r.created_at, r.id)))
    mapped = (
        sa.select(tables.mappings)
        .join(tables.rules, r.id == m.access_id)
        .where(r[tables.owner] == owner_id, r.deleted == "False", m.deleted == "False")
        .order_by(m.id)
    )
    by_rule: dict[str, list[Record]] = {}
    for row in Record.all(connection.execute(mapped)):
        by_rule.setdefault(row["access_id"], []).append(row)
    for rule in rules:
        rule["mappings"] = by_rule.get(rule["id"], [])
        rule["state"] = _together(row["state"] for row in rule["mappings"])
    return rules


def _together(found: Iterable[str]) -> str | None:
    known = set(found)
    return next((state for state in PRECEDENCE if state in known), None)


def new_rule(
    connection: Connection,
    tables: RuleTables,
    owner_id: str,
    instance_ids: Sequence[str],
    now: datetime.datetime,
    **columns: Any,
) -> str:
    """Insert a rule, queued on each of the instances; return its id.

    columns: access_type, access_to and, for a share, access_level.
    """
    rule_id = str(uuid.uuid4())
    row = {"id": rule_id, tables.owner: owner_id, "created_at": now, "deleted": "False", **columns}
    connection.execute(tables.rules.insert(), row)
    for instance_id in instance_ids:
        mapping = {
            "id": str(uuid.uuid4()),
            tables.instance: instance_id,
            "access_id": rule_id,
            "state": states.ACCESS_QUEUED_TO_APPLY,
            "created_at": now,
            "updated_at": now,
            "deleted": "False",
        }
        connection.execute(tables.mappings.insert(), mapping)
    _show(connection, tables, instance_ids, now)
    return rule_id


def deny_rule(
    connection: Connection, tables: RuleTables, rule: Mapping[str, Any], now: datetime.datetime
) -> None:
    """Queue a rule, as list_rules() has it, for denial on all its instances."""
    new = {row["id"]: states.ACCESS_QUEUED_TO_DENY for row in rule["mappings"]}
    set_states(connection, tables, rule, new, now)


def set_states(
    connection: Connection,
    tables: RuleTables,
    rule: Mapping[str, Any],
    new: Mapping[str, str],
    now: datetime.datetime,
) -> None:
    """Give mappings of a rule new states by their ids."""
    m = tables.mappings.c
    for mapping_id, state in new.items():
        statement = tables.mappings.update().where(m.id == mapping_id, m.deleted == "False")
        connection.execute(statement.values(state=state, updated_at=now))
    _show(connection, tables, [row[tables.instance] for row in rule["mappings"]], now)


def withdraw_rule(
    connection: Connection, tables: RuleTables, rule_id: str, now: datetime.datetime
) -> None:
    """Delete the rows of a rule that no service was told of."""
    r, m = tables.rules.c, tables.mappings.c
    mine = sa.select(m[tables.instance]).where(m.access_id == rule_id, m.deleted == "False")
    instance_ids = list(connection.execute(mine).scalars())
    connection.execute(
        tables.mappings.update()
        .where(m.access_id == rule_id, m.deleted == "False")
        .values(deleted=m.id, deleted_at=now, state=states.ACCESS_DELETED)
    )
    connection.execute(
        tables.rules.update()
        .where(r.id == rule_id, r.deleted == "False")
        .values(deleted=r.id, deleted_at=now)
    )
    _show(connection, tables, instance_ids, now)


def _show(
    connection: Connection, tables: RuleTables, instance_ids: Iterable[str], now: datetime.datetime
) -> None:
    """Bring the instances' access_rules_status up to date; snapshots have none."""
    if tables is OF_SHARE:
        execute_writes(connection, [[w for key in instance_ids for w in status_of_rules(key, now)]])
