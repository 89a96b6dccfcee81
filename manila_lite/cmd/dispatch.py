# SPDX-License-Identifier: Apache-2.0
"""From a request to an operation: into the journal, or over the broker.

Without a broker the journal is the queue: the rows of the resource and the operation are one
transaction. With one, the rows are committed first, as Manila's API does it; when the cast then
fails, what was prepared is undone.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from manila_lite.cmd.app import App
from manila_lite.conf.load import transport_url

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.context import RequestContext

# A person waits: try a broker that is away this often, not for ever.
_BROKER_TRIES = 2


@dataclasses.dataclass(frozen=True)
class Request:
    """One cast: its RPC method and arguments, and the host (a pool may be named) that gets it."""

    method: str
    host: str
    arguments: Mapping[str, Any]
    message_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def server(self) -> str:
        """``host@backend``."""
        return self.host.partition("#")[0]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What preparing a request found and wrote.

    undo: takes the rows back, or marks them as failed, when the broker does not take the cast.
    """

    requests: Sequence[Request]
    undo: Callable[[Connection], None] = lambda connection: None


@dataclasses.dataclass(frozen=True)
class Sent:
    """How a request that was accepted is found again among the operations."""

    request_id: str
    method: str
    host: str
    uuid: str | None = None


def send(
    app: App, context: RequestContext, prepare: Callable[[Connection], Prepared]
) -> list[Sent]:
    """Prepare in a transaction and hand the requests over; each Sent stands for one request.

    When it returns, the journal or the broker has them. Raises what ``prepare`` raises; what the
    broker's client raises, after undoing.
    """
    if transport_url(app.conf) is None:
        return app.write(lambda connection: _record(app, context, connection, prepare(connection)))
    prepared = app.write(prepare)
    try:
        _cast(app, context, prepared.requests)
    except Exception:
        app.write(prepared.undo)
        raise
    return [
        Sent(context.request_id, request.method, request.server) for request in prepared.requests
    ]


def _record(
    app: App, context: RequestContext, connection: Connection, prepared: Prepared
) -> list[Sent]:
    from manila_lite.engine.journal import Journal, NewOperation
    from manila_lite.engine.registry import registry
    from manila_lite.share import flows

    sent = []
    for request in prepared.requests:
        server, resolvers = request.server, flows.LANE_RESOLVERS
        journal = Journal(app.database, server, registry, app.clock, resolvers)
        new = NewOperation(
            request.method,
            request.arguments,
            version=registry.flows[request.method].version,
            context=context.to_journal(),
            message_id=request.message_id,
        )
        recorded = journal.insert_on(connection, [new])[0]
        sent.append(Sent(context.request_id, request.method, request.server, recorded.uuid))
    return sent


def _cast(app: App, context: RequestContext, requests: Sequence[Request]) -> None:
    from manila_lite.rpc.clients import ShareAPI

    client = ShareAPI(app.transport, app.conf.share_topic, retry=_BROKER_TRIES)
    for request in requests:
        client.send(context, request.method, request.host, **request.arguments)


def warn_where_nobody_listens(app: App, hosts: Sequence[str]) -> None:
    """Say so when no service has reported for a while: the request is kept, but it waits."""
    from manila_lite.db.services import BINARY, list_services

    down_time = float(app.conf.service_down_time)
    alive = app.read(lambda c: list_services(c, app.clock.now(), down_time, BINARY))
    up = {service["host"] for service in alive if service["is_up"]}
    for host in sorted(set(hosts) - up):
        app.output.warn(
            f"No service of {host} has reported in the last {down_time:.0f} s; "
            "the operation waits for one (manila-lite-share)."
        )
