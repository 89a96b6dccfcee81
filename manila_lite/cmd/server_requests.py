# SPDX-License-Identifier: Apache-2.0
"""What an API does about share servers between a request and its cast.

As :mod:`manila_lite.cmd.requests`: each function runs inside a transaction, and Refused means that
nothing was written.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping

from sqlalchemy.engine import Connection

from manila_lite import server_states
from manila_lite.cmd import server_lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.requests import set_status
from manila_lite.db import server_networks, share_server_changes, share_servers, types
from manila_lite.db.models import share_servers as table
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes


@dataclasses.dataclass(frozen=True)
class ManageWish:
    """A server that exists on the storage as ``identifier``; host: 'host@backend'."""

    identifier: str
    host: str
    zone: str
    share_network: str
    subnet_id: str | None
    driver_options: Mapping[str, str]


def delete_server(connection: Connection, name: str) -> tuple[Record, Prepared]:
    """Ask for a server's removal. Its status is changed where it is known that nothing is on it."""
    server = server_lookup.server(connection, name)
    _refuse_users(server)
    if server["status"] not in server_states.REMOVABLE:
        raise Refused(reason=f"share server {server['id']} is {server['status']}")
    # Not as a cast: that would carry the server's row over the broker, with all its secrets.
    arguments = {"share_server_id": server["id"]}
    request = Request("delete_share_server", server["host"], arguments, journaled=True)
    return server, Prepared([request])


def manage_server(
    connection: Connection, wish: ManageWish, now: datetime.datetime
) -> tuple[str, Prepared]:
    """Make the row of a server that exists, in 'manage_starting'; return its id."""
    network = server_lookup.network(connection, wish.share_network)
    subnet = _subnet(connection, network, wish, now)
    for known in share_servers.list_servers(connection, host=wish.host):
        if known["identifier"] == wish.identifier:
            raise Refused(reason=f"{wish.identifier} is share server {known['id']} already")
    server_id = share_server_changes.new_server(
        connection,
        now,
        host=wish.host,
        subnet_ids=[subnet["id"]],
        status=server_states.MANAGE_STARTING,
        identifier=wish.identifier,
        is_auto_deletable=False,
    )
    arguments = {
        "share_server_id": server_id,
        "identifier": wish.identifier,
        "driver_opts": dict(wish.driver_options),
    }
    old, new = server_states.MANAGE_STARTING, server_states.MANAGE_ERROR
    undo = functools.partial(set_status, table, server_id, old, new)
    return server_id, Prepared([Request("manage_share_server", wish.host, arguments)], undo)


def _subnet(
    connection: Connection, network: Record, wish: ManageWish, now: datetime.datetime
) -> Record:
    if wish.subnet_id is not None:
        for subnet in network["share_network_subnets"]:
            if subnet["id"].startswith(wish.subnet_id):
                return Record(subnet)
        raise Refused(reason=f"share network {network['id']} has no subnet {wish.subnet_id}")
    zone_id = types.ensure_zone(connection, wish.zone, now)
    found = server_networks.subnets_in_zone(connection, network["id"], zone_id)
    if len(found) != 1:
        raise Refused(
            reason=f"share network {network['id']} has {len(found)} subnets in availability zone "
            f"{wish.zone}; choose one with --subnet"
        )
    return found[0]


def unmanage_server(
    connection: Connection, name: str, force: bool, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a server into 'unmanage_starting', whatever is on the storage."""
    server = server_lookup.server(connection, name)
    _refuse_users(server)
    status, new = server["status"], server_states.UNMANAGE_STARTING
    if new not in server_states.TRANSITIONS.get(status, ()):
        raise Refused(reason=f"share server {server['id']} is {status}")
    execute_writes(connection, [share_server_changes.move(server["id"], status, new, now)])
    arguments = {"share_server_id": server["id"], "force": force}
    undo = functools.partial(set_status, table, server["id"], new, status)
    return server, Prepared([Request("unmanage_share_server", server["host"], arguments)], undo)


def _refuse_users(server: Record) -> None:
    users = [*server["shares"], *server["share_groups"]]
    if users:
        some = ", ".join(users[:3]) + (" ..." if len(users) > 3 else "")
        raise Refused(reason=f"share server {server['id']} is in use: {some}")
