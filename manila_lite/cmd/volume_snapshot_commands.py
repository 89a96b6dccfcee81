# SPDX-License-Identifier: Apache-2.0
"""manila-lite volume snapshot: keep a volume as it is now."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import acting
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import DisplayName, Group, limited, waits
from manila_lite.cmd.output import Column, age, short
from manila_lite.cmd.volume_views import view_snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.db.records import Record

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("volume_name", "Volume", fold=True),
    Column("volume_size", "GiB", right=True),
    Column("status", "Status"),
    Column("progress", "Progress", right=True),
    Column("age", "Age", right=True),
)


@click.group(cls=Group)
def snapshot() -> None:
    """Keep a volume as it is now.

    A snapshot is named by its id, its name, or the beginning of its id (6 characters or more). A
    volume that a guest has is snapshotted with Nova's help, so a Nova has to be configured.
    """


@snapshot.command()
@click.argument("volume")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@waits
@pass_app
def create(
    app: App,
    volume: str,
    name: str | None,
    description: str | None,
    wait: bool,
    timeout: float | None,
) -> None:
    """Make a snapshot of VOLUME.

    \b
    Example:
      manila-lite volume snapshot create disk --name monday --wait
    """
    from manila_lite.cmd import dispatch, volume_lookup, volume_requests

    context, now, snapshot_id = app.context(), app.clock.now(), str(uuid.uuid4())

    def prepare(connection: Connection) -> Prepared:
        return volume_requests.create_snapshot(
            connection, context, volume, snapshot_id, now, name, description
        )

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    made = app.read(lambda c: volume_lookup.snapshot(c, snapshot_id))
    app.output.record({**view_snapshot(made), "operation": sent[0].uuid})


@snapshot.command("list")
@click.option("--volume", help="Only snapshots of this volume.")
@click.option("--status", help="Only snapshots with this status.")
@limited
@pass_app
def list_snapshots(app: App, volume: str | None, status: str | None, limit: int) -> None:
    """List snapshots, the newest first.

    \b
    Examples:
      manila-lite volume snapshot list
      manila-lite volume snapshot list --volume disk
    """
    from manila_lite.cmd import volume_lookup
    from manila_lite.db import volume_snapshots

    def find(connection: Connection) -> list[Record]:
        volume_id = volume_lookup.volume(connection, volume)["id"] if volume else None
        return volume_snapshots.search(connection, volume_id=volume_id, status=status, most=limit)

    now = app.clock.now()
    keys = ("id", "volume_id", "volume_size", "status", "progress", "project_id", "created_at")
    rows = [
        {
            **{key: row[key] for key in keys},
            "name": row["display_name"],
            "volume_name": row["volume_display_name"] or row["volume_id"],
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
      manila-lite volume snapshot show monday
    """
    from manila_lite.cmd import volume_lookup

    app.output.record(view_snapshot(app.read(lambda c: volume_lookup.snapshot(c, name))))


@snapshot.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--force", is_flag=True, help="Whatever the status says.")
@waits
@pass_app
def delete(app: App, names: Sequence[str], force: bool, wait: bool, timeout: float | None) -> None:
    """Delete snapshots; the volume and the other snapshots keep their data.

    \b
    Examples:
      manila-lite volume snapshot delete monday
      manila-lite volume snapshot delete monday tuesday --wait
    """
    from manila_lite.cmd import dispatch, volume_requests

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for name in names:
        context, now = app.context(), app.clock.now()
        seen: list[Record] = []

        def prepare(
            connection: Connection, name: str = name, now: Any = now, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = volume_requests.delete_snapshot(connection, name, force, now)
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, context, prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_deleted(app, "snapshot", gone, wait)
