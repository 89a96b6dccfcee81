# SPDX-License-Identifier: Apache-2.0
"""connection_get_info: how a share is mounted, for a service that copies its data."""

from __future__ import annotations

from typing import Any

from manila_lite import exception
from manila_lite.context import RequestContext
from manila_lite.engine.registry import CALL, flow
from manila_lite.share.environment import ShareEnvironment


@flow("connection_get_info", version="1.12", lane="call", kind=CALL)
def connection_get_info(
    environment: ShareEnvironment, context: RequestContext, share_instance_id: str
) -> dict[str, Any]:
    """Return what the driver says: commands to mount and to unmount, and access_mapping.

    Raises NotFound for an instance that is deleted, and what the driver raises.
    """
    instance = environment.complete_instances.get(share_instance_id)
    if instance is None:
        raise exception.NotFound(f"Share instance {share_instance_id} could not be found.")
    answer: dict[str, Any] = environment.driver.connection_get_info(
        context, instance, share_server=instance["share_server"]
    )
    return answer
