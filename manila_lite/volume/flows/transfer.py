# SPDX-License-Identifier: Apache-2.0
"""accept_transfer: a volume goes over to another project. The API changes the rows."""

from __future__ import annotations

from typing import Any

from manila_lite import exception
from manila_lite.context import RequestContext
from manila_lite.db import volume_changes
from manila_lite.db.writes import execute_writes
from manila_lite.engine.registry import CALL
from manila_lite.volume.environment import VolumeEnvironment
from manila_lite.volume.flows.casting import flow


@flow("accept_transfer", version="3.0", lane="call", kind=CALL)
def accept_transfer(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    new_user: str,
    new_project: str,
    no_snapshots: bool = False,
) -> dict[str, Any] | None:
    """Let the driver do what it has to, if anything; return what it says of the volume."""
    volume = environment.volumes.get(volume_id)
    if volume is None:
        raise exception.VolumeNotFound(volume_id=volume_id)
    accept = getattr(environment.driver, "accept_transfer", None)
    update = accept(context, volume, new_user, new_project) if accept is not None else None
    writes = volume_changes.updated(volume, update, environment.clock.now())
    if writes:
        environment.db.run(lambda connection: execute_writes(connection, [writes]))
    return update
