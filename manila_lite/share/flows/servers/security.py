# SPDX-License-Identifier: Apache-2.0
"""Security services that are added to a share network with servers, or replaced on it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import (
    access_changes,
    messages,
    server_network_changes,
    server_networks,
    share_server_changes,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.access_driver import MAX_KEY
from manila_lite.share.flows.servers import changing
from manila_lite.share.flows.servers.common import get_network, service_details
from manila_lite.share.flows.servers.set_up import network_info

_UPDATE = "update_share_server_security_service"
_CHECK = "check_update_share_server_security_service"


@flow(
    "update_share_network_security_service",
    version="1.22",
    lane=changing.LANE,
    resource=changing.RESOURCE,
    on_failure=changing.changing_failed,
)
def update_share_network_security_service(
    op: Operation,
    share_network_id: str,
    new_security_service_id: str,
    current_security_service_id: str | None = None,
) -> None:
    """Have the driver set each server of the network up with a new security service.

    current_security_service_id: the one that it replaces. A server that fails then takes its
    shares into error with it: they had worked with the old one.
    """
    network = get_network(op, share_network_id)
    new = _service(op, new_security_service_id)
    current = current_security_service_id and _service(op, current_security_service_id)

    def failed(server: Record, error: Exception) -> list[Write]:
        lost = changing.lose_shares(op, server) if current else []
        return lost + _told(op, network, new)

    servers = changing.servers_of(op, share_network_id)
    update = functools.partial(_update, op, network, new, current or None)
    changing.change_servers(op, share_network_id, servers, update, failed)


def check_failed(
    op: Operation,
    error: BaseException,
    share_network_id: str,
    new_security_service_id: str,
    current_security_service_id: str | None = None,
) -> list[Write]:
    """Answer with no."""
    name = check_name(new_security_service_id, current_security_service_id)
    changing.answer(op, share_network_id, name, False)
    return []


@flow(
    "check_update_share_network_security_service",
    version="1.22",
    lane=changing.LANE,
    resource=changing.RESOURCE,
    on_failure=check_failed,
)
def check_update_share_network_security_service(
    op: Operation,
    share_network_id: str,
    new_security_service_id: str,
    current_security_service_id: str | None = None,
) -> None:
    """Ask the driver whether that could be done, and leave the answer where the API looks."""
    network = get_network(op, share_network_id)
    new = _service(op, new_security_service_id)
    current = current_security_service_id and _service(op, current_security_service_id)
    name = check_name(new_security_service_id, current_security_service_id)
    servers = changing.servers_of(op, share_network_id)
    check = functools.partial(_check, op, network, new, current or None)
    changing.check_servers(op, share_network_id, name, servers, check)


def check_name(new_id: str, current_id: str | None) -> str:
    """Return the key under which Manila's API waits for the answers of all hosts."""
    if current_id:
        return f"share_network_sec_service_update_{current_id}_{new_id}_hosts_check"
    return f"share_network_sec_service_add_{new_id}_hosts_check"


def _service(op: Operation, service_id: str) -> Record:
    def work(connection: Connection) -> Record | None:
        return server_networks.get_security_service(connection, service_id)

    found = common.read(op, work)
    if found is None:
        raise exception.SecurityServiceNotFound(security_service_id=service_id)
    return found


def _check(op: Operation, network: Record, new: Record, current: Any, server: Record) -> bool:
    found = changing.on_server(op, server["id"])
    answer = changing.ask_driver(
        op.env.driver,
        _CHECK,
        op.context,
        server,
        network_info(op, server, network),
        found.instances,
        found.rules,
        new,
        current_security_service=current,
    )
    return bool(answer)


def _update(op: Operation, network: Record, new: Record, current: Any, server: Record) -> None:
    """Call the driver, after the server's details say what is wanted, as its teardown must know."""
    server = common.get_share_server(op.env, server["id"])
    now = op.clock.now()
    writes = share_server_changes.details(server, service_details(new), now)
    common.write(op.env, writes)
    server = common.get_share_server(op.env, server["id"])
    found = changing.on_server(op, server["id"])
    updates = changing.ask_driver(
        op.env.driver,
        _UPDATE,
        op.context,
        server,
        network_info(op, server, network),
        found.instances,
        found.rules,
        new,
        current_security_service=current,
    )
    rules = _rule_updates(op, updates)
    if rules:
        common.write(op.env, rules)


def _rule_updates(op: Operation, updates: Any) -> list[Write]:
    """Read what the driver says of access rules: {instance: {rule: {state, access_key}}}.

    Keys are secrets: they go into the rules' rows, never into the operation's. A rule whose key
    they cannot hold is in error.
    """
    now = op.clock.now()
    writes: list[Write] = []
    for instance_id, rules in (updates or {}).items():
        for access_id, update in (rules or {}).items():
            if not isinstance(update, Mapping):
                continue
            key = update.get("access_key")
            fits = key is None or (isinstance(key, str) and len(key) <= MAX_KEY)
            if key is not None and fits:
                writes += access_changes.keys([(access_id, key)], now)
            if update.get("state") == states.ACCESS_ERROR or not fits:
                writes += server_network_changes.refused(instance_id, access_id, now)
        writes += access_changes.status_of_rules(instance_id, now)
    return writes


def _told(op: Operation, network: Record, service: Record) -> list[Write]:
    return common.tell_user(
        op,
        network,
        messages.ACTION_ADD_UPDATE_SECURITY_SERVICE,
        op.clock.now(),
        resource=(messages.RESOURCE_SECURITY_SERVICE, service["id"]),
    )
