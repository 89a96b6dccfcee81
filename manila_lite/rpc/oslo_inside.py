# SPDX-License-Identifier: Apache-2.0
"""The one module that leans on what oslo.messaging does not promise to keep.

oslo.messaging acknowledges a request before it calls any code of a service, and rejects (loses)
what it cannot decode. This module borrows the connection, queue and reply classes of its RabbitMQ
driver, and hands over each message as it came: not decoded and not acknowledged.

tests/unit/rpc/test_oslo_inside.py compares every name used here with the installed library.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from oslo_config import cfg
from oslo_utils import strutils

from manila_lite import exception, no_eventlet
from manila_lite.rpc.wire import RawMessage

with no_eventlet.hidden():
    import amqp
    import oslo_messaging
    from oslo_messaging._drivers import amqp as rpc_amqp
    from oslo_messaging._drivers import amqpdriver, impl_rabbit
    from oslo_messaging._drivers import common as rpc_common
    from oslo_messaging._metrics import client as metrics

    try:
        from oslo_messaging._tracing import client as tracing
    except ImportError:  # older releases
        tracing = None

Deliver = Callable[[RawMessage], None]

RABBIT_GROUP = "oslo_messaging_rabbit"
SINGLE_ACTIVE_CONSUMER = "x-single-active-consumer"


class TopologyConflict(exception.ManilaException):
    """RabbitMQ has a queue or an exchange of this name that was declared differently."""

    message = (
        "RabbitMQ refused to declare queue %(queue)r on exchange %(exchange)r as configured, "
        "because it exists with other properties: %(answer)s. Declare what the deployment has: "
        "with [manila_lite] queue_compat = manila, queues are what oslo.messaging declares, "
        "which [oslo_messaging_rabbit] amqp_durable_queues (for 'durable') and "
        "rabbit_quorum_queue (for 'x-queue-type') decide on both sides. Or delete the queue or "
        "exchange while nothing uses it."
    )


class _RawConsumer(impl_rabbit.Consumer):
    """A queue of ours: declared by oslo.messaging's code, its messages left untouched."""

    def _callback(self, message: amqp.Message) -> None:
        properties = dict(message.properties)
        headers = properties.pop("application_headers", None)
        delivery = message.delivery_info
        self.callback(
            RawMessage(
                body=bytes(message.body or b""),
                properties=properties,
                headers=headers or {},
                delivery_tag=delivery["delivery_tag"],
                redelivered=delivery["redelivered"],
                exchange=delivery["exchange"],
                routing_key=delivery["routing_key"],
            )
        )

    def _declare_fallback_nondurable(self, err: Exception, conn: Any, arguments: Any) -> None:
        # The library would go on with an exchange that loses its bindings when the broker stops.
        raise err

    def declare(self, conn: impl_rabbit.Connection) -> None:
        try:
            super().declare(conn)
        except amqp.exceptions.PreconditionFailed as error:
            raise TopologyConflict(
                queue=self.queue_name,
                exchange=self.exchange_name,
                answer=error.reply_text,
            ) from error


class Link:
    """One connection to the broker that consumes the queues of one server.

    Belongs to one thread, except for :meth:`wake`. Any exception from any method means that the
    link is of no use any more: close it and make another one; what was not acknowledged comes
    again.
    """

    def __init__(
        self,
        transport: oslo_messaging.Transport,
        deliver: Deliver,
        *,
        exchange: str,
        topic: str,
        server: str,
        fanout_queue: str,
        single_active_consumer: bool,
        also: Sequence[str] = (),
    ) -> None:
        """Connect and declare; raises at once when the broker cannot be reached.

        also: further names under which senders know this very server.

        :raises TopologyConflict: when a queue or exchange exists with other properties.
        """
        self._deliver = deliver
        self._exchange = exchange
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._connection: impl_rabbit.Connection | None = None
        self._consumed: list[_RawConsumer] = []
        try:
            pool = transport._driver._connection_pool
            self._connection = pool.create(purpose=rpc_common.PURPOSE_LISTEN, retry=0)
            self._queues = [
                self._topic_queue(topic, sole=False),
                self._topic_queue(f"{topic}.{server}", sole=single_active_consumer),
                *(self._topic_queue(name, sole=single_active_consumer) for name in also),
            ]
            self._fanout = self._fanout_queue(topic, fanout_queue)
            for queue in (*self._queues, self._fanout):
                queue.declare(self._connection)
            # Bodies as they came: a text could not be told from what it was decoded from.
            self._channel.auto_decode = False
            _tolerate_bad_properties(self._channel.connection)
            self._poll = select.poll()
            self._poll.register(self._channel.connection.sock, select.POLLIN)
            self._poll.register(self._wake_fd, select.POLLIN)
            self._wake_poll = select.poll()
            self._wake_poll.register(self._wake_fd, select.POLLIN)
        except BaseException:
            self.close()
            raise

    @property
    def _channel(self) -> amqp.Channel:
        assert self._connection is not None
        return self._connection.channel

    def _topic_queue(self, name: str, *, sole: bool) -> _RawConsumer:
        """As Connection.declare_topic_consumer() makes it."""
        connection = self._connection
        assert connection is not None
        queue = _RawConsumer(
            exchange_name=self._exchange,
            queue_name=name,
            routing_key=name,
            type="topic",
            durable=connection.durable,
            exchange_auto_delete=connection.amqp_auto_delete,
            queue_auto_delete=connection.amqp_auto_delete,
            callback=self._deliver,
            rabbit_ha_queues=connection.rabbit_ha_queues,
            enable_cancel_on_failover=connection.enable_cancel_on_failover,
            rabbit_quorum_queue=connection.rabbit_quorum_queue,
            rabbit_quorum_queue_config=connection.rabbit_quorum_queue_config,
        )
        if sole:
            queue.queue_arguments[SINGLE_ACTIVE_CONSUMER] = True
        return queue

    def _fanout_queue(self, topic: str, name: str) -> _RawConsumer:
        """As Connection.declare_fanout_consumer() makes it, but of a given name and no stream."""
        connection = self._connection
        assert connection is not None
        return _RawConsumer(
            exchange_name=f"{topic}_fanout",
            queue_name=name,
            routing_key=topic,
            type="fanout",
            durable=connection.rabbit_transient_quorum_queue,
            exchange_auto_delete=True,
            queue_auto_delete=False,
            callback=self._deliver,
            rabbit_ha_queues=connection.rabbit_ha_queues,
            rabbit_queue_ttl=connection.rabbit_transient_queues_ttl,
            enable_cancel_on_failover=connection.enable_cancel_on_failover,
            rabbit_quorum_queue=connection.rabbit_transient_quorum_queue,
            rabbit_quorum_queue_config=connection.rabbit_quorum_queue_config,
        )

    def consume(self) -> None:
        """Start the flow of messages."""
        for queue in (*self._queues, self._fanout):
            self._consumed.append(queue)
            queue.consume(self._connection, tag=len(self._consumed))

    def read_event(self) -> bool:
        """Handle one event that has arrived, if any: deliver a message. Does not block."""
        # amqp's own connection and not kombu's, which would quietly connect again.
        try:
            self._channel.connection.drain_events(timeout=0)
        except TimeoutError:
            return False
        return True

    def wait(self, timeout: float, *, reading: bool = True) -> None:
        """Block until something arrives, :meth:`wake` is called or ``timeout`` seconds passed.

        Not ``reading``: let what arrives wait. Else call it only when :meth:`read_event` has
        just found nothing: TLS may hold data that the socket does not show.
        """
        poll = self._poll if reading else self._wake_poll
        poll.poll(timeout * 1000)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)

    def wake(self) -> None:
        """End a :meth:`wait`; from any thread, until the link is closed."""
        os.eventfd_write(self._wake_fd, 1)

    def acknowledge(self, delivery_tag: int, *, and_all_before: bool = False) -> None:
        """Tell the broker to forget a message, or all up to it."""
        self._channel.basic_ack(delivery_tag, multiple=and_all_before)

    def heartbeat(self) -> None:
        """Send a heartbeat when one is due; raises when the broker has fallen silent."""
        assert self._connection is not None
        if self._connection._heartbeat_supported_and_enabled():
            self._connection._heartbeat_check()

    def messages_ready(self) -> int:
        """Messages in the durable queues that the broker has handed to nobody."""
        return sum(
            self._channel.queue_declare(queue.queue_name, passive=True).message_count
            for queue in self._queues
        )

    def close(self) -> None:
        """Close the connection; unacknowledged messages return to their queue. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            for queue in self._consumed:
                queue.callback = _leave_it  # messages that still arrive are not ours any more
            with contextlib.suppress(Exception):
                if self._fanout in self._consumed:
                    self._fanout.cancel(self._consumed.index(self._fanout) + 1)
                self._fanout.queue.delete()
            with contextlib.suppress(Exception):
                connection.close()
            with contextlib.suppress(Exception):
                if connection.connection is not None:
                    connection.connection.release()
        if self._wake_fd >= 0:
            os.close(self._wake_fd)
            self._wake_fd = -1


_HEADER_FRAME = 2
_HEADER_WITHOUT_PROPERTIES = struct.Struct(">HxxQ").size


def _tolerate_bad_properties(connection: amqp.Connection) -> None:
    """Have a message whose properties cannot be decoded arrive without any.

    amqp raises for it while it reads the connection. The link would break, the broker would
    deliver the message again, and so on for ever.
    """
    handle = connection.on_inbound_frame

    def handle_all(frame: tuple[int, int, Any]) -> bool:
        try:
            return handle(frame)
        except (ValueError, KeyError, IndexError, struct.error, amqp.exceptions.FrameSyntaxError):
            kind, channel, content = frame
            if kind != _HEADER_FRAME:
                raise
            no_flags = b"\0\0"
            bare = bytes(content[:_HEADER_WITHOUT_PROPERTIES]) + no_flags
            return handle((kind, channel, bare))

    connection.on_inbound_frame = handle_all


def _leave_it(raw: RawMessage) -> None:
    """What a link that closes does with a message: the broker keeps it."""


def fanout_queue_name(topic: str) -> str:
    """A name for this process's own queue of fanout casts."""
    return f"{topic}_fanout_{uuid.uuid4().hex}"


class _ReplySender(amqpdriver.AMQPIncomingMessage):
    """oslo.messaging's way of replying, for a message that it has not received itself."""

    def _send_reply(
        self, conn: Any, reply: Any = None, failure: Any = None, ending: bool = True
    ) -> None:
        message = {
            "result": reply,
            "failure": failure,
            "ending": ending,
            "_msg_id": self.msg_id,
            "_unique_id": uuid.uuid4().hex,
        }
        conn.direct_send(self.reply_q, rpc_common.serialize_msg(message))


class _Driver:
    """What a reply needs of a listener: the driver."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver


class Replies:
    """Sends replies to calls."""

    def __init__(self, transport: oslo_messaging.Transport) -> None:
        self._listener = _Driver(transport._driver)
        self._gone = amqpdriver.ObsoleteReplyQueuesCache()

    def _sender(self, msg_id: str, reply_q: str) -> _ReplySender:
        return _ReplySender(self._listener, {}, {}, None, msg_id, reply_q, None, self._gone, None)

    def result(self, msg_id: str, reply_q: str, result: Any) -> None:
        """Send what a call returned. Gives up, and logs it, when the caller is gone.

        :raises TypeError, ValueError: when the result cannot be written as JSON.
        """
        json.dumps(result)
        self._sender(msg_id, reply_q).reply(result)

    def failure(self, msg_id: str, reply_q: str, error: BaseException) -> None:
        """Send the exception that a call raised."""
        self._sender(msg_id, reply_q).reply(failure=failure_text(error))

    def alive(self, msg_id: str, reply_q: str) -> None:
        """Tell a caller that asked for it that the call is still being carried out."""
        self._sender(msg_id, reply_q).heartbeat()


def failure_text(error: BaseException) -> str:
    """An exception as oslo.messaging sends it: JSON with class, module, message, args, tb.

    Our own exceptions bear Manila's module name, so that its API service finds its own class
    and answers its user as ever. Passwords in the message are masked.
    """
    text = rpc_common.serialize_remote_exception((type(error), error, error.__traceback__))
    failure = json.loads(text)
    if str(failure["module"]).startswith("manila_lite."):
        failure["module"] = "manila.exception"
    for key in ("message", "args", "kwargs", "tb"):
        failure[key] = _masked(failure[key])
    return json.dumps(failure)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return strutils.mask_password(value)
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in strutils.mask_dict_password(value).items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def register_options(conf: cfg.ConfigOpts) -> None:
    """Make the library's options readable on ``conf`` before a transport exists.

    Those of metrics and tracing it registers on the global configuration only, and then reads
    from ours.
    """
    groups = {
        RABBIT_GROUP: [*impl_rabbit.rabbit_opts, *rpc_amqp.amqp_opts],
        "oslo_messaging_metrics": metrics.oslo_messaging_metrics,
        "oslo_messaging_tracing": tracing.oslo_messaging_tracing if tracing else [],
    }
    for group, opts in groups.items():
        conf.register_opts(opts, group=group)
