# SPDX-License-Identifier: Apache-2.0
"""Subnets that are added to a share network with servers, and metadata of subnets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import (
    messages,
    server_networks,
    share_changes,
    share_server_changes,
    share_servers,
    snapshot_changes,
)
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.servers import changing
from manila_lite.share.flows.servers.common import LANE, RESOURCE, get_network, get_server
from manila_lite.share.flows.servers.set_up import allocate, check_segment
from manila_lite.share.flows.snapshots import checked

_UPDATE = "update_share_server_network_allocations"
_CHECK = "check_update_share_server_network_allocations"
_METADATA = "update_share_network_subnet_from_metadata"


class NoAllocations(exception.NotFound):
    message = (
        "Share server %(share_server_id)s got no addresses on share network subnet %(subnet_id)s."
    )


# -- addresses ---------------------------------------------------------------------------------


def check_failed(
    op: Operation,
    error: BaseException,
    share_network_id: str,
    new_share_network_subnet: dict[str, Any],
) -> list[Write]:
    """Answer with no."""
    name = check_name(share_network_id, new_share_network_subnet.get("availability_zone_id"))
    changing.answer(op, share_network_id, name, False)
    return []


@flow(
    "check_update_share_server_network_allocations",
    version="1.23",
    lane=changing.LANE,
    resource=changing.RESOURCE,
    on_failure=check_failed,
)
def check_update_share_server_network_allocations(
    op: Operation, share_network_id: str, new_share_network_subnet: dict[str, Any]
) -> None:
    """Ask the driver whether its servers could have addresses on one more subnet.

    new_share_network_subnet: it has no row as yet. The answer is left where the API looks.
    """
    network = get_network(op, share_network_id)
    subnet = dict(new_share_network_subnet)
    zone_id = subnet.get("availability_zone_id")
    op.env.driver.network_api.include_network_info(subnet)
    present = _subnets(op, share_network_id, zone_id)
    ids = {found["id"] for found in present}
    servers = [
        server
        for server in changing.servers_of(op, share_network_id)
        if ids & set(server["share_network_subnet_ids"])
    ]
    check = functools.partial(_check, op, network, subnet, present)
    name = check_name(share_network_id, zone_id)
    changing.check_servers(op, share_network_id, name, servers, check)


def check_name(network_id: str, zone_id: str | None) -> str:
    """Return the key under which Manila's API waits for the answers of all hosts."""
    return f"share_server_update_allocations_{network_id}_{zone_id}_hosts_check"


@flow(
    "update_share_server_network_allocations",
    version="1.23",
    lane=changing.LANE,
    resource=changing.RESOURCE,
    on_failure=changing.changing_failed,
)
def update_share_server_network_allocations(
    op: Operation, share_network_id: str, new_share_network_subnet_id: str
) -> None:
    """Give each server that is on a new subnet addresses there, and have the driver use them.

    A server that fails takes its shares and their snapshots into error with it.
    """
    network = get_network(op, share_network_id)
    new = _subnet(network, new_share_network_subnet_id)
    zone_id = new["availability_zone_id"]
    present = [s for s in _subnets(op, share_network_id, zone_id) if s["id"] != new["id"]]
    servers = [
        server
        for server in changing.servers_of(op, share_network_id)
        if new["id"] in server["share_network_subnet_ids"]
    ]
    update = functools.partial(_update, op, network, new, present)
    failed = functools.partial(_lost, op)
    changing.change_servers(op, share_network_id, servers, update, failed)


def _subnets(op: Operation, network_id: str, zone_id: str | None) -> list[Record]:
    return common.read(
        op,
        lambda connection: server_networks.subnets_in_zone(
            connection, network_id, zone_id, or_default=False
        ),
    )


def _subnet(network: Record, subnet_id: str) -> Record:
    for subnet in network["share_network_subnets"]:
        if subnet["id"] == subnet_id:
            return Record(subnet)
    raise exception.ShareNetworkSubnetNotFound(share_network_subnet_id=subnet_id)


def _check(
    op: Operation, network: Record, subnet: dict[str, Any], present: list[Record], server: Record
) -> bool:
    found = changing.on_server(op, server["id"])
    answer = changing.ask_driver(
        op.env.driver,
        _CHECK,
        op.context,
        server,
        current_allocations(server, present),
        subnet,
        network["security_services"],
        found.instances,
        found.rules,
    )
    return bool(answer)


def current_allocations(server: Record, subnets: list[Record]) -> dict[str, Any]:
    """Return a server's addresses by subnet, and the administrators' ones."""
    return {
        "admin_network_allocations": share_servers.allocations_of(server, "admin"),
        "subnets": [_on_subnet(server, subnet) for subnet in subnets],
    }


def _on_subnet(server: Record, subnet: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "share_network_subnet_id": subnet["id"],
        "neutron_net_id": subnet["neutron_net_id"],
        "neutron_subnet_id": subnet["neutron_subnet_id"],
        "network_allocations": share_servers.allocations_of(server, "user", subnet["id"]),
    }


def _update(
    op: Operation, network: Record, new: Record, present: list[Record], server: Record
) -> None:
    driver = op.env.driver
    server = common.get_share_server(op.env, server["id"])
    current = current_allocations(server, present)
    allocate(op, server, network, [new], admin=False)
    server = common.get_share_server(op.env, server["id"])
    added = _on_subnet(server, new)
    if not added["network_allocations"]:
        raise NoAllocations(share_server_id=server["id"], subnet_id=new["id"])
    check_segment(added["network_allocations"][0])
    found = changing.on_server(op, server["id"])
    snapshots = _snapshots(op, found.instances)
    returned = changing.ask_driver(
        driver,
        _UPDATE,
        op.context,
        server,
        current,
        added,
        network["security_services"],
        found.instances,
        snapshots,
    )
    driver.update_network_allocation(op.context, server)
    writes = _returned(op, server, found.instances, snapshots, returned or {})
    if writes:
        common.write(op.env, writes)


def _snapshots(op: Operation, instances: list[Record]) -> list[Record]:
    by_id = {instance["id"]: instance for instance in instances}
    share_template, template = op.env.share_name_template, op.env.snapshot_name_template

    def work(connection: Connection) -> list[Record]:
        found = snapshot_rows.on_instances(connection, list(by_id), template, share_template)
        for snapshot in found:
            snapshot_rows.with_share(snapshot, by_id[snapshot["share_instance_id"]])
            snapshot["export_locations"] = snapshot_rows.export_locations_of(
                connection, snapshot["id"]
            )
        return found

    return common.read(op, work)


def _returned(
    op: Operation,
    server: Record,
    instances: list[Record],
    snapshots: list[Record],
    returned: Mapping[str, Any],
) -> list[Write]:
    """Read what the driver returned: the server's details, new locations."""
    now = op.clock.now()
    writes = share_server_changes.details(server, returned.get("server_details") or {}, now)
    shares = returned.get("share_updates") or {}
    for instance in instances:
        if instance["id"] in shares:
            writes += share_changes.located(instance, shares[instance["id"]], now)
    updates = returned.get("snapshot_updates") or {}
    for snapshot in snapshots:
        update = updates.get(snapshot["id"]) or {}
        if update.get("export_locations"):
            writes += snapshot_changes.located(snapshot, update["export_locations"], now)
        if checked(update).get("provider_location") is not None:
            status, place = snapshot["status"], str(update["provider_location"])
            writes += snapshot_changes.move(
                snapshot["id"], status, status, now, provider_location=place
            )
    return writes


def _lost(op: Operation, server: Record, error: Exception) -> list[Write]:
    now = op.clock.now()
    details = getattr(error, "detail_data", None)
    left = details.get("server_details") if isinstance(details, Mapping) else None
    writes = changing.lose_shares(op, server)
    if isinstance(left, Mapping):
        current = get_server(op, server["id"]) or server
        writes += share_server_changes.details(current, left, now, lenient=True)
    for snapshot in _snapshots(op, changing.on_server(op, server["id"]).instances):
        if changing.can_be_lost(snapshot["status"], states.SNAPSHOT_TRANSITIONS):
            writes += snapshot_changes.move(snapshot["id"], snapshot["status"], states.ERROR, now)
    return writes


# -- metadata ----------------------------------------------------------------------------------


def metadata_failed(
    op: Operation,
    error: BaseException,
    share_network_id: str,
    share_network_subnet_id: str,
    **rest: Any,
) -> list[Write]:
    """Tell the user: the metadata are there, and nothing came of them."""
    network = common.read(op, lambda c: server_networks.get_network(c, share_network_id))
    if network is None:
        return []
    detail = messages.DETAIL_UPDATE_METADATA_FAILURE
    return _tell(op, network, share_network_subnet_id, detail)


@flow(
    "update_share_network_subnet_from_metadata",
    version="1.30",
    lane=LANE,
    resource=RESOURCE,
    on_failure=metadata_failed,
)
def update_share_network_subnet_from_metadata(
    op: Operation,
    share_network_id: str,
    share_network_subnet_id: str,
    share_server_id: str,
    metadata: dict[str, Any],
) -> None:
    """Have the driver do what new metadata of a subnet ask for; their rows are the API's.

    A driver that has no such method fails it: somebody expects an effect.
    """
    server = get_server(op, share_server_id)
    if server is None:
        return common.skip(op, "the share server is deleted")
    network = get_network(op, share_network_id)
    subnet = _subnet(network, share_network_subnet_id)
    op.step(
        "update",
        changing.ask_driver,
        op.env.driver,
        _METADATA,
        op.context,
        network,
        subnet,
        server,
        metadata,
        retry=common.DRIVER,
    )
    detail = messages.DETAIL_UPDATE_METADATA_SUCCESS
    op.finish(_tell(op, network, share_network_subnet_id, detail))


def _tell(op: Operation, network: Record, subnet_id: str, detail: str) -> list[Write]:
    return common.tell_user(
        op,
        network,
        messages.ACTION_UPDATE_METADATA,
        op.clock.now(),
        detail=detail,
        resource=(messages.RESOURCE_SUBNET, subnet_id),
    )
