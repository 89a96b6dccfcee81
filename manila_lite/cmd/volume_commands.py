# SPDX-License-Identifier: Apache-2.0
"""manila-lite volume: make volumes, see them, grow them, delete them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import (
    acting,
    volume_movement_commands,
    volume_snapshot_commands,
    volume_upkeep_commands,
)
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import SIZE, DisplayName, Group, Pair, limited, waits
from manila_lite.cmd.output import Column, age, short
from manila_lite.cmd.volume_views import show_volume, view

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.cmd.volume_requests import VolumeWish
    from manila_lite.db.records import Record

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("size", "GiB", right=True),
    Column("status", "Status"),
    Column("host", "Host", fold=True),
    Column("age", "Age", right=True),
)


@click.group(cls=Group)
def volume() -> None:
    """Make volumes, see them, change them.

    A volume is named by its id, its name, or the beginning of its id (6 characters or more).
    """


@volume.command()
@click.option("--size", type=SIZE, metavar="GIB", help="GiB; without it, those of its source.")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@click.option("--type", "volume_type", metavar="TYPE", help="Volume type, by name or id.")
@click.option("--backend", metavar="SECTION", help="Back end, where several are enabled.")
@click.option("--host", metavar="HOST", help="Where in full: host@backend#pool.")
@click.option("--snapshot", metavar="SNAPSHOT", help="Fill it with what this snapshot holds.")
@click.option("--source", metavar="VOLUME", help="Fill it with what this volume holds.")
@click.option("--image", metavar="ID", help="Fill it with this image.")
@click.option("--multiattach", is_flag=True, help="Several may have it at the same time.")
@click.option("--metadata", type=Pair(), multiple=True, metavar="KEY=VALUE", help="Repeatable.")
@waits
@pass_app
def create(app: App, wait: bool, timeout: float | None, **options: Any) -> None:
    """Make a volume: empty, or filled from a snapshot, a volume or an image.

    \b
    Examples:
      manila-lite volume create --size 10 --name disk --wait
      manila-lite volume create --snapshot monday --name monday-again --wait
      manila-lite volume create --size 20 --image 6fd6b5a3-8d8e-4c1e-9d43-2f1f4c6f1a55 --name root
    """
    _create(app, wait, timeout, **options)


@volume.command()
@click.argument("source")
@click.option("--size", type=SIZE, metavar="GIB", help="GiB; without it, those of SOURCE.")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@waits
@pass_app
def clone(app: App, source: str, wait: bool, timeout: float | None, **options: Any) -> None:
    """Make a volume that holds what SOURCE holds now; the same as create --source.

    \b
    Example:
      manila-lite volume clone disk --name copy --wait
    """
    _create(app, wait, timeout, source=source, **options)


def _create(app: App, wait: bool, timeout: float | None, **options: Any) -> None:
    from manila_lite.cmd import dispatch, volume_requests

    wish = _wish(app, **options)
    context, now = app.context(), app.clock.now()
    sent = dispatch.send(
        app, context, lambda c: volume_requests.create_volume(c, context, wish, now)
    )
    acting.after_sending(app, sent, wait, timeout)
    show_volume(app, wish.volume_id, sent)


def _wish(
    app: App,
    *,
    backend: str | None = None,
    host: str | None = None,
    snapshot: str | None = None,
    source: str | None = None,
    metadata: Sequence[tuple[str, str]] = (),
    **rest: Any,
) -> VolumeWish:
    from manila_lite.cmd import placement
    from manila_lite.cmd.volume_requests import VolumeWish
    from manila_lite.db import reports

    place = ""
    # A volume that is made from another one goes where that is.
    if snapshot is None and source is None:
        known = {row["host"]: row["report"] for row in app.read(reports.listed)}
        place = placement.choose_host(app.conf, backend, host, known, placement.VOLUMES)
    return VolumeWish(
        volume_id=str(uuid.uuid4()),
        host=place,
        snapshot=snapshot,
        source=source,
        metadata=dict(metadata),
        zone=app.conf.storage_availability_zone,
        **rest,
    )


@volume.command("list")
@click.option("--status", help="Only volumes with this status.")
@click.option("--host", help="Only volumes on this host@backend, or host@backend#pool.")
@limited
@pass_app
def list_volumes(app: App, status: str | None, host: str | None, limit: int) -> None:
    """List volumes, the newest first.

    \b
    Examples:
      manila-lite volume list
      manila-lite volume list --status error
      manila-lite --json volume list --host here@files
    """
    from manila_lite.db import volumes

    now = app.clock.now()
    found = app.read(lambda c: volumes.search(c, host=host, status=status, most=limit))
    keys = ("id", "size", "status", "host", "attach_status", "project_id", "created_at")
    rows = [
        {
            **{key: row[key] for key in keys},
            "name": row["display_name"],
            "age": age(row["created_at"], now),
        }
        for row in found
    ]
    app.output.rows(rows, _COLUMNS, "No volumes.")


@volume.command()
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """Show a volume with its attachments.

    \b
    Example:
      manila-lite volume show disk
    """
    from manila_lite.cmd import volume_lookup

    app.output.record(view(app.read(lambda c: volume_lookup.volume(c, name))))


@volume.command()
@click.argument("name")
@click.argument("size", type=SIZE)
@waits
@pass_app
def extend(app: App, name: str, size: int, wait: bool, timeout: float | None) -> None:
    """Make a volume larger: SIZE is its new size in GiB.

    \b
    Example:
      manila-lite volume extend disk 20 --wait
    """
    from manila_lite.cmd import dispatch, volume_requests

    context, now = app.context(), app.clock.now()
    seen: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        found, prepared = volume_requests.extend_volume(connection, name, size, now)
        seen[:] = [found["id"]]
        return prepared

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    show_volume(app, seen[0], sent)


@volume.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--cascade", is_flag=True, help="With all snapshots.")
@click.option("--force", is_flag=True, help="Whatever the status says.")
@waits
@pass_app
def delete(
    app: App, names: Sequence[str], cascade: bool, force: bool, wait: bool, timeout: float | None
) -> None:
    """Delete volumes and all that is in them.

    \b
    Examples:
      manila-lite volume delete disk
      manila-lite volume delete old-1 old-2 --cascade --wait
      manila-lite volume delete broken --force
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
            found, prepared = volume_requests.delete_volume(connection, name, force, cascade, now)
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, context, prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_deleted(app, "volume", gone, wait)


for command in (
    volume_movement_commands.attach,
    volume_movement_commands.detach,
    volume_movement_commands.revert,
    volume_movement_commands.upload,
    volume_movement_commands.migrate,
    volume_upkeep_commands.check,
    volume_upkeep_commands.repair,
    volume_snapshot_commands.snapshot,
):
    volume.add_command(command)
