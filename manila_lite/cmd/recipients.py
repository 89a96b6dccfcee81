# SPDX-License-Identifier: Apache-2.0
"""Who carries requests out: the service of shares and that of volumes.

Everything heavy is imported when it is needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manila_lite.cmd.app import App
    from manila_lite.engine.journal import LaneResolver
    from manila_lite.engine.registry import FlowRegistry
    from manila_lite.rpc.endpoints import Endpoints

    Flows = tuple[FlowRegistry, Mapping[str, tuple[str, LaneResolver]]]

# A person waits: try a broker that is away this often, not for ever.
_BROKER_TRIES = 2


@dataclasses.dataclass(frozen=True)
class Recipient:
    """One kind of service.

    program: what is started for it. binary: its name in the services table. flows: what it can do,
    and how lanes are found. client: who casts to it over the broker. endpoints: how it reads casts.
    """

    program: str
    binary: str
    flows: Callable[[], Flows]
    client: Callable[[App], Any]
    endpoints: Callable[[], Endpoints]


def _share_flows() -> Flows:
    from manila_lite.engine.registry import registry
    from manila_lite.share import flows

    return registry, flows.LANE_RESOLVERS


def _share_client(app: App) -> Any:
    from manila_lite.rpc.clients import ShareAPI

    return ShareAPI(app.transport, app.conf.share_topic, retry=_BROKER_TRIES)


def _share_endpoints() -> Endpoints:
    from manila_lite.rpc.endpoints import Endpoints
    from manila_lite.rpc.share_objects import reduced

    return Endpoints(_share_flows()[0].flows, prepare=reduced)


def _volume_flows() -> Flows:
    from manila_lite.volume import flows

    return flows.registry, flows.LANE_RESOLVERS


def _volume_client(app: App) -> Any:
    from manila_lite.rpc.volume_clients import VolumeAPI

    return VolumeAPI(app.transport, app.conf.volume_topic, retry=_BROKER_TRIES)


def _volume_endpoints() -> Endpoints:
    from manila_lite.rpc import volume_methods, volume_objects
    from manila_lite.rpc.endpoints import Endpoints

    flows = _volume_flows()[0].flows
    return Endpoints(flows, volume_methods.RPC_API_VERSION, volume_objects.reduced)


SHARES = Recipient(
    program="manila-lite-share",
    binary="manila-share",
    flows=_share_flows,
    client=_share_client,
    endpoints=_share_endpoints,
)
VOLUMES = Recipient(
    program="manila-lite-volume",
    binary="manila-lite-volume",
    flows=_volume_flows,
    client=_volume_client,
    endpoints=_volume_endpoints,
)


def recipient_of(app: App, routing_key: str | None) -> Recipient:
    """Who was meant to get a message that was sent with this routing key."""
    to_volumes = (routing_key or "").startswith(app.conf.volume_topic)
    return VOLUMES if to_volumes else SHARES
