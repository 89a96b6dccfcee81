# SPDX-License-Identifier: Apache-2.0
"""manila-lite op: what was asked of the service, and what became of it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import click
from oslo_utils import strutils

from manila_lite import exception
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.options import Group, Seconds, limited
from manila_lite.cmd.output import Column, age, short, span

STATES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled", "dead")

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("method", "Operation", fold=True),
    Column("resource", "Resource", fold=True),
    Column("state", "State"),
    Column("detail", "Progress", fold=True),
    Column("took", "Took", right=True),
    Column("age", "Age", right=True),
)


class OperationNotFound(exception.NotFound):
    """No operation of that id."""

    message = "Operation %(uuid)s could not be found."


@click.group(cls=Group)
def op() -> None:
    """See what was asked, and what became of it.

    An operation is named by its id, or as much of its beginning as is unique.
    """


@op.command("list")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="May be repeated."
)
@click.option("--host", help="Only operations of this host@backend.")
@click.option("--resource", metavar="ID", help="Only operations on the share, snapshot ... of ID.")
@click.option("--method", help="Only operations of this RPC method.")
@limited
@pass_app
def list_operations(
    app: App,
    states: Sequence[str],
    host: str | None,
    resource: str | None,
    method: str | None,
    limit: int,
) -> None:
    """List operations, the newest first.

    \b
    Examples:
      manila-lite op list
      manila-lite op list --state failed --state dead
      manila-lite --json op list --method create_share_instance --limit 1000
    """
    from manila_lite.db import operation_requests

    rows = app.read(
        lambda c: operation_requests.list_operations(
            c,
            host=host,
            states=tuple(states) or None,
            resource_id=resource,
            method=method,
            most=limit,
        )
    )
    now = app.clock.now()
    app.output.rows([_summary(row, now) for row in rows], _COLUMNS, "No operations.")


@op.command()
@click.argument("operation")
@pass_app
def show(app: App, operation: str) -> None:
    """Show an operation with its steps, and its error if it has one.

    \b
    Example:
      manila-lite op show 3f0c91d2
    """
    app.output.record(_view(_find(app, operation), app.clock.now()))


@op.command()
@click.argument("operation")
@click.option("--timeout", type=Seconds(), metavar="S", help="Seconds to wait at most.")
@pass_app
def watch(app: App, operation: str, timeout: float | None) -> None:
    """Wait for an operation; end with 0 if it succeeds, with 4 if it does not.

    \b
    Example:
      manila-lite op watch 3f0c91d2 --timeout 60
    """
    from manila_lite.cmd import waiting

    row = waiting.watch(app, _find(app, operation)["uuid"], timeout)
    waiting.raise_if_failed(row)
    app.output.record(_view(row, app.clock.now()))


@op.command()
@click.argument("operation")
@pass_app
def cancel(app: App, operation: str) -> None:
    """Ask for an operation to be given up.

    One that waits or is queued sees it at once, one that runs at its next step; a driver call that
    is under way is not broken off.

    \b
    Example:
      manila-lite op cancel 3f0c91d2
    """
    from manila_lite.db import operation_requests

    row = _find(app, operation)
    if not app.write(lambda c: operation_requests.request_cancel(c, row["uuid"])):
        raise Refused(reason=f"operation {row['uuid']} is over ({row['state']})")
    _tell(app, row["uuid"], "cancel", "It is going to be cancelled.")


@op.command()
@click.argument("operation")
@pass_app
def retry(app: App, operation: str) -> None:
    """Start an operation again that failed, was cancelled, or was parked as dead.

    Steps that are recorded as done are not done again. Mend the cause first.

    \b
    Example:
      manila-lite op retry 3f0c91d2
    """
    from manila_lite.db import operation_requests

    row = _find(app, operation)
    now = app.clock.now()
    if not app.write(lambda c: operation_requests.request_retry(c, row["uuid"], now)):
        raise Refused(
            reason=f"operation {row['uuid']} is {row['state']}; there is nothing to retry"
        )
    _tell(app, row["uuid"], "retry", "It is queued again.")


def _tell(app: App, uuid: str, request: str, text: str) -> None:
    if app.output.as_json:
        app.output.json({"id": uuid, "request": request})
    else:
        app.output.say(f"{text} Follow it with: manila-lite op watch {short(uuid)}")


def _find(app: App, prefix: str) -> dict[str, Any]:
    from manila_lite.db import operation_requests

    found = app.read(lambda c: operation_requests.get_operation(c, prefix)) if prefix else []
    if not found:
        raise OperationNotFound(uuid=prefix)
    if len(found) > 1:
        raise Refused(reason=f"several operations begin with {prefix!r}; give more of the id")
    return found[0]


def _took(row: dict[str, Any], now: datetime.datetime) -> str | None:
    """From its first start to its end, or until now."""
    if row["started_at"] is None:
        return None
    return span(((row["finished_at"] or now) - row["started_at"]).total_seconds())


def _summary(row: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
    resource = None
    if row["resource_id"]:
        resource = f"{row['resource_type']} {short(row['resource_id'])}"
    return {
        "id": row["uuid"],
        "method": row["method"],
        "host": row["host"],
        "resource": resource,
        "resource_type": row["resource_type"],
        "resource_id": row["resource_id"],
        "state": row["state"],
        "progress": row["progress"],
        "error": row["error"],
        "request": row["request"],
        "request_id": row["request_id"],
        "dispatches": row["dispatches"],
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "detail": row["error"] if row["error"] else row["progress"],
        "took": _took(row, now),
        "age": age(row["created_at"], now),
    }


def _view(row: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """An operation as it is shown; the keys of ``--json`` do not change."""
    summary = _summary(row, now)
    for only_in_tables in ("resource", "detail", "age", "took"):
        summary.pop(only_in_tables)
    steps = json.loads(row["steps"] or "{}")
    return {
        **summary,
        "lane": row["lane"],
        "version": row["version"],
        "project_id": row["project_id"],
        "owner": row["owner"],
        "next_run_at": row["next_run_at"],
        "steps": {name: step.get("state") for name, step in steps.items()},
        # A driver's options may be credentials.
        "arguments": strutils.mask_dict_password(json.loads(row["arguments"] or "{}")),
        "result": json.loads(row["result"]) if row["result"] else None,
    }
