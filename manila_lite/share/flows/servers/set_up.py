# SPDX-License-Identifier: Apache-2.0
"""Setting a share server up: addresses, then the driver, then the details that it returns.

create_share_server asks for it from outside; a share or a share group that needs a new server has
it asked for in the transaction that makes the server's row.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception, server_states
from manila_lite.db import (
    messages,
    server_networks,
    share_server_changes,
    share_servers,
)
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Done, Operation, flow
from manila_lite.engine.outcomes import DispatchedTooOften, StepInterrupted
from manila_lite.share.flows import common, probes
from manila_lite.share.flows.servers.common import (
    LANE,
    RESOURCE,
    SET_UP,
    get_server,
    network_of,
    release_addresses,
    service_details,
)

LOG = log.getLogger(__name__)

_STEP: Final = "set up"
_USER, _ADMIN = "user", "admin"

#: The highest segment of each kind of network that has segments.
_SEGMENTS: Final[Mapping[str, int]] = {"vlan": 4094, "vxlan": 2**24 - 1, "gre": 2**32 - 1}

#: What users are told, by the class of the error.
_DETAILS: Final[Mapping[str, str]] = {
    "PortLimitExceeded": messages.DETAIL_PORT_LIMIT_EXCEEDED,
    "SecurityServiceFailedAuth": messages.DETAIL_SECURITY_SERVICE_FAILED_AUTH,
    "IpAddressGenerationFailureClient": messages.DETAIL_SUBNET_FULL,
    "NetworkExhausted": messages.DETAIL_SUBNET_FULL,
}


def set_up_failed(
    op: Operation, error: BaseException, share_server_id: str, **rest: Any
) -> list[Write]:
    """Put the server into error, with the details that the driver got; tell whose shares it is.

    Where nothing can be on the storage, the addresses go back; else the teardown needs them first.
    """
    server = get_server(op, share_server_id)
    if server is None or server["status"] not in (server_states.CREATING, server_states.ERROR):
        return []
    left = _left_behind(error)
    if not left and not _may_be_there(op, error):
        _release(op, share_server_id)
    now = op.clock.now()
    return [
        *share_server_changes.details(server, left, now, lenient=True),
        *share_server_changes.move(
            share_server_id, server_states.CREATING, server_states.ERROR, now
        ),
        *_tell(op, server, error),
    ]


def _left_behind(error: BaseException) -> Mapping[str, Any]:
    details = getattr(error, "detail_data", None)
    found = details.get("server_details") if isinstance(details, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _may_be_there(op: Operation, error: BaseException) -> bool:
    """Whether the server was set up before the error, or nobody knows whether it was."""
    if op.is_done(_STEP) or isinstance(error, StepInterrupted | DispatchedTooOften):
        return True
    return exception.classify(error) is exception.ErrorKind.IN_DOUBT


def _release(op: Operation, server_id: str) -> None:
    try:
        release_addresses(op.env.driver, op.context, server_id)
    except Exception as error:
        LOG.warning("Share server %s keeps its addresses until it is deleted: %s", server_id, error)


def _tell(op: Operation, server: Record, error: BaseException) -> list[Write]:
    detail = messages.DETAIL_NO_SHARE_SERVER
    for name, special in _DETAILS.items():
        if common.is_named(error, name):
            detail = special
    writes: list[Write] = []
    for share in common.read(op, lambda c: share_rows.on_server(c, server["id"])):
        now = op.clock.now()
        writes += common.tell_user(op, share, messages.ACTION_CREATE, now, detail=detail)
    return writes


@flow(
    "create_share_server",
    version="1.20",
    lane=LANE,
    resource=RESOURCE,
    on_failure=set_up_failed,
)
def create_share_server(op: Operation, share_server_id: str, share_instance_id: str) -> None:
    """Set a server up whose row somebody has made for a share instance."""
    instance = common.get_instance(op, share_instance_id)
    if instance is None:
        raise exception.NotFound(f"Share instance {share_instance_id} could not be found.")
    set_up_share_server(op, share_server_id, instance["host"], instance["share_type_id"])


@flow(SET_UP, lane=LANE, resource=RESOURCE, on_failure=set_up_failed, internal=True)
def set_up_share_server(
    op: Operation,
    share_server_id: str,
    request_host: str | None = None,
    share_type_id: str | None = None,
) -> None:
    """Have the driver set the server up on its subnets; make it active with its details.

    request_host, share_type_id: where the share goes for which the server is made, and its type.
    """
    server = get_server(op, share_server_id)
    if server is None:
        return common.skip(op, "the share server is deleted")
    if server["status"] not in (server_states.CREATING, server_states.ERROR):
        return common.skip(op, f"the share server is {server['status']}")
    _begin(op, server)
    metadata = {"request_host": request_host, "share_type_id": share_type_id}
    op.step(
        _STEP,
        _set_up,
        op,
        server,
        metadata,
        probe=functools.partial(_was_set_up, op, share_server_id),
        retry=common.DRIVER,
    )
    driver = op.env.driver
    op.step("tell networks", _tell_networks, driver, op.context, server, retry=common.DRIVER)
    op.finish(
        share_server_changes.move(
            share_server_id, server_states.CREATING, server_states.ACTIVE, op.clock.now()
        )
    )


def _begin(op: Operation, server: Record) -> None:
    """Show an operator's retry of a failed set-up as what it is."""
    if server["status"] == server_states.ERROR:
        now = op.clock.now()
        old, new = server_states.ERROR, server_states.CREATING
        op.record("begin", share_server_changes.move(server["id"], old, new, now))


def _was_set_up(op: Operation, server_id: str) -> Any:
    """The probe: an identifier is written in the moment in which the driver has returned."""
    server = get_server(op, server_id)
    if server is not None and server["identifier"] is not None:
        return Done(server["identifier"])
    return probes.undecided(op, _STEP)


def _set_up(op: Operation, server: Record, metadata: Mapping[str, Any]) -> str:
    """Allocate addresses and call the driver; keep its details, and return the identifier.

    Details may hold secrets: they go into their own table, never into the operation's row.
    """
    network = network_of(op, server)
    allocate(op, server, network, server["share_network_subnets"])
    server = get_server(op, server["id"]) or server
    infos = network_info(op, server, network)
    for info in infos:
        check_segment(info)
    services: dict[str, str] = {}
    for service in network["security_services"]:
        services |= service_details(service)
    _keep(op, server, services)
    returned = op.env.driver.setup_server(infos, metadata=dict(metadata))
    details = dict(returned) if isinstance(returned, Mapping) else {}
    identifier = str(details.get("identifier") or server["id"])
    try:
        _keep(op, get_server(op, server["id"]) or server, details, identifier)
    except exception.InvalidShareServer as error:
        # The server is there all the same: what fits of its details is for the teardown.
        error.detail_data = {"server_details": details}
        raise
    return identifier


def _keep(
    op: Operation, server: Record, details: Mapping[str, Any], identifier: str | None = None
) -> None:
    now = op.clock.now()
    writes = share_server_changes.details(server, details, now)
    if identifier is not None:
        writes += share_server_changes.identified(server["id"], identifier, now)
    if writes:
        common.write(op.env, writes)


def allocate(
    op: Operation, server: Record, network: Record, subnets: list[Record], *, admin: bool = True
) -> None:
    """Allocate the addresses that the server still lacks on the subnets, and the admin ones."""
    driver = op.env.driver
    wanted = driver.get_network_allocations_number()
    for subnet in subnets:
        if len(share_servers.allocations_of(server, _USER, subnet["id"])) < wanted:
            driver.allocate_network(op.context, server, network, share_network_subnet=subnet)
    lacking = driver.get_admin_network_allocations_number()
    if admin and len(share_servers.allocations_of(server, _ADMIN)) < lacking:
        driver.allocate_admin_network(op.context, server)


def network_info(op: Operation, server: Record, network: Record) -> list[dict[str, Any]]:
    """Return what drivers know of a server's networks: one dictionary for each subnet."""

    def work(connection: Connection) -> Any:
        return server_networks.with_metadata(connection, server["share_network_subnets"])

    admin = share_servers.allocations_of(server, _ADMIN)
    return [
        {
            "server_id": server["id"],
            "segmentation_id": subnet["segmentation_id"],
            "cidr": subnet["cidr"],
            "neutron_net_id": subnet["neutron_net_id"],
            "neutron_subnet_id": subnet["neutron_subnet_id"],
            "security_services": network["security_services"],
            "network_allocations": share_servers.allocations_of(server, _USER, subnet["id"]),
            "admin_network_allocations": admin,
            "backend_details": server["backend_details"],
            "network_type": subnet["network_type"],
            "subnet_metadata": subnet["subnet_metadata"],
        }
        for subnet in common.read(op, work)
    ]


def check_segment(info: Mapping[str, Any]) -> None:
    """Raise NetworkBadConfigurationException unless network type and segment fit together."""
    kind, segment = info["network_type"], info["segmentation_id"]
    if kind in (None, "flat"):
        if segment:
            raise exception.NetworkBadConfigurationException(
                reason=f"segmentation_id = {segment}, but a network of type {kind} has no segments"
            )
    elif kind in _SEGMENTS and not 1 <= int(segment or 0) <= _SEGMENTS[kind]:
        raise exception.NetworkBadConfigurationException(
            reason=f"segmentation_id = {segment} of a {kind} network; it has to be from 1 to "
            f"{_SEGMENTS[kind]}"
        )


def _tell_networks(driver: Any, context: Any, server: Record) -> None:
    driver.update_network_allocation(context, server)
    driver.update_admin_network_allocation(context, server)
