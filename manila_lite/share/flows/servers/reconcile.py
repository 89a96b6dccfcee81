# SPDX-License-Identifier: Apache-2.0
"""Share servers in a transitional status with no operation behind them: found, brought to an end.

A removal is carried out again, for that is what was asked for. A server whose set-up had come to
its end becomes active. Of the rest nobody can tell, and it fails with the reason.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import server_states
from manila_lite.db import server_network_changes, share_server_changes, share_servers
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import abandoned, casting, common
from manila_lite.share.flows.servers import changing, managing, tear_down
from manila_lite.share.flows.servers.common import (
    LANE,
    RECONCILE,
    RECONCILE_CHANGE,
    RESOURCE,
    get_server,
)

STATUSES = (
    server_states.CREATING,
    server_states.DELETING,
    server_states.MANAGE_STARTING,
    server_states.UNMANAGE_STARTING,
    server_states.NETWORK_CHANGE,
)


def candidates(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, operation) for each server that is stuck if no operation is on that lane."""
    rows = share_servers.list_servers(connection, host=host, statuses=STATUSES)
    for row in abandoned.older(rows, before):
        method, lane, more = _how(row)
        yield (
            lane,
            casting.internal(
                method,
                message_id=abandoned.message_id(method, row, before),
                share_server_id=row["id"],
                status=row["status"],
                **more,
            ),
        )


def _how(row: Record) -> tuple[str, str, dict[str, str]]:
    """Return method, lane and further arguments: changes of a network have a lane of its own."""
    network_id = row["share_network_id"]
    if row["status"] == server_states.NETWORK_CHANGE and network_id is not None:
        lane = changing.LANE.format(share_network_id=network_id)
        return RECONCILE_CHANGE, lane, {"share_network_id": network_id}
    return RECONCILE, LANE.format(share_server_id=row["id"]), {}


def reconciling_failed(
    op: Operation, error: BaseException, share_server_id: str, status: str, **rest: Any
) -> list[Write]:
    """Put the server into the error status that belongs to its transitional one."""
    server = get_server(op, share_server_id)
    if server is None or server["status"] != status:
        return []
    now = op.clock.now()
    new = server_states.ERROR_STATUS[status]
    writes = share_server_changes.move(share_server_id, status, new, now)
    if status == server_states.NETWORK_CHANGE and server["share_network_id"] is not None:
        writes += server_network_changes.settled(server["share_network_id"], now)
    return writes


@flow(RECONCILE, lane=LANE, resource=RESOURCE, on_failure=reconciling_failed, internal=True)
def reconcile_share_server(op: Operation, share_server_id: str, status: str) -> Any:
    """Bring an abandoned server to an end."""
    server = get_server(op, share_server_id)
    if server is None or server["status"] != status:
        return common.skip(op, "the share server has moved on")
    if status == server_states.DELETING:
        return tear_down.delete_share_server(op, share_server_id)
    if status == server_states.UNMANAGE_STARTING:
        return managing.unmanage_share_server(op, share_server_id)
    if status == server_states.CREATING and server["identifier"] is not None:
        new = server_states.ACTIVE
        return op.finish(share_server_changes.move(share_server_id, status, new, op.clock.now()))
    raise abandoned.Abandoned(what=f"Share server {share_server_id}", status=status)


@flow(
    RECONCILE_CHANGE,
    lane=changing.LANE,
    resource=RESOURCE,
    on_failure=reconciling_failed,
    internal=True,
)
def reconcile_change(
    op: Operation, share_network_id: str, share_server_id: str, status: str
) -> Any:
    """The same for a server in an abandoned change of its network, behind casts about that."""
    return reconcile_share_server(op, share_server_id, status)
