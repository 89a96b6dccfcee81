# SPDX-License-Identifier: Apache-2.0
"""The rows of lite_operations: what the engine reads and writes, as SQL.

Every write of an operation that somebody owns is guarded by its owner and fence; see
``lock_owned`` and the module owned_updates. The functions take a connection inside a transaction
that the caller opened and never commit.
"""

from __future__ import annotations

import datetime
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models.lite import operations

QUEUED = "queued"
RUNNING = "running"
WAITING = "waiting"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
DEAD = "dead"
LIVE_STATES = (QUEUED, RUNNING, WAITING)
FINAL_STATES = (SUCCEEDED, FAILED, CANCELLED, DEAD)

NO_STEPS = "{}"
# More starts than any operation has: it is parked as dead long before.
_ANY_NUMBER = 2**31 - 1

# Characters in one statement: quoting and UTF-8 may make it several times as many bytes.
_MOST_AT_ONCE = 1024 * 1024

CANCEL = "cancel"
RETRY = "retry"

_o = operations.c
# The owner as something to check, never to look rows up by: one worker may own 100,000 of them,
# and a planner without fresh statistics takes that index for the best.
owner_to_check = sa.func.coalesce(_o.owner, "")
_INSERT = operations.insert()

_SEEN = sa.select(_o.message_id, _o.uuid).where(
    _o.host == sa.bindparam("host"),
    _o.message_id.in_(sa.bindparam("message_ids", expanding=True)),
)
_OPEN_LANES = (
    sa.select(_o.lane)
    .where(
        _o.host == sa.bindparam("host"),
        _o.lane.in_(sa.bindparam("lanes", expanding=True)),
        _o.finished == 0,
    )
    .distinct()
)

# Who is next in a lane, and who holds it: an operation that was retried is older than those
# that ran meanwhile, so both are asked.
_LANE_HEADS = (
    sa.select(
        _o.lane,
        sa.func.min(_o.id),
        sa.func.max(sa.case((_o.active_key.is_not(None), _o.id))),
    )
    .where(
        _o.host == sa.bindparam("host"),
        _o.lane.in_(sa.bindparam("lanes", expanding=True)),
        _o.finished == 0,
    )
    .group_by(_o.lane)
)
# The same for PostgreSQL, one by one: a planner with old statistics, or none, else reads all that
# the host has, of which there may be 100,000.
_POSTGRESQL_SEEN = """
SELECT m.message_id,
       (SELECT o.uuid FROM lite_operations AS o
         WHERE o.host = %(host)s AND o.message_id = m.message_id)
  FROM unnest(%(message_ids)s::varchar[]) AS m(message_id)
"""
_POSTGRESQL_LANE_HEADS = """
SELECT l.lane,
       (SELECT min(o.id) FROM lite_operations AS o
         WHERE o.host = %(host)s AND o.lane = l.lane AND o.finished = 0),
       (SELECT h.id FROM lite_operations AS h
         WHERE h.host = %(host)s AND h.active_key = l.lane)
  FROM unnest(%(lanes)s::varchar[]) AS l(lane)
"""
# Not one statement with the look at the lanes: planners make a poor job of that.
_CANDIDATES = (
    sa.select(operations)
    .where(
        _o.host == sa.bindparam("host"),
        _o.state == QUEUED,
        _o.blocked == 0,
        sa.or_(_o.next_run_at.is_(None), _o.next_run_at <= sa.bindparam("now")),
        _o.dispatches < sa.bindparam("starts"),
    )
    .order_by(_o.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    operations.update()
    .where(_o.id.in_(sa.bindparam("ids", expanding=True)), _o.state == QUEUED)
    .values(
        state=RUNNING,
        owner=sa.bindparam("b_owner"),
        fence=_o.fence + 1,
        active_key=_o.lane,
        dispatches=_o.dispatches + 1,
        next_run_at=None,
        started_at=sa.func.coalesce(_o.started_at, sa.bindparam("b_now")),
        updated_at=sa.bindparam("b_now"),
    )
)
_CLAIM_AND_ANNOUNCE = _CLAIM.values(steps=sa.bindparam("b_steps"))

_UNBLOCK = (
    operations.update()
    .where(_o.id.in_(sa.bindparam("ids", expanding=True)), _o.blocked == 1)
    .values(blocked=0)
)
_BLOCK = operations.update().where(_o.id.in_(sa.bindparam("ids", expanding=True))).values(blocked=1)
_BLOCKED_LANES = (
    # Not the bare column, whose index knows lanes without repetition: all lanes of the host.
    sa.select(sa.func.coalesce(_o.lane, ""))
    .where(_o.host == sa.bindparam("host"), _o.state == QUEUED, _o.blocked == 1)
    .distinct()
)


def seen(connection: Connection, host: str, message_ids: Sequence[str]) -> dict[str, str]:
    """Return {message id: uuid of its operation} of those recorded before."""
    values = {"host": host, "message_ids": list(message_ids)}
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(_POSTGRESQL_SEEN, values)
    else:
        found = connection.execute(_SEEN, values)
    return {message_id: uuid for message_id, uuid in found if uuid is not None}


def open_lanes(connection: Connection, host: str, lanes: Iterable[str]) -> set[str]:
    """Return those lanes of the host that have an unfinished operation."""
    if connection.dialect.name == "postgresql":
        return set(_heads(connection, host, lanes))
    return set(connection.execute(_OPEN_LANES, {"host": host, "lanes": list(set(lanes))}).scalars())


def insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new operations in the order given; their ids grow in that order."""
    if connection.dialect.name == "sqlite":
        connection.execute(_INSERT, list(rows))
        return
    # As statements of our own: SQLAlchemy's way to them costs more than the rest of the journal.
    columns = list(rows[0])
    one = f"({', '.join(['%s'] * len(columns))})"
    text = f"INSERT INTO lite_operations ({', '.join(columns)}) VALUES "  # noqa: S608
    for some in in_portions(rows):
        values = tuple(row[column] for row in some for column in columns)
        connection.exec_driver_sql(text + ", ".join([one] * len(some)), values)


def in_portions(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    """Split rows so that what is sent at once stays within the servers' limits.

    MariaDB ends the connection over a statement of more than max_allowed_packet, 16 MiB, and
    would do so again at each try.
    """
    begin = size = 0
    for position, row in enumerate(rows):
        length = sum(len(value) for value in row.values() if isinstance(value, str))
        if size and size + length > _MOST_AT_ONCE:
            yield rows[begin:position]
            begin, size = position, 0
        size += length
    yield rows[begin:]


def claim(
    connection: Connection,
    host: str,
    owner: str,
    now: datetime.datetime,
    most: int,
    first_step: Callable[[str], str | None] = lambda method: None,
    *,
    suspect_from: int = _ANY_NUMBER,
    admits: Callable[[int], bool] = lambda starts: True,
) -> list[dict[str, Any]]:
    """Take up to `most` lane heads for the owner, oldest first; return their rows as claimed.

    Rows that another worker is claiming at this moment are passed over, not waited for. Those
    that never ran get the intent of the step that first_step(method) names. Of those that were
    started suspect_from times in vain, or more often, admits(starts) says who may be taken.
    """
    candidates = _candidates(connection, host, now, most, suspect_from, admits)
    claimed = _only_heads(connection, host, candidates)
    if not claimed:
        return []
    # The rows are locked: what was read of them still holds.
    for step, ids in _announcements(claimed, first_step).items():
        values = {"ids": ids, "b_owner": owner, "b_now": now}
        if step is None:
            connection.execute(_CLAIM, values)
        else:
            connection.execute(_CLAIM_AND_ANNOUNCE, {**values, "b_steps": begun(step, now)})
    for row in claimed:
        row.update(
            state=RUNNING,
            owner=owner,
            fence=row["fence"] + 1,
            active_key=row["lane"],
            dispatches=row["dispatches"] + 1,
        )
        if row["announced"] is not None:
            row["steps"] = begun(row["announced"], now)
    return claimed


def _candidates(
    connection: Connection,
    host: str,
    now: datetime.datetime,
    most: int,
    suspect_from: int,
    admits: Callable[[int], bool],
) -> list[dict[str, Any]]:
    def look(most: int, starts: int) -> list[dict[str, Any]]:
        values = {"host": host, "now": now, "most": most, "starts": starts}
        return [dict(row) for row in connection.execute(_CANDIDATES, values).mappings()]

    found = look(most, _ANY_NUMBER)
    suspects = [row for row in found if row["dispatches"] >= suspect_from]
    admitted = [row for row in suspects if admits(row["dispatches"])]
    if len(admitted) == len(suspects):
        return found
    # Suspects that have to wait must not keep others from being seen.
    others = look(most - len(admitted), suspect_from) if len(admitted) < most else []
    return sorted([*admitted, *others], key=operator.itemgetter("id"))


def _announcements(
    claimed: list[dict[str, Any]], first_step: Callable[[str], str | None]
) -> dict[str | None, list[int]]:
    """Return {step to announce: ids}; note in the rows what is announced."""
    groups: dict[str | None, list[int]] = {}
    for row in claimed:
        step = first_step(row["method"]) if row["steps"] == NO_STEPS else None
        row["announced"] = step
        groups.setdefault(step, []).append(row["id"])
    return groups


def begun(step: str, now: datetime.datetime) -> str:
    """Return the steps, as JSON, of an operation whose first step is about to run."""
    return json.dumps({step: {"began": now.isoformat(), "attempts": 1, "state": "begun"}})


def held_claims(
    connection: Connection, owner: str, claimed: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return those of the rows, as claim() returned them, that the owner does hold like that."""
    found = connection.execute(
        sa.select(_o.id, _o.fence).where(
            _o.id.in_([row["id"] for row in claimed]), _o.owner == owner, _o.state == RUNNING
        )
    )
    held = {(key, fence) for key, fence in found}
    return [row for row in claimed if (row["id"], row["fence"]) in held]


def _only_heads(
    connection: Connection, host: str, candidates: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return those that are next in their lane; block the others, whose hint was wrong."""
    if not candidates:
        return []
    heads = _heads(connection, host, [row["lane"] for row in candidates])
    wrong = [row["id"] for row in candidates if heads.get(row["lane"]) != row["id"]]
    if wrong:
        connection.execute(_BLOCK, {"ids": wrong})
    return [row for row in candidates if heads.get(row["lane"]) == row["id"]]


def _heads(connection: Connection, host: str, lanes: Iterable[str]) -> dict[str, int]:
    """Return {lane: id of the operation that may run}; who holds the lane goes first."""
    values = {"host": host, "lanes": list(set(lanes))}
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(_POSTGRESQL_LANE_HEADS, values)
    else:
        found = connection.execute(_LANE_HEADS, values)
    return {
        lane: oldest if holder is None else holder
        for lane, oldest, holder in found
        if oldest is not None
    }


def lock_owned(
    connection: Connection, ids: Sequence[int]
) -> dict[int, tuple[str | None, int, int]]:
    """Lock the rows until the transaction ends; return {id: (owner, fence, revision)}."""
    # Numbers of our own, so they may stand in the text; it is the engine's most frequent query.
    listed = ", ".join(str(int(key)) for key in ids)
    text = f"SELECT id, owner, fence, revision FROM lite_operations WHERE id IN ({listed})"  # noqa: S608
    locking = "" if connection.dialect.name == "sqlite" else " ORDER BY id FOR UPDATE"
    rows = connection.exec_driver_sql(text + locking)
    return {key: (owner, fence, revision) for key, owner, fence, revision in rows}


def unblock_next(connection: Connection, host: str, lanes: Iterable[str]) -> int:
    """Let the next operation of each lane be claimed; return how many were kept from it."""
    ids = list(_heads(connection, host, lanes).values())
    return int(connection.execute(_UNBLOCK, {"ids": ids}).rowcount) if ids else 0


def blocked_lanes(connection: Connection, host: str) -> list[str]:
    """Return the lanes in which an operation waits behind another one, as far as hints say."""
    return list(connection.execute(_BLOCKED_LANES, {"host": host}).scalars())


def load_owned(
    connection: Connection, operation_id: int, owner: str, fence: int
) -> dict[str, Any] | None:
    """Return the row if the owner still holds it under that fence and it is unfinished."""
    row = connection.execute(
        sa.select(operations).where(
            _o.id == operation_id,
            owner_to_check == owner,
            _o.fence == fence,
            _o.finished == 0,
        )
    ).mappings()
    found = row.first()
    return dict(found) if found else None


def requests_for(connection: Connection, owner: str) -> list[tuple[int, str]]:
    """Return (id, request) of the owner's unfinished operations that shall be cancelled."""
    rows = connection.execute(
        sa.select(_o.id, _o.request).where(
            _o.request == CANCEL, owner_to_check == owner, _o.finished == 0
        )
    )
    return [(key, request) for key, request in rows]


def release_all(
    connection: Connection, owner: str, keep: Sequence[int] = (), *, counted: bool = True
) -> int:
    """Put the owner's unfinished operations back into the queue, except those in `keep`.

    counted: whether their present start counts; an orderly stop takes it back.
    """
    statement = (
        operations.update()
        .where(_o.owner == owner, _o.finished == 0)
        .values(state=QUEUED, owner=None, revision=_o.revision + 1)
    )
    if not counted:
        statement = statement.values(
            dispatches=sa.case((_o.dispatches > 0, _o.dispatches - 1), else_=0)
        )
    if keep:
        statement = statement.where(_o.id.not_in(list(keep)))
    return int(connection.execute(statement).rowcount)


def purge(connection: Connection, before: datetime.datetime, most: int) -> int:
    """Delete up to `most` operations that succeeded or were cancelled before that time.

    Failed and dead ones stay for an operator to see and retry.
    """
    ids = list(
        connection.execute(
            sa.select(_o.id)
            .where(
                _o.finished_at < before,
                _o.state.in_((SUCCEEDED, CANCELLED)),
            )
            .limit(most)
        ).scalars()
    )
    if ids:
        # Asked again: an operator may have had one of them tried again since the look.
        connection.execute(
            operations.delete().where(_o.id.in_(ids), _o.finished == 1, _o.finished_at < before)
        )
    return len(ids)
