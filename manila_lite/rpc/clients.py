# SPDX-License-Identifier: Apache-2.0
"""Clients that write oslo.messaging's wire format: to share services, to Manila's schedulers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from manila_lite import exception, no_eventlet
from manila_lite.context import RequestContext
from manila_lite.rpc import share_methods
from manila_lite.rpc.share_methods import Method

with no_eventlet.hidden():
    import oslo_messaging

SHARE_TOPIC = "manila-share"
SCHEDULER_TOPIC = "manila-scheduler"


class NoSuchQueue(exception.ManilaException):
    """A cast went to a queue that does not exist; nothing was sent."""

    message = (
        "There is no queue %(queue)s on the message broker: no such service has ever listened "
        "there. Check the host name, the topic and transport_url."
    )


class _Serializer(oslo_messaging.NoOpSerializer):
    """Writes our contexts as Manila's; arguments are plain values already."""

    def serialize_context(self, context: RequestContext | Mapping[str, Any]) -> dict[str, Any]:
        return context.to_wire() if isinstance(context, RequestContext) else dict(context)

    def deserialize_context(self, context: Mapping[str, Any]) -> RequestContext:
        return RequestContext.from_wire(context)


class Client:
    """What all clients share: a topic, and casts that do not vanish."""

    def __init__(
        self, transport: oslo_messaging.Transport, topic: str, *, retry: int | None = None
    ) -> None:
        """retry: how often to try a broker that cannot be reached; None: for ever."""
        self._topic = topic
        # Mandatory: the broker reports a message that no queue takes instead of dropping it.
        self._client = oslo_messaging.get_rpc_client(
            transport,
            oslo_messaging.Target(topic=topic),
            serializer=_Serializer(),
            retry=retry,
            transport_options=oslo_messaging.TransportOptions(at_least_once=True),
        )

    def _cast(
        self,
        context: RequestContext,
        method: str,
        version: str,
        args: Mapping[str, Any],
        *,
        server: str | None = None,
    ) -> None:
        try:
            self._client.prepare(server=server, version=version).cast(context, method, **args)
        except oslo_messaging.MessageUndeliverable as error:
            raise self._no_such_queue(server) from error

    def _call(
        self,
        context: RequestContext,
        method: str,
        version: str,
        args: Mapping[str, Any],
        *,
        server: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        options = {} if timeout is None else {"timeout": timeout}
        target = self._client.prepare(server=server, version=version, **options)
        try:
            return target.call(context, method, **args)
        except oslo_messaging.MessageUndeliverable as error:
            raise self._no_such_queue(server) from error

    def _fanout(
        self, context: RequestContext, method: str, version: str, args: Mapping[str, Any]
    ) -> None:
        """Cast to all that listen; none listening is no error."""
        self._client.prepare(fanout=True, version=version).cast(context, method, **args)

    def _no_such_queue(self, server: str | None) -> NoSuchQueue:
        return NoSuchQueue(queue=self._topic if server is None else f"{self._topic}.{server}")


def server_of(host: str) -> str:
    """The server that serves a host: ``host@backend`` of ``host@backend#pool``."""
    server = host.partition("#")[0]
    if not server:
        raise exception.InvalidHost(reason=f"{host!r} names no server")
    return server


class TableClient(Client):
    """A client that has a method for each entry of ``methods``.

    Called as ``method(context, host, **arguments)``; a call's result is returned, a cast returns
    None when the broker has it. ``host`` may name a pool. A method that goes to all services by
    fanout takes no host.
    """

    methods: ClassVar[Mapping[str, Method]] = {}

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for entry in cls.methods.values():
            _add_method(cls, entry)

    def send(self, context: RequestContext, method: str, host: str | None, **args: Any) -> Any:
        """Send a method by its name.

        :raises TypeError: for arguments that the method does not have, or lacks.
        :raises NoSuchQueue: when no service has listened under that host.
        """
        entry = self.methods[method]
        _check_arguments(entry, args)
        if entry.kind == share_methods.FANOUT:
            return self._fanout(context, method, entry.version, args)
        if host is None:
            raise TypeError(f"{method}() needs a host")
        way = self._call if entry.kind == share_methods.CALL else self._cast
        return way(context, method, entry.version, args, server=server_of(host))


def _check_arguments(entry: Method, args: Mapping[str, Any]) -> None:
    missing = [name for name in entry.args if name not in args]
    unknown = [name for name in args if name not in entry.args]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has no {', '.join(unknown)}"] if unknown else []
        raise TypeError(f"{entry.name}() {' and '.join(parts)}")


def _add_method(cls: type[TableClient], entry: Method) -> None:
    """Give a client a method for an entry of its table."""
    if entry.kind == share_methods.FANOUT:

        def send(self: TableClient, context: RequestContext) -> Any:
            return self.send(context, entry.name, None)

    else:

        def send(  # type: ignore[misc]
            self: TableClient, context: RequestContext, host: str, **args: Any
        ) -> Any:
            return self.send(context, entry.name, host, **args)

    send.__name__ = entry.name
    send.__qualname__ = f"{cls.__name__}.{entry.name}"
    send.__doc__ = (
        f"{entry.kind.capitalize()} of version {entry.version}; arguments: "
        f"{', '.join(entry.args) or 'none'}."
    )
    setattr(cls, entry.name, send)


class ShareAPI(TableClient):
    """Sends requests to share services: the methods of share_methods.METHODS."""

    methods = share_methods.METHODS

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        topic: str = SHARE_TOPIC,
        *,
        retry: int | None = None,
    ) -> None:
        super().__init__(transport, topic, retry=retry)


class SchedulerAPI(Client):
    """Sends requests and reports to Manila's schedulers; versions and arguments as in Manila 23."""

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
    ) -> None:
        """Report to every scheduler what a back end can do. ``timestamp``: naive UTC, now if None.

        host: 'host@backend'. capabilities: as the driver's get_share_stats() returns them.
        """
        moment = timestamp or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        args = {
            "service_name": service_name,
            "host": host,
            "capabilities": dict(capabilities),
            "timestamp": moment.isoformat(),
        }
        self._fanout(context, "update_service_capabilities", "1.10", args)

    def create_share_instance(
        self,
        context: RequestContext,
        request_spec: Mapping[str, Any],
        filter_properties: Mapping[str, Any],
    ) -> None:
        """Have a scheduler choose a back end for a new share and cast to it."""
        args = {"request_spec": request_spec, "filter_properties": filter_properties}
        self._cast(context, "create_share_instance", "1.2", args)

    def extend_share(
        self,
        context: RequestContext,
        share_id: str,
        new_size: int,
        reservations: Sequence[str] | None,
        request_spec: Mapping[str, Any],
        filter_properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Have a scheduler check the room for an extension to ``new_size`` GiB and cast it on."""
        args = {
            "share_id": share_id,
            "new_size": new_size,
            "reservations": reservations,
            "request_spec": request_spec,
            "filter_properties": filter_properties,
        }
        self._cast(context, "extend_share", "1.11", args)

    def get_pools(
        self,
        context: RequestContext,
        filters: Mapping[str, Any] | None = None,
        cached: bool = False,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Ask a scheduler for the pools that it knows. ``timeout`` in seconds."""
        args = {"filters": filters, "cached": cached}
        return self._call(context, "get_pools", "1.9", args, timeout=timeout)
