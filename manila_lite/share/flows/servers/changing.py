# SPDX-License-Identifier: Apache-2.0
"""What all changes of a share network have in common: each server of this host has its turn.

A server that cannot be changed goes to error, with its reason in the operation's result, and the
others have their turn all the same. The API has put the network and its servers into
network_change; the network becomes active when no server is left in it, on any host.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import server_states, states
from manila_lite.db import access, server_network_changes, share_server_changes, share_servers
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.share_changes import move as move_share
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation
from manila_lite.share.flows import common

LOG = log.getLogger(__name__)

LANE: Final = "share_network:{share_network_id}"
RESOURCE: Final = ("share_network", "share_network_id")


@dataclasses.dataclass
class OnServer:
    """The share instances on a server, and the access rules of each."""

    instances: list[Record]
    rules: list[dict[str, Any]]


def servers_of(op: Operation, network_id: str) -> list[Record]:
    """Return the network's servers on this host."""

    def work(connection: Connection) -> list[Record]:
        return list(share_servers.of_network(connection, network_id, op.env.host).values())

    return common.read(op, work)


def on_server(op: Operation, server_id: str) -> OnServer:
    """Read what is on a server, as drivers know it."""

    def work(connection: Connection) -> OnServer:
        instances = share_rows.on_server(connection, server_id, op.env.share_name_template)
        share_rows.complete(connection, instances)
        rules = [
            {
                "share_instance_id": instance["id"],
                "access_rules": [
                    rule
                    for rule in access.rules_of_instance(
                        connection, instance["share_id"], instance["id"]
                    )
                    if rule["mapping_id"] is not None
                ],
            }
            for instance in instances
        ]
        return OnServer(instances, rules)

    return common.read(op, work)


def change_servers(
    op: Operation,
    network_id: str,
    servers: Iterable[Record],
    change: Callable[[Record], None],
    failed: Callable[[Record, Exception], list[Write]],
) -> None:
    """Carry out a change on one server after the other, and end the operation.

    change: called as change(server). failed: the writes for what is on a server that is lost.
    """
    problems: dict[str, str] = {}
    for server in servers:
        if server["status"] in server_states.UNDERWAY - {server_states.NETWORK_CHANGE}:
            continue
        outcome = f"outcome of {server['id']}"
        if op.is_done(outcome):
            continue
        try:
            op.step(f"server {server['id']}", change, server, retry=common.DRIVER)
        except Exception as error:
            LOG.warning("Share server %s could not be changed: %s", server["id"], error)
            problems[server["id"]] = common.problem(error)
            op.record(outcome, _changed(op, server, server_states.ERROR) + failed(server, error))
        else:
            op.record(outcome, _changed(op, server, server_states.ACTIVE))
    op.finish(
        server_network_changes.settled(network_id, op.clock.now()),
        result={"problems": problems} if problems else None,
    )


def _changed(op: Operation, server: Record, new: str) -> list[Write]:
    now = op.clock.now()
    old = server["status"]
    if old not in (server_states.NETWORK_CHANGE, server_states.ACTIVE, server_states.ERROR):
        return []
    if old == new:
        return []
    return share_server_changes.move(server["id"], old, new, now)


def changing_failed(
    op: Operation, error: BaseException, share_network_id: str, **rest: Any
) -> list[Write]:
    """Put the servers whose turn did not come into error; the network's change is over."""
    now = op.clock.now()
    writes: list[Write] = []
    for server in servers_of(op, share_network_id):
        if server["status"] == server_states.NETWORK_CHANGE:
            old, new = server_states.NETWORK_CHANGE, server_states.ERROR
            writes += share_server_changes.move(server["id"], old, new, now)
    return writes + server_network_changes.settled(share_network_id, now)


def can_be_lost(status: str, transitions: Mapping[str, Collection[str]]) -> bool:
    """Whether a change may put what has this status into error: nothing else is under way on it."""
    return status not in states.UNDERWAY and states.ERROR in transitions.get(status, ())


def lose_shares(op: Operation, server: Record) -> list[Write]:
    """Put the share instances on a server into error: nobody knows whether they can be reached."""
    now = op.clock.now()
    writes: list[Write] = []
    for instance in on_server(op, server["id"]).instances:
        if can_be_lost(instance["status"], states.SHARE_TRANSITIONS):
            writes += move_share(
                instance["id"],
                instance["status"],
                states.ERROR,
                now,
                access_rules_status=states.ACCESS_ERROR,
            )
    return writes


# -- checks ------------------------------------------------------------------------------------


def check_servers(
    op: Operation,
    network_id: str,
    name: str,
    servers: Iterable[Record],
    check: Callable[[Record], bool],
) -> None:
    """Ask about each server whether it can be changed; leave the answer where the API looks.

    name: the key under which it does. What the driver cannot answer counts as no.
    """
    problem = None
    supported = True
    for server in servers:
        try:
            supported = op.step(f"server {server['id']}", check, server, retry=common.DRIVER)
        except Exception as error:
            LOG.warning("Share server %s could not be checked: %s", server["id"], error)
            supported, problem = False, common.problem(error)
        if not supported:
            break
    op.step("answer", answer, op, network_id, name, bool(supported), probe=lambda: AGAIN)
    op.finish(result={"supported": bool(supported), "problem": problem})


def answer(op: Operation, network_id: str, name: str, supported: bool) -> bool:
    """Leave an answer where the API looks; False where it does not ask.

    A check that fails leaves one too: without it the API would wait for ever.
    """
    return op.env.db.run(
        lambda connection: server_network_changes.answer_check(
            connection, network_id, name, op.env.host, supported, op.clock.now()
        )
    )


def ask_driver(driver: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method that only some drivers have; raises NotImplementedError where it is missing."""
    function = getattr(driver, method, None)
    if function is None:
        raise NotImplementedError(f"this driver has no {method}")
    return function(*args, **kwargs)
