# SPDX-License-Identifier: Apache-2.0
"""manila-lite share and snapshot: manage what exists, let go of it, go back to a snapshot."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import acting
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import DisplayName, Pair, waits

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.db.records import Record

_MAX_LOCATION = 255
_MAX_PATH = 2000

_driver_options = click.option(
    "--driver-option",
    "driver_options",
    type=Pair(),
    multiple=True,
    metavar="KEY=VALUE",
    help="What the driver wants to know; repeatable.",
)


class _Location(click.ParamType):
    """Where something lies, on the storage or in an export: a text that fits its column."""

    name = "location"

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not 0 < len(text) <= self._longest or not text.isprintable():
            self.fail(f"must have 1 to {self._longest} printable characters", param, ctx)
        return text


@click.command()
@click.argument("export_path", type=_Location(_MAX_PATH))
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@click.option("--protocol", metavar="PROTOCOL", help="NFS, CIFS ...; else the first enabled one.")
@click.option("--type", "type_name", metavar="TYPE", help="Share type, by name or id.")
@click.option("--backend", metavar="SECTION", help="Back end, where several are enabled.")
@click.option("--host", metavar="HOST", help="Where in full: host@backend#pool.")
@_driver_options
@waits
@pass_app
def manage(
    app: App,
    export_path: str,
    name: str | None,
    description: str | None,
    protocol: str | None,
    type_name: str | None,
    backend: str | None,
    host: str | None,
    driver_options: Sequence[tuple[str, str]],
    wait: bool,
    timeout: float | None,
) -> None:
    """Manage a share that exists on the storage already, by its EXPORT_PATH.

    Its data stay as they are; the driver finds out its size. A driver may give it another export
    location.

    \b
    Examples:
      manila-lite share manage 10.0.0.5:/old --name music --wait
      manila-lite share manage /srv/shares/old --backend fast --driver-option size=20
    """
    from manila_lite.cmd import dispatch, manage_requests, share_commands
    from manila_lite.cmd.placement import choose_host
    from manila_lite.cmd.share_types import choose_type
    from manila_lite.db import reports

    known = {row["host"]: row["report"] for row in app.read(reports.listed)}
    context, now = app.context(), app.clock.now()
    wish = manage_requests.ManageWish(
        share_id=str(uuid.uuid4()),
        host=choose_host(app.conf, backend, host, known),
        share_proto=share_commands.protocol_of(app, protocol),
        export_path=export_path,
        driver_options=dict(driver_options),
        share_type=app.write(lambda c: choose_type(c, app.conf, type_name, now)),
        name=name,
        description=description,
    )
    sent = dispatch.send(
        app, context, lambda c: manage_requests.manage_share(c, context, wish, now)
    )
    acting.after_sending(app, sent, wait, timeout)
    share_commands.show_shares(app, [wish.share_id], sent)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@waits
@pass_app
def unmanage(app: App, names: Sequence[str], wait: bool, timeout: float | None) -> None:
    """Let go of shares; all that is in them stays on the storage.

    \b
    Example:
      manila-lite share unmanage music --wait
    """
    from manila_lite.cmd import manage_requests

    _unmanage(app, "share", names, manage_requests.unmanage_share, wait, timeout)


@click.command()
@click.argument("snapshot")
@waits
@pass_app
def revert(app: App, snapshot: str, wait: bool, timeout: float | None) -> None:
    """Set a share back to what its latest SNAPSHOT holds, data and size.

    What was written since then is lost. The snapshot stays.

    \b
    Example:
      manila-lite share revert monday --wait
    """
    from manila_lite.cmd import dispatch, manage_requests, share_commands

    now = app.clock.now()
    seen: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        found, prepared = manage_requests.revert_share(connection, snapshot, now)
        seen[:] = [found["id"]]
        return prepared

    sent = dispatch.send(app, app.context(), prepare)
    acting.after_sending(app, sent, wait, timeout)
    share_commands.show_shares(app, seen, sent)


@click.command("manage")
@click.argument("share")
@click.argument("provider_location", type=_Location(_MAX_LOCATION))
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@_driver_options
@waits
@pass_app
def manage_snapshot(
    app: App,
    share: str,
    provider_location: str,
    name: str | None,
    description: str | None,
    driver_options: Sequence[tuple[str, str]],
    wait: bool,
    timeout: float | None,
) -> None:
    """Manage a snapshot of SHARE that exists on the storage already, at PROVIDER_LOCATION.

    \b
    Example:
      manila-lite snapshot manage music vol1@monday --name monday --wait
    """
    from manila_lite.cmd import dispatch, manage_requests, snapshot_commands

    now, snapshot_id = app.clock.now(), str(uuid.uuid4())

    def prepare(connection: Connection) -> Prepared:
        return manage_requests.manage_snapshot(
            connection,
            share,
            snapshot_id,
            provider_location,
            dict(driver_options),
            now,
            name,
            description,
        )

    sent = dispatch.send(app, app.context(), prepare)
    acting.after_sending(app, sent, wait, timeout)
    snapshot_commands.show_snapshot(app, snapshot_id, sent)


@click.command("unmanage")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@waits
@pass_app
def unmanage_snapshot(app: App, names: Sequence[str], wait: bool, timeout: float | None) -> None:
    """Let go of snapshots; they stay on the storage.

    \b
    Example:
      manila-lite snapshot unmanage monday --wait
    """
    from manila_lite.cmd import manage_requests

    _unmanage(app, "snapshot", names, manage_requests.unmanage_snapshot, wait, timeout)


def _unmanage(
    app: App,
    kind: str,
    names: Sequence[str],
    request: Callable[..., tuple[Record, Prepared]],
    wait: bool,
    timeout: float | None,
) -> None:
    from manila_lite.cmd import dispatch

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for name in names:
        now = app.clock.now()
        seen: list[Record] = []

        def prepare(
            connection: Connection, name: str = name, now: Any = now, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = request(connection, name, now)
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, app.context(), prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    acting.tell_unmanaged(app, kind, gone, wait)
