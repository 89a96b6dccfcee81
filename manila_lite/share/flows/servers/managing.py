# SPDX-License-Identifier: Apache-2.0
"""Taking over share servers that are on the storage already, and letting go of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from manila_lite import exception, server_states
from manila_lite.db import share_server_changes, share_servers
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Done, Operation, flow
from manila_lite.share.flows import common, probes
from manila_lite.share.flows.servers.common import (
    LANE,
    RESOURCE,
    get_server,
    network_of,
    service_details,
    services_of,
)

_STEP = "manage"


class CannotUnmanage(exception.InvalidShareServer):
    message = (
        "Invalid share server: %(share_server_id)s cannot be unmanaged by this driver; with force "
        "it is forgotten here and stays on the storage."
    )


def _failed(op: Operation, server_id: str, own: str) -> list[Write]:
    server = get_server(op, server_id)
    if server is None or server["status"] in server_states.UNDERWAY - {own}:
        return []
    new = server_states.ERROR_STATUS[own]
    return share_server_changes.move(server_id, own, new, op.clock.now())


def _begin(op: Operation, server: Record, own: str) -> bool:
    """Show what is going on, where the API has not; False where the server's status forbids it."""
    status = server["status"]
    if status == own:
        return True
    if own not in server_states.TRANSITIONS.get(status, ()):
        return False
    op.record("begin", share_server_changes.move(server["id"], status, own, op.clock.now()))
    return True


# -- manage ------------------------------------------------------------------------------------


def managing_failed(
    op: Operation, error: BaseException, share_server_id: str, **rest: Any
) -> list[Write]:
    """Put the server into manage_error."""
    return _failed(op, share_server_id, server_states.MANAGE_STARTING)


@flow(
    "manage_share_server",
    version="1.19",
    lane=LANE,
    resource=RESOURCE,
    on_failure=managing_failed,
)
def manage_share_server(
    op: Operation,
    share_server_id: str,
    identifier: str,
    driver_opts: dict[str, Any] | None = None,
) -> None:
    """Have the driver take a server over, with its addresses; make it active with its details.

    identifier: how the driver knows the server on the storage. Raises ManageShareServerError
    where not all of its addresses are known to the network plugins.
    """
    server = get_server(op, share_server_id)
    if server is None:
        return common.skip(op, "the share server is deleted")
    if not _begin(op, server, server_states.MANAGE_STARTING):
        return common.skip(op, f"the share server is {server['status']}")
    if not op.env.has_share_servers:
        raise exception.ManageShareServerError(
            reason=f"{op.env.host} works with driver_handles_share_servers = False"
        )
    network = network_of(op, server)
    op.step(
        "manage addresses",
        _manage_addresses,
        op,
        server,
        network,
        identifier,
        driver_opts,
        probe=lambda: AGAIN,
        retry=common.DRIVER,
    )
    new_identifier = op.step(
        _STEP,
        _manage,
        op,
        network,
        share_server_id,
        identifier,
        driver_opts,
        probe=functools.partial(_was_managed, op, share_server_id),
        retry=common.DRIVER,
    )
    driver = op.env.driver
    supported = share_server_changes.move(
        share_server_id,
        server_states.MANAGE_STARTING,
        server_states.ACTIVE,
        op.clock.now(),
        identifier=new_identifier,
        network_allocation_update_support=bool(
            getattr(driver, "network_allocation_update_support", False)
        ),
        share_replicas_migration_support=bool(
            getattr(driver, "share_replicas_migration_support", False)
        ),
    )
    op.finish(supported)


def _manage_addresses(
    op: Operation, server: Record, network: Record, identifier: str, driver_opts: Any
) -> None:
    """Have the network plugins take the server's addresses over; those that they have stay."""
    driver = op.env.driver
    needed = driver.get_network_allocations_number()
    admin = driver.admin_network_api
    if admin is not None:
        needed += driver.get_admin_network_allocations_number()
    if not needed:
        return
    found = driver.get_share_server_network_info(op.context, server, identifier, driver_opts or {})
    if not found:
        raise exception.ManageShareServerError(
            reason=f"the driver names none of its addresses; there should be {needed}"
        )
    server = get_server(op, server["id"]) or server
    known = {allocation["ip_address"] for allocation in server["network_allocations"]}
    rest = [address for address in found if address not in known]
    if admin is not None and rest:
        rest = list(admin.manage_network_allocations(op.context, rest, server) or ())
    if rest:
        subnet = server["share_network_subnets"][0]
        rest = list(
            driver.network_api.manage_network_allocations(op.context, rest, server, network, subnet)
            or ()
        )
    if rest:
        raise exception.ManageShareServerError(
            reason=f"addresses {', '.join(map(str, rest))} are not of its networks"
        )


def _was_managed(op: Operation, server_id: str) -> Any:
    """The probe: details are written in the moment in which the driver has returned."""
    server = get_server(op, server_id)
    if server is not None and server["backend_details"]:
        return Done(server["identifier"])
    return probes.undecided(op, _STEP)


def _manage(
    op: Operation, network: Record, server_id: str, identifier: str, driver_opts: Any
) -> str:
    """Call the driver and keep its details, which may hold secrets; return the new identifier."""
    server = common.get_share_server(op.env, server_id)
    new_identifier, details = op.env.driver.manage_server(
        op.context, server, identifier, driver_opts or {}
    )
    new_identifier = str(new_identifier or server_id)
    kept: dict[str, Any] = dict(details) if isinstance(details, Mapping) else {}
    for service in network["security_services"]:
        kept |= service_details(service)
    now = op.clock.now()
    writes = share_server_changes.details(server, kept, now)
    writes += share_server_changes.identified(server_id, new_identifier, now)
    common.write(op.env, writes)
    return new_identifier


# -- unmanage ----------------------------------------------------------------------------------


def unmanaging_failed(
    op: Operation, error: BaseException, share_server_id: str, **rest: Any
) -> list[Write]:
    """Put the server into unmanage_error."""
    return _failed(op, share_server_id, server_states.UNMANAGE_STARTING)


@flow(
    "unmanage_share_server",
    version="1.19",
    lane=LANE,
    resource=RESOURCE,
    on_failure=unmanaging_failed,
)
def unmanage_share_server(op: Operation, share_server_id: str, force: bool = False) -> None:
    """Have the driver forget a server, which stays on the storage with its addresses.

    force: a driver that cannot do that is no obstacle. Raises ShareServerInUse while a share or a
    share group is on it.
    """
    server = get_server(op, share_server_id)
    if server is None:
        return common.skip(op, "the share server is already deleted")
    if not _begin(op, server, server_states.UNMANAGE_STARTING):
        return common.skip(op, f"the share server is {server['status']}")
    # In this status nobody can put a share on it any more.
    if common.read(op, lambda connection: share_servers.is_used(connection, server["id"])):
        raise exception.ShareServerInUse(share_server_id=share_server_id)
    driver = op.env.driver
    op.step("unmanage", _unmanage, driver, server, force, retry=common.DRIVER)
    op.step(
        "forget addresses", _forget_addresses, driver, op.context, server["id"], retry=common.DRIVER
    )
    op.finish(share_server_changes.deleted(share_server_id, op.clock.now()))


def _unmanage(driver: Any, server: Record, force: bool) -> None:
    details = server["backend_details"]
    try:
        driver.unmanage_server(details, services_of(details))
    except NotImplementedError:
        if not force:
            raise CannotUnmanage(share_server_id=server["id"]) from None


def _forget_addresses(driver: Any, context: Any, server_id: str) -> None:
    if driver.get_network_allocations_number():
        driver.network_api.unmanage_network_allocations(context, server_id)
    if driver.admin_network_api is not None and driver.get_admin_network_allocations_number():
        driver.admin_network_api.unmanage_network_allocations(context, server_id)
