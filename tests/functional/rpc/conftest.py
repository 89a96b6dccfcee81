# SPDX-License-Identifier: Apache-2.0
"""A listener on a real broker, and a sender of raw messages."""

import contextlib
import json
import pathlib
import threading
import time

import kombu
import pytest
from oslo_config import cfg

from manila_lite.conf import rpc as rpc_conf
from manila_lite.rpc import server as rpc_server
from manila_lite.rpc import transport as transports
from manila_lite.rpc.listener import BatchListener

SERVER = "mbase@alpha"
WAIT = 20.0
_DATA = pathlib.Path(__file__).parents[2] / "data" / "wire"


def recorded(name):
    """A recorded message: its raw body, and the recording."""
    recording = json.loads((_DATA / f"{name}.json").read_text())
    return envelope(recording["oslo.message"]), recording


def envelope(message):
    text = message if isinstance(message, str) else json.dumps(message)
    return json.dumps({"oslo.version": "2.0", "oslo.message": text}).encode()


def cast_of(number, method="create_snapshot", **args):
    """The raw body of a small cast with an id that says its number."""
    args = args or {"share_id": f"share-{number}", "snapshot_id": f"snapshot-{number}"}
    return envelope(
        {
            "method": method,
            "version": "1.0",
            "args": args,
            "_unique_id": f"cast-{number}",
            "_context_request_id": f"req-{number}",
        }
    )


def make_conf(url, exchange="openstack", **options):
    """A configuration as from a file; options of [oslo_messaging_rabbit] have the prefix rabbit__."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    rpc_conf.register(conf)
    ours = {key: value for key, value in options.items() if "__" not in key}
    for key, value in ours.items():
        conf.set_override(key, value, group=rpc_conf.GROUP)
    transports.set_defaults(conf)
    for key, value in options.items():
        group, _, name = key.partition("__")
        if name:
            conf.set_override(name, value, group={"rabbit": "oslo_messaging_rabbit"}[group])
    import oslo_messaging

    oslo_messaging.set_transport_defaults(exchange)
    with contextlib.suppress(cfg.NoSuchOptError):
        conf.set_override("control_exchange", exchange)
    conf.register_opts(oslo_messaging.transport._transport_opts)
    conf.set_override("transport_url", url)
    conf.set_override("control_exchange", exchange)
    return conf


def eventually(condition, what, timeout=WAIT):
    """Wait until condition() is true and return what it returned."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        pause.wait(0.02)
    raise AssertionError(f"not within {timeout} s: {what}")


class Recorder:
    """A journal that keeps batches in memory, and that can be told to fail or to hang."""

    def __init__(self):
        self.batches = []
        self.failing = False
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.failures = 0

    def __call__(self, batch):
        self.entered.set()
        self.gate.wait(WAIT)
        if self.failing:
            self.failures += 1
            raise RuntimeError("the database is away")
        self.batches.append(list(batch))

    @property
    def all(self):
        return [item for batch in self.batches for item in batch]


class Sender:
    """Publishes raw bodies to the exchange, confirmed by the broker."""

    def __init__(self, broker, exchange, topic):
        self._connection = kombu.Connection(
            broker.amqp_url, transport_options={"confirm_publish": True}
        )
        self._channel = self._connection.channel()
        self._producer = kombu.Producer(self._channel)
        self.exchange = exchange
        self.topic = topic

    def send(self, body, *, exchange=None, routing_key=None, **properties):
        properties.setdefault("content_type", "application/json")
        properties.setdefault("content_encoding", "utf-8")
        self._producer.publish(
            body,
            exchange=self.exchange if exchange is None else exchange,
            routing_key=routing_key or f"{self.topic}.{SERVER}",
            mandatory=exchange is None,
            delivery_mode=2,
            **properties,
        )

    def close(self):
        self._connection.release()


@pytest.fixture
def stack(rabbitmq, names):
    """Makes listeners and senders, and closes them at the end."""
    with contextlib.ExitStack() as exits:
        yield Stack(rabbitmq, names, exits)


class Stack:
    def __init__(self, broker, names, exits):
        self.broker = broker
        self.exchange = names["exchange"]
        self.topic = names["topic"]
        self.queue = f"{self.topic}.{SERVER}"
        self._exits = exits

    def conf(self, **options):
        return make_conf(self.broker.url, self.exchange, **options)

    def transport(self, conf=None):
        transport = transports.make_transport(conf or self.conf())
        self._exits.callback(transport.cleanup)
        return transport

    def listener(self, journal, *, receive=lambda raw: raw, start=True, conf=None, **options):
        """A listener with no-op reading; started, and waited for until it can receive."""
        conf = conf or self.conf()
        connect = rpc_server.connector(
            conf, self.transport(conf), topic=self.topic, server=SERVER
        )
        listener = BatchListener(connect, journal, receive=receive, **options)
        if start:
            listener.start()
            self._exits.callback(listener.stop, 5)
            assert listener.tried.wait(WAIT)
        return listener

    def sender(self):
        sender = Sender(self.broker, self.exchange, self.topic)
        self._exits.callback(sender.close)
        return sender
