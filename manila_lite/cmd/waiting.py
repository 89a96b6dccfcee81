# SPDX-License-Identifier: Apache-2.0
"""Waiting for operations, with a line that shows how far they are."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from manila_lite.cmd.app import App
from manila_lite.cmd.dispatch import Sent
from manila_lite.cmd.errors import OperationFailed, TimedOut
from manila_lite.cmd.output import short, span

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_FIRST_POLL = 0.05
_LONGEST_POLL = 0.5

Row = dict[str, Any]


def wait_for(app: App, sent: Sequence[Sent], timeout: float | None) -> list[Row]:
    """Return the operations' rows when all have come to their end.

    timeout: seconds, None: without end. Raises OperationFailed for the first that ended badly,
    once all are over; TimedOut when they take too long. The operations go on either way.
    """
    rows = _until_finished(app, lambda connection: _find(connection, sent), len(sent), timeout)
    for row in rows:
        raise_if_failed(row)
    return rows


def watch(app: App, uuid: str, timeout: float | None) -> Row:
    """Return the operation's row when it has come to its end, good or bad."""
    from manila_lite.db.operation_requests import get_operation

    return _until_finished(app, lambda connection: get_operation(connection, uuid), 1, timeout)[0]


def raise_if_failed(row: Row) -> None:
    """Raise OperationFailed unless the operation succeeded."""
    if row["state"] == "succeeded":
        return
    state = {"dead": "was parked as dead", "cancelled": "was cancelled"}.get(row["state"], "failed")
    raise OperationFailed(uuid=row["uuid"], state=state, error=row["error"] or "no reason given")


def _find(connection: Connection, sent: Sequence[Sent]) -> list[Row]:
    """The operations of these requests, as far as they are recorded already."""
    import sqlalchemy as sa

    from manila_lite.db.models.lite import operations

    o = operations.c
    known = [item.uuid for item in sent if item.uuid is not None]
    condition: Any = o.uuid.in_(known)
    if len(known) < len(sent):
        condition = sa.and_(
            o.request_id.in_({item.request_id for item in sent}),
            o.method.in_([item.method for item in sent]),
            o.host.in_([item.host for item in sent]),
        )
    rows = connection.execute(sa.select(operations).where(condition).order_by(o.id)).mappings()
    return [dict(row) for row in rows]


def _until_finished(
    app: App, find: Callable[[Connection], list[Row]], count: int, timeout: float | None
) -> list[Row]:
    began = app.clock.monotonic()
    pause, never = _FIRST_POLL, threading.Event()
    with _progress_line(app) as show:
        while True:
            rows = app.read(find)
            unfinished = [row for row in rows if not row["finished"]]
            if len(rows) >= count and not unfinished:
                return rows
            spent = app.clock.monotonic() - began
            show(_describe(rows, count, spent))
            if timeout is not None and spent >= timeout:
                raise _timed_out(unfinished, timeout)
            left = pause if timeout is None else min(pause, timeout - spent)
            app.clock.wait(never, max(left, 0.001))
            pause = min(pause * 1.5, _LONGEST_POLL)


def _timed_out(unfinished: Sequence[Row], seconds: float) -> TimedOut:
    if not unfinished:
        return TimedOut(
            f"The request was sent, but no service has taken it in {seconds:g} seconds."
        )
    first = unfinished[0]
    return TimedOut(
        uuid=first["uuid"],
        state=first["state"],
        seconds=f"{seconds:g}",
        short=short(first["uuid"]),
    )


def _describe(rows: Sequence[Row], count: int, spent: float) -> str:
    if count == 1:
        return f"{_describe_one(rows[0]) if rows else 'sent, not taken yet'} ({span(spent)})"
    over = sum(1 for row in rows if row["finished"])
    return f"{over} of {count} operations are over ({span(spent)})"


def _describe_one(row: Row) -> str:
    step = current_step(row)
    parts = [f"{row['method']} {row['state']}"]
    parts += [f"step {step}"] if step else []
    parts += [str(row["progress"])] if row["progress"] else []
    return ", ".join(parts)


def current_step(row: Row) -> str | None:
    """The name of the step that is not done yet; None between steps."""
    steps: dict[str, Any] = json.loads(row["steps"] or "{}")
    begun = [name for name, step in steps.items() if step.get("state") not in ("done", None)]
    return begun[-1] if begun else None


@contextlib.contextmanager
def _progress_line(app: App) -> Iterator[Callable[[str], None]]:
    """A line at the bottom of the terminal that is written over; nothing elsewhere."""
    import sys

    if app.output.as_json or not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False).status("waiting") as status:
        yield lambda text: status.update(text.replace("[", r"\["))
