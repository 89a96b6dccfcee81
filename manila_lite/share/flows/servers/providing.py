# SPDX-License-Identifier: Apache-2.0
"""provide_share_server: which server a share would go to, for an API that moves shares."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, Final

from manila_lite import exception
from manila_lite.context import RequestContext
from manila_lite.engine import Pending
from manila_lite.engine.registry import CALL, flow
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows.servers.choosing import Provision
from manila_lite.share.flows.servers.customers import NewShare
from manila_lite.share.flows.snapshots import get_snapshot

#: How long a server that is being set up for others is waited for: the caller waits a minute.
PATIENCE: Final = 50.0  # seconds
_INTERVAL: Final = 1.0  # seconds


@flow("provide_share_server", version="1.12", lane="call", kind=CALL)
def provide_share_server(
    environment: ShareEnvironment,
    context: RequestContext,
    share_instance_id: str,
    share_network_id: str | None = None,
    snapshot_id: str | None = None,
) -> str:
    """Put a share instance on a share server, existing or new, and return the server's id.

    A new one is being set up when this returns. share_network_id: taken instead of the
    instance's. Raises ShareServerNotReady where another server is being set up on the network,
    and the driver may choose that one.
    """
    if not environment.has_share_servers:
        raise exception.InvalidDriverMode(
            driver_mode=f"{environment.host} works with driver_handles_share_servers = False"
        )
    snapshot = None
    if snapshot_id is not None:
        surroundings: Any = SimpleNamespace(env=environment)
        snapshot = get_snapshot(surroundings, snapshot_id)
        if snapshot is None:
            raise exception.ShareSnapshotNotFound(snapshot_id=snapshot_id)
    share = NewShare(share_instance_id, snapshot, share_network_id)
    provision = Provision(environment, context, share)
    deadline = environment.clock.monotonic() + PATIENCE
    while isinstance(server := provision.assign(), Pending):
        if environment.clock.monotonic() >= deadline:
            raise exception.ShareServerNotReady(
                share_server_id=server.progress, state="active", time=PATIENCE
            )
        environment.clock.wait(threading.Event(), _INTERVAL)
    return str(server["id"])
