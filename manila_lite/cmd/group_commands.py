# SPDX-License-Identifier: Apache-2.0
"""manila-lite share-group: shares that belong together, and snapshots of all of them at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
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
    Column("shares", "Shares", right=True),
    Column("status", "Status"),
    Column("host", "Host", fold=True),
    Column("age", "Age", right=True),
)
_SNAPSHOT_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("share_group_name", "Share group", fold=True),
    Column("status", "Status"),
    Column("age", "Age", right=True),
)


@click.group("share-group", cls=Group)
def share_group() -> None:
    """Shares that belong together, and snapshots of all of them at once.

    A share group is named by its id, its name, or the beginning of its id (6 characters or more).
    """


@share_group.command()
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@click.option("--type", "type_name", metavar="TYPE", help="Type of its shares, by name or id.")
@click.option("--backend", metavar="SECTION", help="Back end, where several are enabled.")
@click.option("--host", metavar="HOST", help="Where in full: host@backend#pool.")
@click.option("--snapshot", metavar="SNAPSHOT", help="Make it, with its shares, from this one.")
@waits
@pass_app
def create(
    app: App,
    name: str | None,
    description: str | None,
    type_name: str | None,
    backend: str | None,
    host: str | None,
    snapshot: str | None,
    wait: bool,
    timeout: float | None,
) -> None:
    """Make a group without shares, or one with copies of the shares of a group snapshot.

    \b
    Examples:
      manila-lite share-group create --name database --wait
      manila-lite share create 10 --name data --share-group database --wait
      manila-lite share-group create --name copy --snapshot monday --wait
    """
    from manila_lite.cmd import dispatch, group_lookup, group_requests
    from manila_lite.cmd.placement import choose_host
    from manila_lite.cmd.share_types import choose_type
    from manila_lite.db import reports

    context, now, group_id = app.context(), app.clock.now(), str(uuid.uuid4())
    wish = group_requests.GroupWish(group_id, "", name, description, None, snapshot)
    if snapshot is None:
        known = {row["host"]: row["report"] for row in app.read(reports.listed)}
        place = choose_host(app.conf, backend, host, known)
        chosen = app.write(lambda c: choose_type(c, app.conf, type_name, now))
        wish = group_requests.GroupWish(group_id, place, name, description, chosen)
    sent = dispatch.send(app, context, lambda c: group_requests.create_group(c, context, wish, now))
    acting.after_sending(app, sent, wait, timeout)
    made = app.read(lambda c: group_lookup.group(c, group_id))
    app.output.record({**_view(made), "operation": sent[0].uuid})


@share_group.command("list")
@click.option("--status", help="Only groups with this status.")
@limited
@pass_app
def list_groups(app: App, status: str | None, limit: int) -> None:
    """List share groups, the newest first.

    \b
    Example:
      manila-lite share-group list
    """
    from manila_lite.cmd import group_lookup

    now = app.clock.now()
    names = ("id", "name", "status", "host", "project_id", "created_at")
    rows = [
        {
            **{name: row[name] for name in names},
            "shares": row["share_count"],
            "age": age(row["created_at"], now),
        }
        for row in app.read(lambda c: group_lookup.group_list(c, status=status, most=limit))
    ]
    app.output.rows(rows, _COLUMNS, "No share groups.")


@share_group.command()
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """Show a share group with the ids of its shares.

    \b
    Example:
      manila-lite share-group show database
    """
    from manila_lite.cmd import group_lookup

    app.output.record(_view(app.read(lambda c: group_lookup.group(c, name))))


@share_group.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@waits
@pass_app
def delete(app: App, names: Sequence[str], wait: bool, timeout: float | None) -> None:
    """Delete share groups that have neither shares nor snapshots.

    \b
    Example:
      manila-lite share-group delete database --wait
    """
    from manila_lite.cmd import group_requests

    _delete(app, names, "share group", group_requests.delete_group, wait, timeout)


def _delete(
    app: App,
    names: Sequence[str],
    kind: str,
    request: Callable[..., tuple[Record, Prepared]],
    wait: bool,
    timeout: float | None,
) -> None:
    from manila_lite.cmd import dispatch

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for name in names:
        context, now = app.context(), app.clock.now()
        seen: list[Record] = []

        def prepare(
            connection: Connection, name: str = name, now: Any = now, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = request(connection, name, now)
            seen[:] = [found.merged({"display_name": found["name"]})]
            return prepared

        accepted = dispatch.send(app, context, prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_deleted(app, kind, gone, wait)


def _view(found: Record) -> dict[str, Any]:
    """A share group as it is shown; the keys of ``--json`` do not change."""
    names = (
        "id", "name", "description", "status", "host", "project_id", "user_id",
        "share_network_id", "share_server_id", "consistent_snapshot_support",
        "source_share_group_snapshot_id", "created_at",
    )  # fmt: skip
    return {
        **{name: found[name] for name in names},
        "shares": [share["share_id"] for share in found["shares"]],
        "share_types": [mapping["share_type_id"] for mapping in found["share_types"]],
    }


# -- snapshots ---------------------------------------------------------------------------------


@share_group.group(cls=Group)
def snapshot() -> None:
    """Keep all shares of a group as they are now.

    Whether the shares are caught at the very same moment depends on the driver: see
    consistent_snapshot_support of the group.
    """


@snapshot.command("create")
@click.argument("group")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@waits
@pass_app
def create_snapshot(
    app: App,
    group: str,
    name: str | None,
    description: str | None,
    wait: bool,
    timeout: float | None,
) -> None:
    """Make a snapshot of each share of GROUP.

    \b
    Example:
      manila-lite share-group snapshot create database --name monday --wait
    """
    from manila_lite.cmd import dispatch, group_lookup, group_requests

    context, now, snapshot_id = app.context(), app.clock.now(), str(uuid.uuid4())

    def prepare(connection: Connection) -> Prepared:
        return group_requests.create_group_snapshot(
            connection, context, group, snapshot_id, now, name, description
        )

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    made = app.read(lambda c: group_lookup.group_snapshot(c, snapshot_id))
    app.output.record({**_snapshot_view(made), "operation": sent[0].uuid})


@snapshot.command("list")
@click.option("--share-group", "group", help="Only snapshots of this share group.")
@click.option("--status", help="Only snapshots with this status.")
@limited
@pass_app
def list_snapshots(app: App, group: str | None, status: str | None, limit: int) -> None:
    """List group snapshots, the newest first.

    \b
    Example:
      manila-lite share-group snapshot list --share-group database
    """
    from manila_lite.cmd import group_lookup

    def find(connection: Connection) -> list[dict[str, Any]]:
        group_id = group_lookup.group(connection, group)["id"] if group else None
        return group_lookup.snapshot_list(connection, group_id=group_id, status=status, most=limit)

    now = app.clock.now()
    names = ("id", "name", "share_group_id", "status", "project_id", "created_at")
    rows = [
        {
            **{name: row[name] for name in names},
            "share_group_name": row["group_name"] or row["share_group_id"],
            "age": age(row["created_at"], now),
        }
        for row in app.read(find)
    ]
    app.output.rows(rows, _SNAPSHOT_COLUMNS, "No group snapshots.")


@snapshot.command("show")
@click.argument("name")
@pass_app
def show_snapshot(app: App, name: str) -> None:
    """Show a group snapshot with its members.

    \b
    Example:
      manila-lite share-group snapshot show monday
    """
    from manila_lite.cmd import group_lookup

    app.output.record(_snapshot_view(app.read(lambda c: group_lookup.group_snapshot(c, name))))


@snapshot.command("delete")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@waits
@pass_app
def delete_snapshot(app: App, names: Sequence[str], wait: bool, timeout: float | None) -> None:
    """Delete group snapshots.

    \b
    Example:
      manila-lite share-group snapshot delete monday --wait
    """
    from manila_lite.cmd import group_requests

    _delete(app, names, "group snapshot", group_requests.delete_group_snapshot, wait, timeout)


def _snapshot_view(found: Record) -> dict[str, Any]:
    """A group snapshot as it is shown; the keys of ``--json`` do not change."""
    names = (
        "id", "name", "description", "share_group_id", "status", "project_id", "user_id",
        "created_at",
    )  # fmt: skip
    return {
        **{name: found[name] for name in names},
        "members": [
            {
                "id": member["id"],
                "share_id": member["share"]["share_id"] if member["share"] else None,
                "size": member["size"],
                "status": member["status"],
            }
            for member in found["share_group_snapshot_members"]
        ],
    }
