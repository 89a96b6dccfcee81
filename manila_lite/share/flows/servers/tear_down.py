# SPDX-License-Identifier: Apache-2.0
"""Removing share servers: on request, with the last share, and when they stand empty."""

from __future__ import annotations

import datetime
import functools
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception, server_states, states
from manila_lite.db import share_server_changes, share_servers
from manila_lite.db.records import Record
from manila_lite.db.writes import Write, execute_writes
from manila_lite.engine import AGAIN, Operation, Pending, flow
from manila_lite.engine.journal import Journal
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting, common
from manila_lite.share.flows.servers.common import (
    DELETE_UNUSED,
    LANE,
    RESOURCE,
    get_server,
    release_addresses,
    services_of,
)

LOG = log.getLogger(__name__)


def deletion_failed(
    op: Operation, error: BaseException, share_server_id: str, **rest: Any
) -> list[Write]:
    """Put the server into error; one that is in use stays as it is."""
    server = get_server(op, share_server_id)
    if server is None or server["status"] != server_states.DELETING:
        return []
    new = server_states.ERROR_STATUS[server_states.DELETING]
    return share_server_changes.move(share_server_id, server_states.DELETING, new, op.clock.now())


@flow(
    "delete_share_server",
    version="1.0",
    lane=LANE,
    resource=RESOURCE,
    on_failure=deletion_failed,
)
def delete_share_server(op: Operation, share_server_id: str) -> None:
    """Have the driver remove the server; give its addresses back.

    Raises ShareServerInUse while a share or a share group is on it, and leaves it as it is.
    """
    server = get_server(op, share_server_id)
    if server is None:
        return common.skip(op, "the share server is already deleted")
    op.step("mark", _mark, op, share_server_id, probe=lambda: AGAIN)
    _tear_down(op, server)


def _mark(op: Operation, server_id: str) -> None:
    op.env.db.run(functools.partial(_mark_on, op.clock.now(), server_id))


def _mark_on(now: datetime.datetime, server_id: str, connection: Connection) -> None:
    """Mark the server as being deleted: from this commit on nobody can choose it."""
    status = share_servers.lock(connection, server_id)
    if status is None:
        return
    if share_servers.is_used(connection, server_id):
        raise exception.ShareServerInUse(share_server_id=server_id)
    if status not in server_states.REMOVABLE:
        raise exception.InvalidShareServer(
            reason=f"share server {server_id} is '{status}' and cannot be deleted now"
        )
    if status != server_states.DELETING:
        writes = share_server_changes.move(server_id, status, server_states.DELETING, now)
        execute_writes(connection, [writes])


def _tear_down(op: Operation, server: Record) -> None:
    driver, details = op.env.driver, server["backend_details"]
    op.step("tear down", _teardown_server, driver, details, retry=common.DRIVER)
    op.step(
        "release addresses",
        release_addresses,
        driver,
        op.context,
        server["id"],
        retry=common.DRIVER,
    )
    op.finish(share_server_changes.deleted(server["id"], op.clock.now()))


def _teardown_server(driver: Any, details: dict[str, str]) -> None:
    driver.teardown_server(server_details=details, security_services=services_of(details))


# -- those that nobody needs -------------------------------------------------------------------


def give_up(op: Operation, instance: Record) -> None:
    """Have the server go after the share that is being deleted, if it was the last one on it.

    Called before the share's end is recorded; the operation waits for that. Does nothing unless
    delete_share_server_with_last_share is set.
    """
    server_id = instance["share_server_id"]
    if server_id is None or not op.env.conf.delete_share_server_with_last_share:
        return
    op.step(
        "give up share server", _record_deletion, op, server_id, instance["id"], probe=lambda: AGAIN
    )


def _record_deletion(op: Operation, server_id: str, instance_id: str) -> None:
    operation = casting.internal(
        DELETE_UNUSED,
        message_id=casting.message_id(DELETE_UNUSED, op.uuid),
        share_server_id=server_id,
        share_instance_id=instance_id,
    )
    casting.journal_of(op.env).record([operation])


@flow(DELETE_UNUSED, lane=LANE, resource=RESOURCE, on_failure=deletion_failed, internal=True)
def delete_unused_share_server(
    op: Operation, share_server_id: str, share_instance_id: str | None = None
) -> None:
    """Remove a server that nothing is on any more, unless it is to be kept.

    share_instance_id: what is just being deleted from it, and waited for.
    """
    if share_instance_id is not None:
        op.wait("share", functools.partial(_leaves, op.env, share_instance_id))
    server = get_server(op, share_server_id)
    if server is None:
        return common.skip(op, "the share server is already deleted")
    if not op.is_done("mark"):
        reason = _reason_to_keep(op, server)
        if reason is not None:
            return common.skip(op, reason)
    try:
        delete_share_server(op, share_server_id)
    except exception.ShareServerInUse:
        common.skip(op, "the share server is in use again")


def _reason_to_keep(op: Operation, server: Record) -> str | None:
    if not server["is_auto_deletable"]:
        return "the share server is not to be deleted by itself"
    if server["status"] not in server_states.REMOVABLE:
        return f"the share server is {server['status']}"
    if common.read(op, lambda connection: share_servers.is_used(connection, server["id"])):
        return "the share server is in use"
    return None


def _leaves(environment: ShareEnvironment, instance_id: str) -> Any:
    """The probe: Pending while the share's deletion is under way."""
    instance = environment.instances.get(instance_id)
    if instance is not None and instance["status"] in (
        states.DELETING,
        states.DEFERRED_DELETING,
    ):
        return Pending()
    return None


def delete_unused_servers(environment: ShareEnvironment, journal: Journal) -> int:
    """Journal the removal of each server that has stood empty for a while; count them.

    That while is unused_share_server_cleanup_interval, in minutes. Does nothing without
    automatic_share_server_cleanup, and nothing about a server whose lane is busy.
    """
    options = environment.configuration
    if not environment.has_share_servers or not options.safe_get("automatic_share_server_cleanup"):
        return 0
    minutes = float(options.safe_get("unused_share_server_cleanup_interval"))
    before = environment.clock.now() - datetime.timedelta(minutes=minutes)
    lanes = environment.db.run(
        lambda connection: _idle(connection, environment.host, before), write=False
    )
    new = [casting.internal(DELETE_UNUSED, share_server_id=key) for key in lanes]
    if new:
        LOG.info("%d share servers stand empty and are removed", len(new))
        journal.record(new)
    return len(new)


def _idle(connection: Connection, host: str, before: datetime.datetime) -> list[str]:
    found = share_servers.unused(connection, host, before)
    lanes = [(LANE.format(share_server_id=server_id), server_id) for server_id in found]
    return casting.on_idle_lanes(connection, host, lanes)
