# SPDX-License-Identifier: Apache-2.0
"""manila-lite share-server: what shares on networks of projects stand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import acting
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import Group, Pair, limited, waits
from manila_lite.cmd.output import Column, age, short

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.db.records import Record

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("host", "Host", fold=True),
    Column("status", "Status"),
    Column("share_network_id", "Share network", show=short),
    Column("addresses", "Addresses", show=", ".join),
    Column("shares", "Shares", right=True),
    Column("age", "Age", right=True),
)


@click.group(cls=Group)
def share_server() -> None:
    """What shares on networks of projects stand on.

    The service makes and removes share servers by itself. A server is named by its id, or by the
    beginning of its id (6 characters or more).
    """


@share_server.command("list")
@click.option("--host", help="Only those of this host@backend.")
@click.option("--status", help="Only those with this status.")
@limited
@pass_app
def list_servers(app: App, host: str | None, status: str | None, limit: int) -> None:
    """List share servers, the newest first.

    \b
    Examples:
      manila-lite share-server list
      manila-lite share-server list --status error
    """
    from manila_lite.cmd import server_lookup

    now = app.clock.now()
    found = app.read(lambda c: server_lookup.server_list(c, host=host, status=status, most=limit))
    rows = [
        {
            "id": row["id"],
            "host": row["host"],
            "status": row["status"],
            "share_network_id": row["share_network_id"],
            "addresses": _addresses(row),
            "shares": row["share_count"],
            "project_id": row["project_id"],
            "created_at": row["created_at"],
            "age": age(row["created_at"], now),
        }
        for row in found
    ]
    app.output.rows(rows, _COLUMNS, "No share servers.")


@share_server.command()
@click.argument("server")
@pass_app
def show(app: App, server: str) -> None:
    """Show a share server.

    Of the details that its driver keeps only the names are shown: they may hold passwords.

    \b
    Example:
      manila-lite share-server show 1f0c2d
    """
    from manila_lite.cmd import server_lookup

    app.output.record(_view(app.read(lambda c: server_lookup.server(c, server))))


@share_server.command()
@click.argument("servers", nargs=-1, required=True, metavar="SERVER...")
@waits
@pass_app
def delete(app: App, servers: Sequence[str], wait: bool, timeout: float | None) -> None:
    """Delete share servers that nothing is on.

    \b
    Example:
      manila-lite share-server delete 1f0c2d --wait
    """
    from manila_lite.cmd import server_requests

    gone = _each(app, servers, server_requests.delete_server, wait, timeout)
    acting.tell_deleted(app, "share server", gone, wait)


@share_server.command()
@click.argument("identifier")
@click.option("--share-network", required=True, metavar="NETWORK", help="The network it is on.")
@click.option("--subnet", metavar="ID", help="Its subnet, where the network has several.")
@click.option("--backend", metavar="SECTION", help="Back end, where several are enabled.")
@click.option("--host", metavar="HOST", help="Where in full: host@backend.")
@click.option(
    "--driver-option",
    "driver_options",
    type=Pair(),
    multiple=True,
    metavar="KEY=VALUE",
    help="What the driver wants to know; repeatable.",
)
@waits
@pass_app
def manage(
    app: App,
    identifier: str,
    share_network: str,
    subnet: str | None,
    backend: str | None,
    host: str | None,
    driver_options: Sequence[tuple[str, str]],
    wait: bool,
    timeout: float | None,
) -> None:
    """Manage a share server that is on the storage already, as IDENTIFIER.

    \b
    Example:
      manila-lite share-server manage vserver7 --share-network office --wait
    """
    from manila_lite.cmd import dispatch, server_lookup, server_requests
    from manila_lite.cmd.placement import choose_host

    where = choose_host(app.conf, backend, host, {}).partition("#")[0]
    wish = server_requests.ManageWish(
        identifier=identifier,
        host=where,
        zone=_zone(app, where),
        share_network=share_network,
        subnet_id=subnet,
        driver_options=dict(driver_options),
    )
    now = app.clock.now()
    made: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        server_id, prepared = server_requests.manage_server(connection, wish, now)
        made[:] = [server_id]
        return prepared

    sent = dispatch.send(app, app.context(), prepare)
    acting.after_sending(app, sent, wait, timeout)
    found = app.read(lambda c: server_lookup.server(c, made[0]))
    app.output.record({**_view(found), "operation": sent[0].uuid})


@share_server.command()
@click.argument("servers", nargs=-1, required=True, metavar="SERVER...")
@click.option("--force", is_flag=True, help="Also where the driver cannot let go of servers.")
@waits
@pass_app
def unmanage(
    app: App, servers: Sequence[str], force: bool, wait: bool, timeout: float | None
) -> None:
    """Let go of share servers; they stay on the storage.

    \b
    Example:
      manila-lite share-server unmanage 1f0c2d --wait
    """
    from manila_lite.cmd import server_requests

    def request(connection: Connection, name: str) -> tuple[Record, Prepared]:
        return server_requests.unmanage_server(connection, name, force, app.clock.now())

    gone = _each(app, servers, request, wait, timeout)
    acting.tell_unmanaged(app, "share server", gone, wait)


def _each(
    app: App,
    names: Sequence[str],
    request: Callable[[Connection, str], tuple[Record, Prepared]],
    wait: bool,
    timeout: float | None,
) -> list[dict[str, Any]]:
    """Send a request about each server; return them as ``--json`` shows what is gone."""
    from manila_lite.cmd import dispatch

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for name in names:
        seen: list[Record] = []

        def prepare(
            connection: Connection, name: str = name, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = request(connection, name)
            seen[:] = [found.merged({"display_name": found["identifier"]})]
            return prepared

        accepted = dispatch.send(app, app.context(), prepare)
        sent += accepted
        gone += [acting.deletion(found, accepted) for found in seen]
    acting.after_sending(app, sent, wait, timeout)
    return gone


def _zone(app: App, host: str) -> str:
    from manila_lite.conf.sections import Section

    section = Section(app.conf, host.partition("@")[2])
    own = section.read("backend_availability_zone") if section.name in app.conf else None
    return str(own or app.conf.storage_availability_zone)


def _addresses(server: Record) -> list[str]:
    return [allocation["ip_address"] or "?" for allocation in server["network_allocations"]]


def _view(found: Record) -> dict[str, Any]:
    """A share server as it is shown; the keys of ``--json`` do not change."""
    return {
        "id": found["id"],
        "identifier": found["identifier"],
        "host": found["host"],
        "status": found["status"],
        "share_network_id": found["share_network_id"],
        "share_network_subnet_ids": found["share_network_subnet_ids"],
        "project_id": found["project_id"],
        "addresses": _addresses(found),
        "details": sorted(found["backend_details"]),
        "is_auto_deletable": found["is_auto_deletable"],
        "shares": found["shares"],
        "share_groups": found["share_groups"],
        "created_at": found["created_at"],
        "updated_at": found["updated_at"],
    }
