# SPDX-License-Identifier: Apache-2.0
"""Publishing casts with raw kombu, faster than oslo.messaging would, and without loss."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import kombu

from benchmarks import casts

_READ_EVERY = 100
_PATIENCE = 30.0


def publish(
    url: str, exchange: str, queue: str, made: Sequence[casts.Cast], rate: float | None = None
) -> list[float]:
    """Publish to a queue that exists; return when each cast was sent, as seconds of the epoch.

    The broker's confirmations are awaited at the end, all together: without them RabbitMQ may drop
    what a channel that is closed has not handed to its quorum queue yet.
    """
    return publish_bodies(url, exchange, queue, [casts.body(cast) for cast in made], rate)


def publish_bodies(
    url: str, exchange: str, queue: str, bodies: Sequence[bytes], rate: float | None = None
) -> list[float]:
    """As publish(), of messages that are made already."""
    moments = []
    with kombu.Connection(url) as connection:
        confirmed = _Confirmed(connection)
        for number in paced(len(bodies), rate):
            moments.append(time.time())
            confirmed.producer.publish(
                bodies[number],
                exchange=exchange,
                routing_key=queue,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
            )
            if number % _READ_EVERY == 0:
                confirmed.read_what_is_there()
        confirmed.wait_for(len(bodies))
    return moments


def paced(count: int, rate: float | None) -> Iterator[int]:
    """Yield 0 to count - 1, at most `rate` of them in a second."""
    began = time.monotonic()
    for number in range(count):
        if rate is not None:
            left = began + number / rate - time.monotonic()
            if left > 0:
                time.sleep(left)
        yield number


class _Confirmed:
    """A producer, and the numbers of messages that the broker has passed over so far."""

    def __init__(self, connection: kombu.Connection) -> None:
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        self.producer = kombu.Producer(channel)
        self._connection = connection
        self._open: set[int] = set()
        self._highest = 0

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:
        self._open.update(range(self._highest + 1, delivery_tag + 1))
        self._highest = max(self._highest, delivery_tag)
        if multiple:
            self._open = {tag for tag in self._open if tag > delivery_tag}
        else:
            self._open.discard(delivery_tag)

    def read_what_is_there(self) -> None:
        try:
            while True:
                self._connection.drain_events(timeout=0)
        except TimeoutError:
            return

    def wait_for(self, count: int) -> None:
        """Raises TimeoutError when the broker falls silent before it has confirmed so many."""
        while self._highest < count or self._open:
            self._connection.drain_events(timeout=_PATIENCE)
