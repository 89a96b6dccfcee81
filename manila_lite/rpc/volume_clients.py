# SPDX-License-Identifier: Apache-2.0
"""Clients for volume services and for Cinder's schedulers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from manila_lite import no_eventlet
from manila_lite.context import RequestContext
from manila_lite.rpc import volume_methods
from manila_lite.rpc.clients import Client, TableClient

with no_eventlet.hidden():
    import oslo_messaging

VOLUME_TOPIC = "cinder-volume"
SCHEDULER_TOPIC = "cinder-scheduler"


class VolumeAPI(TableClient):
    """Sends requests to volume services: the methods of volume_methods.METHODS."""

    methods = volume_methods.METHODS

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        topic: str = VOLUME_TOPIC,
        *,
        retry: int | None = None,
    ) -> None:
        super().__init__(transport, topic, retry=retry)


class VolumeSchedulerAPI(Client):
    """Sends reports to Cinder's schedulers; version and arguments as in Cinder."""

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        topic: str = SCHEDULER_TOPIC,
        *,
        retry: int | None = None,
    ) -> None:
        super().__init__(transport, topic, retry=retry)

    def update_service_capabilities(
        self,
        context: RequestContext,
        service_name: str,
        host: str,
        capabilities: Mapping[str, Any],
        timestamp: datetime.datetime | None = None,
        cluster_name: str | None = None,
    ) -> None:
        """Report to every scheduler what a back end can do. ``timestamp``: naive UTC, now if None.

        host: 'host@backend'. The scheduler drops a report that is older than one that it has.
        """
        moment = timestamp or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        args = {
            "service_name": service_name,
            "host": host,
            "capabilities": dict(capabilities),
            "cluster_name": cluster_name,
            "timestamp": moment.isoformat(timespec="microseconds"),
        }
        self._fanout(context, "update_service_capabilities", "3.3", args)


def alternative_queue(topic: str, host: str) -> str:
    """The queue on which Cinder's clients of 3.6 and later look for the service of a host.

    They take ``<topic>.host@backend`` for the topic and ``host`` for the server.
    """
    return f"{topic}.{host}.{host.partition('@')[0]}"
