# SPDX-License-Identifier: Apache-2.0
"""What people ask of operations: to see them, to cancel one, to try one again."""

from __future__ import annotations

import datetime
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import operations as rows
from manila_lite.db.models.lite import operations

_o = operations.c


def list_operations(
    connection: Connection,
    *,
    host: str | None = None,
    states: tuple[str, ...] | None = None,
    resource_id: str | None = None,
    method: str | None = None,
    most: int = 100,
) -> list[dict[str, Any]]:
    """Return operations, newest first; each filter that is not None must match."""
    query = sa.select(operations).order_by(_o.id.desc()).limit(most)
    for column, value in ((_o.host, host), (_o.resource_id, resource_id), (_o.method, method)):
        if value is not None:
            query = query.where(column == value)
    if states is not None:
        query = query.where(_o.state.in_(states))
    return [dict(row) for row in connection.execute(query).mappings()]


def get_operation(connection: Connection, uuid_prefix: str) -> list[dict[str, Any]]:
    """Return the operations, two at the most, whose uuid begins like this."""
    query = sa.select(operations).where(_o.uuid.startswith(uuid_prefix, autoescape=True)).limit(2)
    return [dict(row) for row in connection.execute(query).mappings()]


def count_by_state(connection: Connection, host: str | None = None) -> dict[str, int]:
    """Return {state: how many operations}."""
    query = sa.select(_o.state, sa.func.count()).group_by(_o.state)
    if host is not None:
        query = query.where(_o.host == host)
    return {row[0]: row[1] for row in connection.execute(query)}


def request_cancel(connection: Connection, uuid: str) -> bool:
    """Ask for an unfinished operation to be cancelled; False when it is finished.

    The flow sees it at its next step or probe; a step that runs is not broken off.
    """
    changed = connection.execute(
        operations.update()
        .where(_o.uuid == uuid, _o.finished == 0)
        .values(request=rows.CANCEL, next_run_at=None)
    )
    return changed.rowcount == 1


def request_retry(connection: Connection, uuid: str, now: datetime.datetime) -> bool:
    """Put a failed, cancelled or dead operation back into its lane; False when it is neither.

    Steps that are recorded as done stay done, those in doubt stay in doubt; the others start
    afresh.
    """
    query = sa.select(operations).where(_o.uuid == uuid, _o.finished == 1).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None or row["state"] == rows.SUCCEEDED:
        return False
    steps = _kept_steps(json.loads(row["steps"]), now)
    busy = bool(rows.open_lanes(connection, row["host"], [row["lane"]]))
    changed = connection.execute(
        operations.update()
        .where(_o.uuid == uuid, _o.finished == 1)
        .values(
            state=rows.QUEUED,
            finished=0,
            blocked=int(busy),
            owner=None,
            dispatches=0,
            revision=_o.revision + 1,
            steps=json.dumps(steps),
            error=None,
            result=None,
            request=None,
            next_run_at=None,
            finished_at=None,
            updated_at=now,
        )
    )
    return changed.rowcount == 1


def _kept_steps(
    steps: dict[str, dict[str, Any]], now: datetime.datetime
) -> dict[str, dict[str, Any]]:
    """Steps that are done stay so; those in doubt stay in doubt, with all their tries left."""
    in_doubt = {"state": "begun", "began": now.isoformat(), "attempts": 0}
    kept = {}
    for name, step in steps.items():
        if step["state"] == "done":
            kept[name] = step
        elif step["state"] == "begun":
            kept[name] = in_doubt
    return kept
