# SPDX-License-Identifier: Apache-2.0
"""manila-lite share backup: keep a share elsewhere, and set it back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import acting
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


@click.group("backup", cls=Group)
def share_backup() -> None:
    """Keep a share elsewhere, and set it back.

    A backup is named by its id, its name, or the beginning of its id (6 characters or more).
    """


@share_backup.command()
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
    """Make a backup of SHARE.

    \b
    Example:
      manila-lite share backup create music --name monday --wait
    """
    from manila_lite.cmd import backup_requests, dispatch

    context, now, backup_id = app.context(), app.clock.now(), str(uuid.uuid4())
    topic = str(app.conf.share_topic)

    def prepare(connection: Connection) -> Prepared:
        return backup_requests.create_backup(
            connection, context, share, backup_id, topic, now, name, description
        )

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    _show(app, backup_id, sent)


@share_backup.command("list")
@click.option("--share", help="Only backups of this share.")
@click.option("--status", help="Only backups with this status.")
@limited
@pass_app
def list_backups(app: App, share: str | None, status: str | None, limit: int) -> None:
    """List backups, the newest first.

    \b
    Examples:
      manila-lite share backup list
      manila-lite share backup list --share music
    """
    from manila_lite.cmd import backup_requests, lookup

    def find(connection: Connection) -> list[dict[str, Any]]:
        share_id = lookup.share(connection, share)["id"] if share else None
        return backup_requests.backup_list(connection, share_id=share_id, status=status, most=limit)

    now = app.clock.now()
    rows = [
        {
            **_view(row),
            "share_name": row["share_name"] or row["share_id"],
            "progress": _progress(row),
            "age": age(row["created_at"], now),
        }
        for row in app.read(find)
    ]
    app.output.rows(rows, _COLUMNS, "No backups.")


@share_backup.command()
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """Show a backup.

    \b
    Example:
      manila-lite share backup show monday
    """
    from manila_lite.cmd import backup_requests

    app.output.record(_view(app.read(lambda c: backup_requests.backup(c, name))))


@share_backup.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@waits
@pass_app
def delete(app: App, names: Sequence[str], wait: bool, timeout: float | None) -> None:
    """Delete backups.

    \b
    Example:
      manila-lite share backup delete monday tuesday --wait
    """
    from manila_lite.cmd import backup_requests, dispatch

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for name in names:
        seen: list[Record] = []

        def prepare(
            connection: Connection, name: str = name, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = backup_requests.delete_backup(connection, name, app.clock.now())
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, app.context(), prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_deleted(app, "backup", gone, wait)


@share_backup.command()
@click.argument("name")
@click.option("--share", help="Restore into this share, where the driver can; else its own one.")
@waits
@pass_app
def restore(app: App, name: str, share: str | None, wait: bool, timeout: float | None) -> None:
    """Set a share back to a backup. What it holds now is lost.

    \b
    Examples:
      manila-lite share backup restore monday --wait
      manila-lite share backup restore monday --share other --wait
    """
    from manila_lite.cmd import backup_requests, dispatch

    now = app.clock.now()

    def prepare(connection: Connection) -> Prepared:
        return backup_requests.restore_backup(connection, name, share, now)[1]

    sent = dispatch.send(app, app.context(), prepare)
    acting.after_sending(app, sent, wait, timeout)
    _show(app, name, sent)


def _show(app: App, name: str, sent: Sequence[Sent]) -> None:
    """Show a backup with the operation that was asked for."""
    from manila_lite.cmd import backup_requests

    found = app.read(lambda c: backup_requests.backup(c, name))
    app.output.record({**_view(found), "operation": sent[0].uuid})


def _progress(row: Mapping[str, Any]) -> str | None:
    """How far what is being done with it is; as rows have it, without the sign."""
    shown = row["restore_progress"] if row["status"] == "restoring" else row["progress"]
    return None if shown is None else f"{str(shown).removesuffix('%')}%"


def _view(found: Mapping[str, Any]) -> dict[str, Any]:
    """A backup as it is shown; the keys of ``--json`` do not change."""
    return {
        "id": found["id"],
        "name": found["display_name"],
        "description": found["display_description"],
        "share_id": found["share_id"],
        "size": found["size"],
        "status": found["status"],
        "progress": found["progress"],
        "restore_progress": found["restore_progress"],
        "fail_reason": found["fail_reason"],
        "host": found["host"],
        "backup_type": found["backup_type"],
        "project_id": found["project_id"],
        "user_id": found["user_id"],
        "created_at": found["created_at"],
    }
