# SPDX-License-Identifier: Apache-2.0
"""manila-lite share-network and security-service: what share servers are made on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import DisplayName, Group
from manila_lite.cmd.output import Column, age, short

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_NETWORK_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("status", "Status"),
    Column("subnets", "Subnets", right=True),
    Column("project_id", "Project", fold=True),
    Column("age", "Age", right=True),
)
_SUBNET_COLUMNS = (
    Column("id", "Id", show=short),
    Column("availability_zone", "Zone"),
    Column("network_type", "Type"),
    Column("segmentation_id", "Segment", right=True),
    Column("cidr", "CIDR"),
    Column("gateway", "Gateway"),
    Column("neutron_subnet_id", "Neutron subnet", show=short),
)
_SERVICE_COLUMNS = (
    Column("id", "Id", show=short),
    Column("name", "Name", fold=True),
    Column("type", "Type"),
    Column("server", "Server", fold=True),
    Column("domain", "Domain", fold=True),
    Column("project_id", "Project", fold=True),
)
_NETWORK_KEYS = ("id", "name", "status", "subnets", "project_id", "created_at")
_SERVICE_KEYS = ("id", "name", "type", "server", "domain", "dns_ip", "project_id", "created_at")


def _of_subnet(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what describes a new subnet."""
    options = (
        click.option("--zone", metavar="ZONE", help="Only for this availability zone."),
        click.option("--neutron-net", metavar="ID", help="Neutron network of the subnet."),
        click.option("--neutron-subnet", metavar="ID", help="Subnet of that Neutron network."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("share-network", cls=Group)
def share_network() -> None:
    """Networks of projects, on which drivers make share servers.

    A share network is named by its id, its name, or the beginning of its id (6 characters or
    more). Where its addresses come from is the matter of the back end's network plugin.
    """


@share_network.command("create")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@_of_subnet
@pass_app
def create_network(
    app: App,
    name: str | None,
    description: str | None,
    zone: str | None,
    neutron_net: str | None,
    neutron_subnet: str | None,
) -> None:
    """Make a share network with its first subnet.

    \b
    Examples:
      manila-lite share-network create --name tenant
      manila-lite share-network create --name tenant --neutron-net ID --neutron-subnet ID
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    now = app.clock.now()

    def work(connection: Connection) -> dict[str, Any]:
        zone_id = network_lookup.zone_id(connection, zone)
        network_id = share_networks.new_network(
            connection, now, project_id=app.project_id, user_id=app.user_id,
            name=name, description=description,
        )  # fmt: skip
        share_networks.new_subnet(
            connection, now, network_id=network_id, zone_id=zone_id,
            neutron_net_id=neutron_net, neutron_subnet_id=neutron_subnet,
        )  # fmt: skip
        return network_lookup.network_view(connection, network_id)

    app.output.record(app.write(work))


@share_network.command("list")
@click.option("--project", metavar="ID", help="Only those of this project.")
@pass_app
def list_networks(app: App, project: str | None) -> None:
    """List share networks, the newest first.

    \b
    Example:
      manila-lite share-network list
    """
    from manila_lite.db import share_networks

    now = app.clock.now()
    found = app.read(lambda c: share_networks.list_networks(c, project))
    rows = [
        {**{key: row[key] for key in _NETWORK_KEYS}, "age": age(row["created_at"], now)}
        for row in found
    ]
    app.output.rows(rows, _NETWORK_COLUMNS, "No share networks.")


@share_network.command("show")
@click.argument("network")
@pass_app
def show_network(app: App, network: str) -> None:
    """Show a share network with its subnets and security services.

    \b
    Example:
      manila-lite share-network show tenant
    """
    from manila_lite.cmd import network_lookup

    app.output.record(app.read(lambda c: network_lookup.network_view(c, network)))


@share_network.command("delete")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@pass_app
def delete_network(app: App, networks: Sequence[str]) -> None:
    """Delete share networks that nothing is on.

    \b
    Example:
      manila-lite share-network delete tenant
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    for name in networks:

        def work(connection: Connection, name: str = name) -> str:
            found = str(network_lookup.network(connection, name)["id"])
            share_networks.delete_network(connection, found, app.clock.now())
            return found

        app.output.say(f"Share network {app.write(work)} is deleted.")


@share_network.group(cls=Group)
def subnet() -> None:
    """Subnets of a share network: one for all availability zones, or one in each."""


@subnet.command("add")
@click.argument("network")
@_of_subnet
@pass_app
def add_subnet(
    app: App,
    network: str,
    zone: str | None,
    neutron_net: str | None,
    neutron_subnet: str | None,
) -> None:
    """Add a subnet to a share network.

    \b
    Example:
      manila-lite share-network subnet add tenant --zone east
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    def work(connection: Connection) -> dict[str, Any]:
        found = network_lookup.network(connection, network)
        subnet_id = share_networks.new_subnet(
            connection, app.clock.now(), network_id=found["id"],
            zone_id=network_lookup.zone_id(connection, zone),
            neutron_net_id=neutron_net, neutron_subnet_id=neutron_subnet,
        )  # fmt: skip
        subnets = network_lookup.network_view(connection, found["id"])["subnets"]
        return next(row for row in subnets if row["id"] == subnet_id)

    app.output.record(app.write(work))


@subnet.command("list")
@click.argument("network")
@pass_app
def list_subnets(app: App, network: str) -> None:
    """List the subnets of a share network.

    \b
    Example:
      manila-lite share-network subnet list tenant
    """
    from manila_lite.cmd import network_lookup

    found = app.read(lambda c: network_lookup.network_view(c, network))
    app.output.rows(found["subnets"], _SUBNET_COLUMNS, "No subnets.")


@subnet.command("remove")
@click.argument("network")
@click.argument("subnet_id", metavar="SUBNET")
@pass_app
def remove_subnet(app: App, network: str, subnet_id: str) -> None:
    """Remove a subnet from a share network: one that no share server is on.

    \b
    Example:
      manila-lite share-network subnet remove tenant 1f0c2d
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    def work(connection: Connection) -> str:
        found = network_lookup.network(connection, network)
        row = network_lookup.subnet(connection, found["id"], subnet_id)
        share_networks.delete_subnet(connection, row["id"], app.clock.now())
        return str(row["id"])

    app.output.say(f"Share network subnet {app.write(work)} is removed.")


@click.group("security-service", cls=Group)
def security_service() -> None:
    """Directories of users (LDAP, Kerberos, Active Directory) that share servers join."""


@security_service.command("create")
@click.argument("kind", metavar="TYPE")
@click.option("--name", type=DisplayName(), help="Name to find it by.")
@click.option("--description", type=DisplayName(), help="A note for people.")
@click.option("--dns-ip", metavar="ADDRESS", help="DNS server of the project's network.")
@click.option("--server", metavar="HOST", help="Host or address of the service.")
@click.option("--domain", metavar="DOMAIN", help="Domain of the service.")
@click.option("--ou", metavar="OU", help="Organizational unit of the share servers.")
@click.option("--default-ad-site", metavar="SITE", help="Site of an Active Directory.")
@click.option("--user", metavar="USER", help="User by which share servers join.")
@click.option(
    "--password-file",
    type=click.File(),
    help="File whose first line is the user's password; '-' is standard input.",
)
@pass_app
def create_service(
    app: App, kind: str, password_file: IO[str] | None, **columns: str | None
) -> None:
    """Make a security service; TYPE is ldap, kerberos or active_directory.

    \b
    Example:
      manila-lite security-service create ldap --name people --server 10.0.0.9 --user join \\
          --password-file secret.txt
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    password = password_file.readline().rstrip("\r\n") if password_file is not None else None

    def work(connection: Connection) -> dict[str, Any]:
        service_id = share_networks.new_security_service(
            connection, app.clock.now(), project_id=app.project_id, kind=kind,
            password=password, **columns,
        )  # fmt: skip
        found = network_lookup.security_service(connection, service_id)
        return network_lookup.service_view(connection, found)

    app.output.record(app.write(work))


@security_service.command("list")
@click.option("--project", metavar="ID", help="Only those of this project.")
@pass_app
def list_services(app: App, project: str | None) -> None:
    """List security services, the newest first.

    \b
    Example:
      manila-lite security-service list
    """
    from manila_lite.db import share_networks

    found = app.read(lambda c: share_networks.list_security_services(c, project))
    rows = [{key: row[key] for key in _SERVICE_KEYS} for row in found]
    app.output.rows(rows, _SERVICE_COLUMNS, "No security services.")


@security_service.command("show")
@click.argument("service")
@pass_app
def show_service(app: App, service: str) -> None:
    """Show a security service with the share networks that it is attached to.

    \b
    Example:
      manila-lite security-service show people
    """
    from manila_lite.cmd import network_lookup

    def work(connection: Connection) -> dict[str, Any]:
        found = network_lookup.security_service(connection, service)
        return network_lookup.service_view(connection, found)

    app.output.record(app.read(work))


@security_service.command("delete")
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@pass_app
def delete_service(app: App, services: Sequence[str]) -> None:
    """Delete security services that are attached to no share network.

    \b
    Example:
      manila-lite security-service delete people
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    for name in services:

        def work(connection: Connection, name: str = name) -> str:
            found = str(network_lookup.security_service(connection, name)["id"])
            share_networks.delete_security_service(connection, found, app.clock.now())
            return found

        app.output.say(f"Security service {app.write(work)} is deleted.")


@security_service.command()
@click.argument("service")
@click.argument("network")
@pass_app
def attach(app: App, service: str, network: str) -> None:
    """Attach a security service to a share network: share servers that are made join it.

    \b
    Example:
      manila-lite security-service attach people tenant
    """
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    def work(connection: Connection) -> dict[str, Any]:
        found = network_lookup.security_service(connection, service)
        place = network_lookup.network(connection, network)
        share_networks.attach(connection, place["id"], found, app.clock.now())
        return network_lookup.network_view(connection, place["id"])

    app.output.record(app.write(work))


@security_service.command()
@click.argument("service")
@click.argument("network")
@pass_app
def detach(app: App, service: str, network: str) -> None:
    """Detach a security service from a share network.

    \b
    Example:
      manila-lite security-service detach people tenant
    """
    from manila_lite import exception
    from manila_lite.cmd import network_lookup
    from manila_lite.db import share_networks

    def work(connection: Connection) -> dict[str, Any]:
        found = network_lookup.security_service(connection, service)
        place = network_lookup.network(connection, network)
        if not share_networks.detach(connection, place["id"], found["id"], app.clock.now()):
            raise exception.SecurityServiceNotFound(
                f"Security service {found['id']} is not attached to network {place['id']}."
            )
        return network_lookup.network_view(connection, place["id"])

    app.output.record(app.write(work))
