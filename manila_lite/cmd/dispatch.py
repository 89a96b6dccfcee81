# SPDX-License-Identifier: Apache-2.0
"""From a request to an operation: into the journal, or over the broker.

Without a broker the journal is the queue: the rows of the resource and the operation are one
transaction. With one, the rows are committed first, as Manila's and Cinder's APIs do it; when the
cast then fails, what was prepared is undone.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from manila_lite.cmd.app import App
from manila_lite.cmd.recipients import SHARES, Recipient
from manila_lite.conf.load import transport_url

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.context import RequestContext


@dataclasses.dataclass(frozen=True)
class Request:
    """One cast: its RPC method and arguments, and the host (a pool may be named) that gets it.

    journaled: nothing that an API would cast, so it goes into the journal in any case.
    """

    method: str
    host: str
    arguments: Mapping[str, Any]
    message_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    recipient: Recipient = SHARES
    journaled: bool = False

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
    recipient: Recipient = SHARES


def send(
    app: App, context: RequestContext, prepare: Callable[[Connection], Prepared]
) -> list[Sent]:
    """Prepare in a transaction and hand the requests over; each Sent stands for one request.

    When it returns, the journal or the broker has them. Raises what ``prepare`` raises; what the
    broker's client raises, after undoing.
    """
    to_broker = transport_url(app.conf) is not None

    def work(connection: Connection) -> tuple[Prepared, list[Sent]]:
        prepared = prepare(connection)
        recorded = [
            _record(app, context, connection, request)
            for request in prepared.requests
            if request.journaled or not to_broker
        ]
        return prepared, recorded

    prepared, sent = app.write(work)
    casts = [request for request in prepared.requests if to_broker and not request.journaled]
    try:
        return sent + [_cast(app, context, request) for request in casts]
    except Exception:
        app.write(prepared.undo)
        raise


def _record(app: App, context: RequestContext, connection: Connection, request: Request) -> Sent:
    from manila_lite.engine.journal import Journal, NewOperation

    registry, resolvers = request.recipient.flows()
    journal = Journal(app.database, request.server, registry, app.clock, resolvers)
    new = NewOperation(
        request.method,
        request.arguments,
        version=registry.flows[request.method].version,
        context=context.to_journal(),
        message_id=request.message_id,
    )
    recorded = journal.insert_on(connection, [new])[0]
    return _sent(context, request, recorded.uuid)


def _cast(app: App, context: RequestContext, request: Request) -> Sent:
    client = request.recipient.client(app)
    client.send(context, request.method, request.host, **request.arguments)
    return _sent(context, request)


def _sent(context: RequestContext, request: Request, operation: str | None = None) -> Sent:
    return Sent(context.request_id, request.method, request.server, operation, request.recipient)


def warn_where_nobody_listens(app: App, sent: Sequence[Sent]) -> None:
    """Say so when no service has reported for a while: the request is kept, but it waits."""
    from manila_lite.db.services import list_services

    down_time = float(app.conf.service_down_time)
    alive = app.read(lambda c: list_services(c, app.clock.now(), down_time))
    up = {(service["host"], service["binary"]) for service in alive if service["is_up"]}
    wanted = {(item.host, item.recipient.binary): item.recipient.program for item in sent}
    for (host, binary), program in sorted(wanted.items()):
        if (host, binary) not in up:
            app.output.warn(
                f"No service of {host} has reported in the last {down_time:.0f} s; "
                f"the operation waits for one ({program})."
            )
