# SPDX-License-Identifier: Apache-2.0
"""manila-lite volume check and repair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import Seconds
from manila_lite.cmd.output import Column, short

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.db.records import Record

_COLUMNS = (
    Column("volume_id", "Volume", show=short),
    Column("kind", "Finding"),
    Column("text", "What", fold=True),
    Column("path", "Where", fold=True),
    Column("repair", "Repair", fold=True),
)
_WELL = "All is well."
_timeout = click.option(
    "--timeout", type=Seconds(), metavar="S", help="Seconds to wait for the answers at most."
)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_timeout
@pass_app
def check(app: App, names: Sequence[str], timeout: float | None) -> None:
    """Compare the images of volumes with what is recorded of them; change nothing.

    The service that has the volume looks, when nothing else is under way on it. Exit code 0 says
    that it looked, whatever it found.

    \b
    Examples:
      manila-lite volume check disk
      manila-lite --json volume check disk other --timeout 60
    """
    _show(app, _look(app, names, timeout, repair=False, dry_run=True))


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--apply", is_flag=True, help="Do it; without this, only say what would be done.")
@_timeout
@pass_app
def repair(app: App, names: Sequence[str], apply: bool, timeout: float | None) -> None:
    """Mend what is recorded of the images of volumes: the images themselves are the truth.

    Rebuilds .info files from the chain, completes deletions that were broken off, and removes
    files that nothing refers to. Without --apply it is a dry run.

    \b
    Examples:
      manila-lite volume repair disk
      manila-lite volume repair disk --apply
    """
    reports = _look(app, names, timeout, repair=True, dry_run=not apply)
    _show(app, reports)
    if not apply and any(report["findings"] for report in reports):
        app.output.say("Nothing was changed. Repeat it with --apply to have it done.")


def _look(
    app: App, names: Sequence[str], timeout: float | None, *, repair: bool, dry_run: bool
) -> list[dict[str, Any]]:
    """Have volumes looked at; return the reports, each with its volume's id and name."""
    from manila_lite.cmd import acting, dispatch, waiting
    from manila_lite.cmd.volume_requests import look_at

    seen: list[Record] = []

    def prepare(connection: Connection) -> Prepared:
        seen[:], prepared = look_at(connection, names, repair=repair, dry_run=dry_run)
        return prepared

    sent: list[Sent] = dispatch.send(app, app.context(), prepare)
    acting.after_sending(app, sent, wait=False, timeout=None)
    rows = {row["uuid"]: row for row in waiting.wait_for(app, sent, timeout)}
    return [
        {
            "volume_id": volume["id"],
            "name": volume["display_name"],
            "findings": [],
            **(json.loads(rows[item.uuid]["result"] or "null") or {}),
        }
        for volume, item in zip(seen, sent, strict=True)
    ]


def _show(app: App, reports: Sequence[dict[str, Any]]) -> None:
    """Findings as a table, whole reports as JSON."""
    if app.output.as_json:
        app.output.json(list(reports))
        return
    findings = [
        {"volume_id": report["volume_id"], **finding}
        for report in reports
        for finding in report["findings"]
    ]
    app.output.rows(findings, _COLUMNS, _WELL)
