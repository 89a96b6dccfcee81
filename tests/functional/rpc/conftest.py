# SPDX-License-Identifier: Apache-2.0
"""A listener on a real broker, and a sender of raw messages."""

import contextlib
import json
import pathlib
import tempfile
import threading
import time

import kombu
import pytest
from oslo_config import cfg

from manila_lite.conf import rpc as rpc_conf
from manila_lite.engine.registry import FlowRegistry
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


def make_conf(url, exchange, rabbit=None, **options):
    """A configuration as from a file, with options of [manila_lite] and [oslo_messaging_rabbit]."""
    lines = ["[DEFAULT]", f"transport_url = {url}", f"control_exchange = {exchange}"]
    lines += ["[manila_lite]", *(f"{key} = {value}" for key, value in options.items())]
    lines += ["[oslo_messaging_rabbit]"]
    lines += [f"{key} = {value}" for key, value in (rabbit or {}).items()]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("\n".join(lines))
        file.flush()
        conf = cfg.ConfigOpts()
        rpc_conf.register(conf)
        conf([], default_config_files=[file.name], default_config_dirs=[])
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


class Journal:
    """What an Intake records into: operations and letters in memory."""

    def __init__(self):
        self.operations = []
        self.letters = []
        self.before = lambda operations, letters: None

    def record(self, operations, letters=()):
        self.before(operations, letters)
        self.operations += operations
        self.letters += letters

    def has(self, message_id):
        return any(operation.message_id == message_id for operation in self.operations)


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

    def server(self, flows, journal, run_call=None, *, server=SERVER, **options):
        """A whole RPC server, started."""
        conf = self.conf(**options)
        made = rpc_server.RpcServer(
            conf,
            self.transport(conf),
            topic=self.topic,
            server=server,
            flows=flows,
            journal=journal,
            run_call=run_call or (lambda call: None),
        )
        made.start()
        self._exits.callback(made.stop, 5)
        made.wait_until_tried(WAIT)
        return made

    def unacknowledged(self):
        """Messages in the server's queue, acknowledged by nobody. Exact for classic queues only."""
        rows = self.broker.listed("queues", "name", "messages")
        return next(row["messages"] for row in rows if row["name"] == self.queue)

    def transport(self, conf=None):
        transport = transports.make_transport(conf or self.conf())
        self._exits.callback(transport.cleanup)
        return transport

    def listener(self, journal, *, receive=lambda raw: raw, start=True, conf=None, **options):
        """A listener with no-op reading; started, and waited for until it can receive."""
        conf = conf or self.conf()
        conf = conf if isinstance(conf, cfg.ConfigOpts) else self.conf(**conf)
        connect = rpc_server.connector(conf, self.transport(conf), topic=self.topic, server=SERVER)
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


@pytest.fixture
def registry():
    """Flows to send to: enough of the share service's signatures."""
    flows = FlowRegistry()

    @flows.flow("create_share_instance", version="1.4", lane="share:{share_instance_id}")
    def create_share_instance(
        op,
        share_instance_id: str,
        request_spec: dict,
        filter_properties: dict,
        snapshot_id: str | None = None,
    ): ...

    @flows.flow("create_snapshot", version="1.0", lane="share:{share_id}")
    def create_snapshot(op, share_id: str, snapshot_id: str): ...

    @flows.flow("extend_share", version="1.2", lane="share:{share_id}")
    def extend_share(op, share_id: str, new_size: int, reservations: list[str] | None = None): ...

    @flows.flow("connection_get_info", version="1.12", lane="call", kind="call")
    def connection_get_info(op, share_instance_id: str): ...

    @flows.flow("reconcile", lane="service", internal=True)
    def reconcile(op): ...

    return flows
