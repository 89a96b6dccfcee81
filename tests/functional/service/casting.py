# SPDX-License-Identifier: Apache-2.0
"""Casts as they are recorded from a running Manila 23, and as our own client makes them."""

import copy
import json
import uuid
from pathlib import Path

import kombu

from manila_lite.context import RequestContext
from manila_lite.rpc import clients, transport

_DATA = Path(__file__).parents[2] / "data" / "wire"
_ID = {
    "share_id": "946a71f8-225e-4e9c-9f18-71be4db982eb",
    "instance_id": "63f79da2-bd10-458c-bb5a-3611bcfdb597",
    "type_id": "f5d8be20-812b-459c-9005-98a46d88dfe2",
    "snapshot_id": "dab5fdba-c0b4-469c-acf5-60592ed8511b",
}
_RECORDED_SERVER = "mbase@alpha"


def recording(name):
    return json.loads((_DATA / f"{name}.json").read_text())


def envelope(message):
    text = message if isinstance(message, str) else json.dumps(message)
    return json.dumps({"oslo.version": "2.0", "oslo.message": text}).encode()


def message_for(method, resource, **changes):
    """The recorded message, about our resource, with some arguments changed."""
    text = json.dumps(recording(f"{method}.to-share")["oslo.message"])
    share = getattr(resource, "share", resource)
    for name, old in _ID.items():
        new = getattr(resource, name, None) if name == "snapshot_id" else getattr(share, name)
        text = text.replace(old, new or old)
    message = json.loads(text)
    unknown = set(changes) - set(message["args"])
    assert not unknown, f"the recorded {method} has no {unknown}"
    message["args"].update(changes)
    return message


class RawSender:
    """Publishes bodies as they are, to the exchange and the routing key of the recording."""

    def __init__(self, broker):
        self._connection = kombu.Connection(
            broker.amqp_url, transport_options={"confirm_publish": True}
        )
        self._producer = kombu.Producer(self._connection.channel())

    def publish(self, body, server=_RECORDED_SERVER, *, like="create_snapshot.to-share", **other):
        recorded = recording(like)
        properties = {**recorded["amqp_properties"], **other}
        headers = properties.pop("application_headers")
        self._producer.publish(
            body,
            exchange=recorded["exchange"],
            routing_key=recorded["routing_key"].replace(_RECORDED_SERVER, server),
            headers=headers,
            mandatory=True,
            **properties,
        )

    def cast(self, method, resource, **changes):
        """Publish the recorded cast about our resource; return the request id."""
        message = message_for(method, resource, **changes)
        return self.send(method, message, server_of(resource))

    def send(self, method, message, server=_RECORDED_SERVER):
        """Publish a message under new ids, or it would pass for one that came before."""
        message = copy.deepcopy(message)
        message["_unique_id"] = uuid.uuid4().hex
        message["_context_request_id"] = f"req-{uuid.uuid4()}"
        self.publish(envelope(message), server, like=f"{method}.to-share")
        return message["_context_request_id"]

    def close(self):
        self._connection.release()


class ApiSender:
    """Sends the same arguments by our own ShareAPI."""

    def __init__(self, conf):
        self._transport = transport.make_transport(conf)
        self.api = clients.ShareAPI(self._transport, conf.share_topic)

    def cast(self, method, resource, **changes):
        context = RequestContext(project_id="admin", user_id="admin", is_admin=True)
        arguments = message_for(method, resource, **changes)["args"]
        getattr(self.api, method)(context, host_of(resource), **arguments)
        return context.request_id

    def close(self):
        self._transport.cleanup()


def host_of(resource):
    return getattr(resource, "share", resource).host


def server_of(resource):
    return host_of(resource).partition("#")[0]
