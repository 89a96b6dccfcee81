# SPDX-License-Identifier: Apache-2.0
"""Which share server a new share or share group goes to: an existing one, or a new one.

The driver is asked outside of any transaction; what it chose, or that it chose nothing, is then
carried out in one transaction that looks again. Transactions that make servers on the same subnet
wait for each other, and a server that is being deleted is not to be had.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import exception, server_states
from manila_lite.db import (
    server_networks,
    share_server_changes,
    share_servers,
)
from manila_lite.db.records import Record
from manila_lite.engine import Operation, Pending, Schedule
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting, common
from manila_lite.share.flows.servers.common import SET_UP, get_network, supports
from manila_lite.share.flows.servers.customers import Customer, NewGroup, NewShare

# Setting up ends by itself, well or badly; this is only the last resort.
DEADLINE: Final = 24 * 3600.0  # seconds
SCHEDULE: Final = Schedule(((0, 0.5), (5, 1), (30, 5), (300, 15)))
_TRIES: Final = 20


class NoShareNetwork(exception.InvalidInput):
    message = (
        "Share instance %(instance)s has no share network, but this back end makes shares on "
        "share servers (driver_handles_share_servers = True)."
    )


class MissingSecurityService(exception.InvalidInput):
    message = (
        "Share network %(share_network_id)s has no security service of type %(kind)s, which this "
        "back end needs for shares of protocol %(protocol)s."
    )


class ShareServerNotSetUp(exception.ShareServerNotCreated):
    """The operation that set the server up has failed, and has told the users of it."""

    message = "Share server %(share_server_id)s could not be set up: %(reason)s"


class ShareServerLost(exception.ShareServerNotCreated):
    message = "Share server %(share_server_id)s is '%(status)s' instead of 'active'."


@dataclasses.dataclass
class View:
    """What one look at the database shows.

    servers: those that the driver may choose from. known: all that are on the subnet. full: those
    without room; None where room is no matter, for what is made from a snapshot of its server.
    """

    row: Record
    assigned: Record | None
    subnets: list[Record]
    servers: dict[str, Record]
    known: set[str]
    full: set[str] | None = None

    def with_status(self, status: str) -> list[Record]:
        """Return the servers of that status that have room."""
        full = self.full or ()
        found = self.servers.values()
        return [one for one in found if one["status"] == status and one["id"] not in full]


# -- from a flow -------------------------------------------------------------------------------


def provide(op: Operation, instance: Record, snapshot: Record | None = None) -> Record | None:
    """Return the active share server that a new share goes to; None without share servers.

    The flow waits without a thread until the server is set up. Raises UnexpectedShareNetwork and
    NoShareNetwork where network and driver do not go together, ShareNetworkSubnetNotFound, and
    ShareServerNotCreated where there is no server in the end.
    """
    if not op.env.has_share_servers:
        common.refuse_share_servers(instance)
        return None
    parent = snapshot["share"]["share_server_id"] if snapshot and snapshot["share"] else None
    if instance["share_network_id"] is None and parent is None:
        raise NoShareNetwork(instance=instance["id"])
    _check_security_services(op, instance)
    found = wait_for_server(op, NewShare(instance["id"], snapshot))
    instance["share_server_id"] = found["id"]
    instance["share_server"] = found
    return found


def _check_security_services(op: Operation, instance: Record) -> None:
    """Raise MissingSecurityService where the network lacks one that the driver says it needs."""
    needed = getattr(op.env.driver, "dhss_mandatory_security_service_association", None) or {}
    kinds = needed.get((instance["share_proto"] or "").lower()) or ()
    if not kinds or instance["share_network_id"] is None:
        return
    network = get_network(op, instance["share_network_id"])
    present = {service["type"].lower() for service in network["security_services"]}
    for kind in kinds:
        if kind.lower() not in present:
            raise MissingSecurityService(
                share_network_id=network["id"], kind=kind, protocol=instance["share_proto"]
            )


def provide_for_group(op: Operation, group: Record, group_snapshot: Any = None) -> Record | None:
    """Do the same for a new share group, which knows its server from the row or gets one.

    Without a share network it needs none.
    """
    if not op.env.has_share_servers or group["share_network_id"] is None:
        return None
    found = wait_for_server(op, NewGroup(group["id"], group_snapshot))
    group["share_server_id"] = found["id"]
    return found


def wait_for_server(op: Operation, customer: Customer) -> Record:
    """Choose or make a server for the customer, and wait until it is active."""
    probe = Provision(op.env, op.context, customer)
    server_id = op.wait("share server", probe, schedule=SCHEDULE, deadline=DEADLINE)
    return common.get_share_server(op.env, server_id)


class Provision:
    """The probe of that wait: does what can be done now, and says whether the server is active.

    It may be asked again by another worker at any point: what is done is in the rows.
    """

    def __init__(self, environment: ShareEnvironment, context: Any, customer: Customer) -> None:
        self._environment = environment
        self._context = context
        self._customer = customer
        self._expected: str | None = None

    def __call__(self) -> Any:
        """Return the id of the active server, or Pending."""
        server = self.assign()
        if isinstance(server, Pending):
            return server
        if server["status"] == server_states.ACTIVE:
            return server["id"]
        return Pending(f"share server {server['id']} is being set up")

    def assign(self) -> Record | Pending:
        """Return the server that the customer is on now: active, or being set up."""
        for _ in range(_TRIES):
            view = self._look()
            if view.assigned is not None and self._is_good(view.assigned):
                return view.assigned
            chosen = self._choose(view)
            if isinstance(chosen, Pending):
                return chosen
            if self._carry_out(view, chosen):
                self._journal().on_recorded()
        return Pending()

    def _is_good(self, server: Record) -> bool:
        """Whether the server that the row names will do.

        Raises ShareServerNotCreated for one that was counted on and is lost; one that was lost
        before, as an operator's retry finds it, is replaced.
        """
        if server["status"] in (server_states.ACTIVE, server_states.CREATING):
            self._expected = server["id"]
            return True
        if self._expected != server["id"]:
            return False
        reason = self._environment.db.run(
            lambda connection: casting.failure_of(
                connection, self._environment.host, set_up_id(server["id"])
            ),
            write=False,
        )
        if reason is not None:
            raise ShareServerNotSetUp(share_server_id=server["id"], reason=reason)
        raise ShareServerLost(share_server_id=server["id"], status=server["status"])

    # -- looking -------------------------------------------------------------------------------

    def _look(self) -> View:
        return self._environment.db.run(self._look_on, write=False)

    def _look_on(self, connection: Connection) -> View:
        row = self._customer.read(connection, self._environment.share_name_template)
        if row is None:
            raise exception.NotFound(f"{self._customer.table.name} has no row {self._customer.id}.")
        assigned = row["share_server_id"] and share_servers.get_server(
            connection, row["share_server_id"]
        )
        parent = self._parent(connection)
        subnets = self._subnets(connection, row, parent)
        servers = share_servers.usable_on_subnet(
            connection, self._environment.host, subnets[0]["id"]
        )
        known = set(servers)
        if parent is not None and _same_place(self._customer, row):
            return View(row, assigned or None, subnets, {parent["id"]: parent}, known)
        full = self._full(connection, row, servers)
        return View(row, assigned or None, subnets, servers, known, full)

    def _full(self, connection: Connection, row: Record, servers: Collection[str]) -> set[str]:
        """Return the servers on which there is no room left, by the limits of drivers with such."""
        driver = self._environment.driver
        most = getattr(driver, "max_shares_per_share_server", -1)
        most_gib = getattr(driver, "max_share_server_size", -1)
        if most == most_gib == -1 or not servers:
            return set()
        more, more_gib = (1, int(row["size"] or 0)) if "size" in row else (0, 0)
        return {
            key
            for key, (number, gib) in share_servers.load_of(connection, servers).items()
            if -1 < most < number + more or -1 < most_gib < gib + more_gib
        }

    def _parent(self, connection: Connection) -> Record | None:
        snapshot = getattr(self._customer, "snapshot", None)
        share = snapshot["share"] if snapshot is not None else None
        if share is None or share["share_server_id"] is None:
            return None
        parent = share_servers.get_server(connection, share["share_server_id"])
        if parent is None:
            raise exception.ShareServerNotFound(share_server_id=share["share_server_id"])
        if parent["status"] != server_states.ACTIVE:
            raise exception.InvalidShareServer(
                reason=f"the snapshot is on share server {parent['id']}, which is "
                f"'{parent['status']}' instead of 'active'"
            )
        return parent

    def _subnets(self, connection: Connection, row: Record, parent: Record | None) -> list[Record]:
        network_id = row["share_network_id"]
        if network_id is None:
            if parent is None:
                raise NoShareNetwork(instance=self._customer.id)
            return list(parent["share_network_subnets"])
        zone_id = row["availability_zone_id"] or self._zone_id
        found = server_networks.subnets_in_zone(connection, network_id, zone_id)
        if not found:
            raise exception.ShareNetworkSubnetNotFound(
                f"Share network {network_id} has no subnet in availability zone "
                f"{self._environment.availability_zone}, and no default one."
            )
        return found

    @functools.cached_property
    def _zone_id(self) -> str:
        return self._environment.zone_id()

    def _choose(self, view: View) -> Record | Pending | None:
        active = view.with_status(server_states.ACTIVE)
        chosen = None
        if active:
            driver = self._environment.driver
            chosen = self._customer.choose(driver, self._context, active, view.row)
        if chosen is not None:
            return view.servers[chosen["id"]]
        creating = view.with_status(server_states.CREATING)
        if creating:
            # It may be the right one; the driver can tell when it is there.
            return Pending(f"share server {creating[0]['id']} is being set up for others")
        return None

    # -- carrying out --------------------------------------------------------------------------

    def _carry_out(self, view: View, chosen: Record | None) -> bool:
        """Put the customer on the chosen server, or on a new one; False where that is too late."""
        return self._environment.db.run(
            functools.partial(self._carry_out_on, view=view, chosen=chosen)
        )

    def _carry_out_on(self, connection: Connection, view: View, chosen: Record | None) -> bool:
        subnet_ids = {subnet["id"] for subnet in view.subnets}
        if share_servers.lock_subnets(connection, subnet_ids) != subnet_ids:
            return False
        if chosen is None:
            server_id = self._new(connection, view)
        else:
            server_id = self._usable(connection, view, chosen)
        if server_id is None:
            return False
        return share_server_changes.assign(
            connection,
            self._customer.table,
            self._customer.id,
            view.row["share_server_id"],
            server_id,
            self._environment.clock.now(),
        )

    def _usable(self, connection: Connection, view: View, chosen: Record) -> str | None:
        """Return the id of the chosen server if it still is active, from now on to the commit.

        None for one that others have filled while the driver was asked.
        """
        server_id = str(chosen["id"])
        if share_servers.lock(connection, server_id) != server_states.ACTIVE:
            return None
        if view.full is not None and self._full(connection, view.row, {server_id}):
            return None
        return server_id

    def _new(self, connection: Connection, view: View) -> str | None:
        """Make a server and record its set-up; None where somebody else made one meanwhile."""
        host = self._environment.host
        now = share_servers.usable_on_subnet(connection, host, view.subnets[0]["id"])
        row = self._customer.read(connection, self._environment.share_name_template)
        if set(now) - view.known or row is None or _has_moved(row, view.row):
            return None
        server_id = share_server_changes.new_server(
            connection,
            self._environment.clock.now(),
            host=host,
            subnet_ids=[subnet["id"] for subnet in view.subnets],
            **supports(self._environment.driver),
        )
        operation = casting.internal(
            SET_UP,
            message_id=set_up_id(server_id),
            share_server_id=server_id,
            request_host=row["host"],
            share_type_id=self._customer.share_type_id(row),
        )
        self._journal().insert_on(connection, [operation])
        return server_id

    def _journal(self) -> Any:
        return casting.journal_of(self._environment)


def _has_moved(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return bool(now["share_server_id"] != before["share_server_id"])


def _same_place(customer: Customer, row: Mapping[str, Any]) -> bool:
    """Whether a share goes where the snapshot is that it is made from."""
    snapshot: Any = getattr(customer, "snapshot", None)
    return bool(snapshot["share"]["host"] == row["host"])


def set_up_id(server_id: str) -> str:
    """The message id of the operation that sets a new server up: recorded once."""
    return casting.message_id(SET_UP, server_id)
