# SPDX-License-Identifier: Apache-2.0
"""manila-lite snapshot: keep a share as it is now."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import acting, manage_commands
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import DisplayName, Group, limited, waits
from manila_lite.cmd.output import Column, age, short

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.db.records import Record

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("share_name", "Share", fold=True),
    Column("size", "GiB", right=True),
    Column("status", "Status"),
    Column("progress", "Progress", right=True),
    Column("age", "Age", right=True),
)


@click.group(cls=Group)
def snapshot() -> None:
    """Keep a share as it is now.

    A snapshot is named by its id, its name, or the beginning of its id (6 characters or more).
    """


@snapshot.command()
@click.argument("share")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@waits
@pass_app
def create(
    app: App,
    share: str,
    name: str | None,
    description: str | None,
    wait: bool,
    timeout: float | None,
) -> None:
    """Make a snapshot of SHARE.

    \b
    Example:
      manila-lite snapshot create music --name monday --wait
    """
    from manila_lite.cmd import dispatch, requests

    context, now, snapshot_id = app.context(), app.clock.now(), str(uuid.uuid4())

    def prepare(connection: Connection) -> Prepared:
        return requests.create_snapshot(
            connection, context, share, snapshot_id, now, name, description
        )[1]

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    show_snapshot(app, snapshot_id, sent)


@snapshot.command("list")
@click.option("--share", help="Only snapshots of this share.")
@click.option("--status", help="Only snapshots with this status.")
@limited
@pass_app
def list_snapshots(app: App, share: str | None, status: str | None, limit: int) -> None:
    """List snapshots, the newest first.

    \b
    Examples:
      manila-lite snapshot list
      manila-lite snapshot list --share music
    """
    from manila_lite.cmd import lookup

    def find(connection: Connection) -> list[dict[str, Any]]:
        share_id = lookup.share(connection, share)["id"] if share else None
        return lookup.snapshot_list(connection, share_id=share_id, status=status, most=limit)

    now = app.clock.now()
    rows = [
        {
            "id": row["id"],
            "name": row["display_name"],
            "share_id": row["share_id"],
            "share_name": row["share_name"] or row["share_id"],
            "size": row["size"],
            "status": row["status"],
            "progress": row["progress"],
            "project_id": row["project_id"],
            "created_at": row["created_at"],
            "age": age(row["created_at"], now),
        }
        for row in app.read(find)
    ]
    app.output.rows(rows, _COLUMNS, "No snapshots.")


@snapshot.command()
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """Show a snapshot.

    \b
    Example:
      manila-lite snapshot show monday
    """
    from manila_lite.cmd import lookup

    app.output.record(_view(app.read(lambda c: lookup.snapshot(c, name))))


@snapshot.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--force", is_flag=True, help="Whatever the status says, and whatever the driver says of it."
)
@waits
@pass_app
def delete(app: App, names: Sequence[str], force: bool, wait: bool, timeout: float | None) -> None:
    """Delete snapshots.

    \b
    Examples:
      manila-lite snapshot delete monday
      manila-lite snapshot delete monday tuesday --wait
    """
    from manila_lite.cmd import dispatch, requests

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for name in names:
        context, now = app.context(), app.clock.now()
        seen: list[Record] = []

        def prepare(
            connection: Connection, name: str = name, now: Any = now, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = requests.delete_snapshot(connection, name, force, now)
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, context, prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_deleted(app, "snapshot", gone, wait)


def show_snapshot(app: App, snapshot_id: str, sent: Sequence[Sent]) -> None:
    """Show a snapshot with the operation that was asked for."""
    from manila_lite.cmd import lookup

    made = app.read(lambda c: lookup.snapshot(c, snapshot_id))
    app.output.record({**_view(made), "operation": sent[0].uuid})


def _view(found: Record) -> dict[str, Any]:
    """A snapshot as it is shown; the keys of ``--json`` do not change."""
    return {
        "id": found["id"],
        "name": found["display_name"],
        "description": found["display_description"],
        "share_id": found["share_id"],
        "size": found["size"],
        "share_proto": found["share_proto"],
        "export_locations": [e["path"] for e in found["export_locations"]],
        "status": found["status"],
        "progress": found["progress"],
        "project_id": found["project_id"],
        "user_id": found["user_id"],
        "instances": [item["id"] for item in found["instances"]],
        "created_at": found["created_at"],
    }


for command in (manage_commands.manage_snapshot, manage_commands.unmanage_snapshot):
    snapshot.add_command(command)
