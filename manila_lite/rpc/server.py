# SPDX-License-Identifier: Apache-2.0
"""The server side of RPC: put together, started and stopped."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from manila_lite import no_eventlet
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import rpc as rpc_conf
from manila_lite.rpc import intake, oslo_inside
from manila_lite.rpc import transport as transports
from manila_lite.rpc.calls import CallPool
from manila_lite.rpc.endpoints import RPC_API_VERSION, Accepted, Endpoints, Flow, Prepare
from manila_lite.rpc.listener import BatchListener, Connect
from manila_lite.rpc.oslo_inside import TopologyConflict

with no_eventlet.hidden():
    import oslo_messaging


class RpcServer:
    """Listens on ``topic``, ``topic.server`` and the topic's fanout exchange.

    Start it when the engine runs; stop it before the engine, so that what is still journaled is
    carried out or left queued.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        transport: oslo_messaging.Transport,
        *,
        topic: str,
        server: str,
        flows: Mapping[str, Flow],
        journal: intake.Journal,
        run_call: Callable[[Accepted], Any],
        clock: Clock | None = None,
        version: str = RPC_API_VERSION,
        prepare: Prepare | None = None,
        also: Sequence[str] = (),
    ) -> None:
        """server: 'host@backend'. transport: of transport.make_transport(conf).

        version, prepare: see Endpoints. also: further queues of this server; see Link.
        """
        options = conf[rpc_conf.GROUP]
        self._clock = clock or SystemClock()
        self.endpoints = Endpoints(flows, version, prepare)
        self.calls = CallPool(
            run_call,
            oslo_inside.Replies(transport),
            threads=options.rpc_call_threads,
            backlog=options.rpc_call_backlog,
            clock=self._clock,
        )
        taken_in = intake.Intake(
            self.endpoints, journal, self.calls, max_bytes=options.max_message_bytes
        )
        self.listener: BatchListener[intake.Item] = BatchListener(
            connector(conf, transport, topic=topic, server=server, also=also),
            taken_in.journal,
            receive=taken_in.receive,
            takes_long=intake.takes_long,
            batch_size=options.rpc_batch_size,
            clock=self._clock,
            name=f"rpc {topic}.{server}",
        )

    def start(self) -> None:
        """Begin to listen, in the background: a broker that is away delays nothing."""
        self.calls.start()
        self.listener.start()

    def wait_until_tried(self, timeout: float) -> None:
        """Wait for the first attempt to declare the queues, for ``timeout`` seconds at most.

        :raises TopologyConflict: the broker has other queues than the options say. No waiting
            mends that, so it is worth ending the service for. A broker that cannot be reached
            is no error here.
        """
        if self._clock.wait(self.listener.tried, timeout) and isinstance(
            self.listener.error, TopologyConflict
        ):
            raise self.listener.error

    def stop(self, timeout: float = 10.0) -> bool:
        """Stop listening, then let calls finish; whether both ended within ``timeout`` seconds."""
        deadline = self._clock.monotonic() + timeout
        listened = self.listener.stop(timeout)
        return self.calls.stop(max(0.0, deadline - self._clock.monotonic())) and listened


def connector(
    conf: cfg.ConfigOpts,
    transport: oslo_messaging.Transport,
    *,
    topic: str,
    server: str,
    also: Sequence[str] = (),
) -> Connect:
    """A function that connects to the broker and declares the queues of one server.

    The fanout queue keeps its name over reconnections, so that its messages are still there.
    """
    return functools.partial(
        oslo_inside.Link,
        transport,
        exchange=conf.control_exchange,
        topic=topic,
        server=server,
        fanout_queue=oslo_inside.fanout_queue_name(topic),
        single_active_consumer=transports.single_active_consumer(conf),
        also=also,
    )
