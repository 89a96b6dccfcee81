# SPDX-License-Identifier: Apache-2.0
"""Consumers as a scheduler and as a billing service have them."""

import json

import kombu


class Fanout:
    """A queue of our own on a fanout exchange, declared as oslo.messaging's servers do."""

    def __init__(self, broker, exchange):
        self._connection = broker.connect()
        bound = kombu.Exchange(exchange, type="fanout", durable=False, auto_delete=True)
        queue = kombu.Queue(f"{exchange}_test", bound, durable=False, auto_delete=False)
        self._queue = queue(self._connection.channel())
        self._queue.declare()

    def take(self):
        """All messages that arrived: (delivery properties, envelope, inner message)."""
        taken = []
        while (message := self._queue.get(no_ack=True)) is not None:
            envelope = json.loads(message.body)
            taken.append((message, envelope, json.loads(envelope["oslo.message"])))
        return taken

    def close(self):
        self._queue.delete()
        self._connection.release()


class Notifications(Fanout):
    """The queue of notifications of priority info; they have no envelope method."""

    def __init__(self, broker):
        self._connection = broker.connect()
        bound = kombu.Exchange("openstack", type="topic", durable=True, auto_delete=False)
        queue = kombu.Queue(
            "notifications.info", bound, "notifications.info", durable=True, auto_delete=False,
            queue_arguments={"x-queue-type": "quorum"},
        )  # fmt: skip
        self._queue = queue(self._connection.channel())
        self._queue.declare()
