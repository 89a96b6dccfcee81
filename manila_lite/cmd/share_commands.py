# SPDX-License-Identifier: Apache-2.0
"""manila-lite share: make shares, see them, change them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite import exception
from manila_lite.cmd import acting, manage_commands
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import SIZE, DisplayName, Group, Pair, limited, waits
from manila_lite.cmd.output import Column, age, short

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.cmd.requests import ShareWish
    from manila_lite.db.records import Record

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("size", "GiB", right=True),
    Column("share_proto", "Protocol"),
    Column("status", "Status"),
    Column("host", "Host", fold=True),
    Column("age", "Age", right=True),
)


@click.group(cls=Group)
def share() -> None:
    """Make shares, see them, change them.

    A share is named by its id, its name, or the beginning of its id (6 characters or more).
    """


@share.command()
@click.argument("size", type=SIZE)
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@click.option("--protocol", metavar="PROTOCOL", help="NFS, CIFS ...; else the first enabled one.")
@click.option("--type", "type_name", metavar="TYPE", help="Share type, by name or id.")
@click.option("--backend", metavar="SECTION", help="Back end, where several are enabled.")
@click.option("--host", metavar="HOST", help="Where in full: host@backend#pool.")
@click.option("--snapshot", metavar="SNAPSHOT", help="Fill it with what this snapshot holds.")
@click.option("--share-group", metavar="GROUP", help="Make it one of this share group.")
@click.option("--share-network", metavar="NETWORK", help="Network of a project to reach it from.")
@click.option("--metadata", type=Pair(), multiple=True, metavar="KEY=VALUE", help="Repeatable.")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=1,
    help="Make several at once; their names end in -1, -2 ...",
)
@waits
@pass_app
def create(app: App, size: int, wait: bool, timeout: float | None, **options: Any) -> None:
    """Make a share of SIZE GiB.

    \b
    Examples:
      manila-lite share create 1 --name music --wait
      manila-lite share create 10 --name copy --snapshot monday --wait --timeout 60
      manila-lite share create 5 --backend fast --metadata owner=me
    """
    from manila_lite.cmd import dispatch, requests

    wishes = _wishes(app, size, **options)
    sent: list[Sent] = []
    for wish in wishes:
        context, now = app.context(), app.clock.now()

        def prepare(
            connection: Connection, wish: ShareWish = wish, context: Any = context, now: Any = now
        ) -> Prepared:
            return requests.create_share(connection, context, wish, now)

        sent += dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    show_shares(app, [wish.share_id for wish in wishes], sent)


def _wishes(
    app: App,
    size: int,
    *,
    name: str | None,
    protocol: str | None,
    type_name: str | None,
    backend: str | None,
    host: str | None,
    metadata: Sequence[tuple[str, str]],
    count: int,
    description: str | None,
    snapshot: str | None,
    share_group: str | None,
    share_network: str | None,
) -> list[ShareWish]:
    from manila_lite.cmd.placement import choose_host
    from manila_lite.cmd.requests import ShareWish
    from manila_lite.cmd.share_types import choose_type
    from manila_lite.db import reports

    place = ""
    # A share that is made from a snapshot goes where the snapshot is, one of a group to the group.
    if snapshot is None and share_group is None:
        known = {row["host"]: row["report"] for row in app.read(reports.listed)}
        place = choose_host(app.conf, backend, host, known)
    share_type = app.write(lambda c: choose_type(c, app.conf, type_name, app.clock.now()))
    return [
        ShareWish(
            share_id=str(uuid.uuid4()),
            host=place,
            size=size,
            share_proto=protocol_of(app, protocol),
            name=f"{name}-{number}" if name and count > 1 else name,
            description=description,
            metadata=dict(metadata),
            share_type=share_type,
            snapshot=snapshot,
            share_group=share_group,
            share_network=share_network,
        )
        for number in range(1, count + 1)
    ]


def protocol_of(app: App, wanted: str | None) -> str:
    """The protocol that is asked for, if it is enabled; else the first enabled one."""
    enabled = [protocol.upper() for protocol in app.conf.enabled_share_protocols]
    if wanted is None:
        return enabled[0] if enabled else "NFS"
    if wanted.upper() not in enabled:
        raise exception.InvalidInput(
            reason=f"protocol {wanted!r} is not enabled; there are: {', '.join(enabled)}"
        )
    return wanted.upper()


@share.command("list")
@click.option("--status", help="Only shares with this status.")
@click.option("--host", help="Only shares on this host@backend, or host@backend#pool.")
@limited
@pass_app
def list_shares(app: App, status: str | None, host: str | None, limit: int) -> None:
    """List shares, the newest first.

    \b
    Examples:
      manila-lite share list
      manila-lite share list --status error
      manila-lite --json share list --host here@local
    """
    from manila_lite.cmd import lookup

    now = app.clock.now()
    found = app.read(lambda c: lookup.share_list(c, host=host, status=status, most=limit))
    rows = [
        {
            "id": row["id"],
            "name": row["display_name"],
            "size": row["size"],
            "share_proto": row["share_proto"],
            "status": row["status"],
            "host": row["host"],
            "project_id": row["project_id"],
            "created_at": row["created_at"],
            "age": age(row["created_at"], now),
        }
        for row in found
    ]
    app.output.rows(rows, _COLUMNS, "No shares.")


@share.command()
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """Show a share with its export locations.

    \b
    Example:
      manila-lite share show music
    """
    from manila_lite.cmd import lookup

    app.output.record(_view(app.read(lambda c: lookup.share(c, name))))


@share.command()
@click.argument("name")
@click.argument("size", type=SIZE)
@waits
@pass_app
def extend(app: App, name: str, size: int, wait: bool, timeout: float | None) -> None:
    """Make a share larger: SIZE is its new size in GiB.

    \b
    Example:
      manila-lite share extend music 20 --wait
    """
    _resize(app, name, size, True, wait, timeout)


@share.command()
@click.argument("name")
@click.argument("size", type=SIZE)
@waits
@pass_app
def shrink(app: App, name: str, size: int, wait: bool, timeout: float | None) -> None:
    """Make a share smaller: SIZE is its new size in GiB.

    A driver refuses where more than that is in use. The share is as it was then, with the status
    shrinking_possible_data_loss_error.

    \b
    Example:
      manila-lite share shrink music 5 --wait
    """
    _resize(app, name, size, False, wait, timeout)


def _resize(app: App, name: str, size: int, grow: bool, wait: bool, timeout: float | None) -> None:
    from manila_lite.cmd import dispatch, requests

    context, now = app.context(), app.clock.now()
    seen: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        found, prepared = requests.resize_share(connection, name, size, grow, now)
        seen[:] = [found["id"]]
        return prepared

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    show_shares(app, seen, sent)


@share.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--force", is_flag=True, help="Whatever the status says, and whatever the driver says of it."
)
@click.option("--share-group", metavar="GROUP", help="For shares of a group: which one.")
@waits
@pass_app
def delete(
    app: App,
    names: Sequence[str],
    force: bool,
    share_group: str | None,
    wait: bool,
    timeout: float | None,
) -> None:
    """Delete shares and all that is in them.

    \b
    Examples:
      manila-lite share delete music
      manila-lite share delete old-1 old-2 --wait
      manila-lite share delete broken --force
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
            found, prepared = requests.delete_share(connection, name, force, now, share_group)
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, context, prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_deleted(app, "share", gone, wait)


def show_shares(app: App, ids: Sequence[str], sent: Sequence[Sent]) -> None:
    """One share as a record, several as a list."""
    from manila_lite.cmd import lookup

    found = app.read(lambda c: [lookup.share(c, share_id) for share_id in ids])
    views = [
        {**_view(item), "operation": accepted.uuid}
        for item, accepted in zip(found, sent, strict=True)
    ]
    if len(views) == 1:
        app.output.record(views[0])
        return
    now = app.clock.now()
    app.output.rows(
        [{**view, "age": age(view["created_at"], now)} for view in views], _COLUMNS, "No shares."
    )


def _view(found: Record) -> dict[str, Any]:
    """A share as it is shown; the keys of ``--json`` do not change."""
    instance = found["instance"] or {}
    return {
        "id": found["id"],
        "name": found["display_name"],
        "description": found["display_description"],
        "size": found["size"],
        "status": found["status"],
        "share_proto": found["share_proto"],
        "export_locations": [e["path"] for e in instance.get("export_locations") or ()],
        "host": found["host"],
        "availability_zone": found["availability_zone"],
        "project_id": found["project_id"],
        "user_id": found["user_id"],
        "share_type_id": found["share_type_id"],
        "snapshot_id": found["snapshot_id"],
        "share_group_id": found["share_group_id"],
        "progress": found["progress"],
        "metadata": dict(instance.get("metadata") or {}),
        "instances": [item["id"] for item in found["instances"]],
        "created_at": found["created_at"],
    }


for command in (manage_commands.manage, manage_commands.unmanage, manage_commands.revert):
    share.add_command(command)
