# SPDX-License-Identifier: Apache-2.0
"""What our clients put on the wire, compared key by key with what Manila 23 did."""

import datetime
import json
import threading

import kombu
import pytest

from manila_lite.context import RequestContext, get_admin_context
from manila_lite.rpc.clients import NoSuchQueue, SchedulerAPI, ShareAPI
from tests.functional.rpc.conftest import SERVER, eventually, recorded

# Different each time it is sent.
VARYING = {"_unique_id", "_msg_id", "_reply_q", "_context_timestamp", "_context_request_id"}


class Tap:
    """A plain queue where a service would have one, read with kombu."""

    def __init__(self, stack, routing_key, exchange=None, kind="topic"):
        self._connection = stack.broker.connect()
        self._channel = self._connection.channel()
        source = kombu.Exchange(
            exchange or stack.exchange,
            type=kind,
            durable=kind == "topic",
            auto_delete=kind == "fanout",
        )
        self._queue = kombu.Queue(
            f"tap-{routing_key}", source, routing_key=routing_key, channel=self._channel,
            auto_delete=False,
        )  # fmt: skip
        self._queue.declare()

    def message(self):
        return eventually(lambda: self._queue.get(no_ack=True), "a message at the tap")

    def close(self):
        self._connection.release()


@pytest.fixture
def tap(stack):
    def make(*args, **kwargs):
        made = Tap(stack, *args, **kwargs)
        stack._exits.callback(made.close)
        return made

    return make


def context_of(recording):
    values = {
        key[9:]: value
        for key, value in recording["oslo.message"].items()
        if key.startswith("_context_")
    }
    return RequestContext.from_wire(values)


def compare(message, recording):
    """The message that arrived is the recorded one, but for what varies."""
    envelope = json.loads(message.body)
    sent = json.loads(envelope.pop("oslo.message"))
    expected = recording["oslo.message"]
    assert envelope == {"oslo.version": recording["oslo.version"]}
    assert set(sent) == set(expected)
    assert {k: v for k, v in sent.items() if k not in VARYING} == {
        k: v for k, v in expected.items() if k not in VARYING
    }
    properties = recording["amqp_properties"]
    for name in ("content_type", "content_encoding", "delivery_mode", "priority", "expiration"):
        assert message.properties.get(name) == properties.get(name), name


def same_types(value, expected):
    """JSON's types, which == does not tell apart (1 and true)."""
    return json.dumps(value, sort_keys=True) == json.dumps(expected, sort_keys=True)


RECORDED_CASTS = [
    "create_share_instance", "create_snapshot", "delete_share_instance", "delete_snapshot",
    "extend_share", "revert_to_snapshot", "shrink_share", "update_access",
]  # fmt: skip


@pytest.mark.parametrize("method", RECORDED_CASTS)
def test_share_api_sends_what_manila_sends(method, stack, tap):
    _, recording = recorded(f"{method}.to-share")
    at = tap(f"{stack.topic}.{SERVER}")
    api = ShareAPI(stack.transport(), stack.topic)
    send = getattr(api, method)
    send(context_of(recording), f"{SERVER}#pool", **recording["oslo.message"]["args"])
    message = at.message()
    compare(message, recording)
    assert message.delivery_info["exchange"] == stack.exchange
    assert same_types(
        json.loads(json.loads(message.body)["oslo.message"])["args"],
        recording["oslo.message"]["args"],
    )


@pytest.mark.parametrize("method", ["create_share_instance", "extend_share"])
def test_scheduler_api_sends_what_manilas_api_tier_sends(method, stack, tap):
    _, recording = recorded(f"{method}.api-to-scheduler")
    at = tap(stack.topic)
    api = SchedulerAPI(stack.transport(), stack.topic)
    getattr(api, method)(context_of(recording), **recording["oslo.message"]["args"])
    compare(at.message(), recording)


def test_a_capability_report_is_what_manilas_manager_sends(stack, tap):
    _, recording = recorded("update_service_capabilities.to-schedulers")
    at = tap("report", f"{stack.topic}_fanout", "fanout")
    args = dict(recording["oslo.message"]["args"])
    args["timestamp"] = datetime.datetime.fromisoformat(args["timestamp"])
    api = SchedulerAPI(stack.transport(), stack.topic)
    api.update_service_capabilities(get_admin_context(), **args)
    message = at.message()
    compare(message, recording)
    assert message.delivery_info["routing_key"] == ""


def test_get_pools_is_a_call_that_returns_what_a_scheduler_replies(stack, tap):
    _, recording = recorded("get_pools.api-to-scheduler")
    at = tap(stack.topic)
    api = SchedulerAPI(stack.transport(), stack.topic)
    answers = []
    args = recording["oslo.message"]["args"]
    caller = threading.Thread(
        target=lambda: answers.append(api.get_pools(context_of(recording), **args))
    )
    caller.start()
    message = at.message()
    compare(message, recording)
    sent = json.loads(json.loads(message.body)["oslo.message"])
    reply = {"result": [{"name": "p"}], "failure": None, "ending": True}
    reply |= {"_msg_id": sent["_msg_id"], "_unique_id": "reply-1"}
    body = {"oslo.version": "2.0", "oslo.message": json.dumps(reply)}
    stack.sender().send(json.dumps(body), exchange="", routing_key=sent["_reply_q"])
    caller.join(20)
    assert answers == [[{"name": "p"}]]


@pytest.mark.parametrize("kind", ["cast", "call"])
def test_a_request_to_a_queue_that_does_not_exist_is_an_error(kind, stack):
    api = ShareAPI(stack.transport(), stack.topic)
    with pytest.raises(NoSuchQueue, match=f"{stack.topic}.nobody@nowhere"):
        if kind == "cast":
            api.update_access(get_admin_context(), "nobody@nowhere", share_instance_id="i")
        else:
            api.connection_get_info(get_admin_context(), "nobody@nowhere", share_instance_id="i")


def test_after_an_undeliverable_cast_the_client_goes_on_working(stack, tap):
    at = tap(f"{stack.topic}.{SERVER}")
    api = ShareAPI(stack.transport(), stack.topic)
    with pytest.raises(NoSuchQueue):
        api.update_access(get_admin_context(), "nobody@nowhere", share_instance_id="i")
    api.update_access(get_admin_context(), SERVER, share_instance_id="i")
    assert json.loads(json.loads(at.message().body)["oslo.message"])["method"] == "update_access"


def test_a_fanout_that_nobody_hears_is_no_error(stack):
    api = ShareAPI(stack.transport(), stack.topic)
    assert api.publish_service_capabilities(get_admin_context()) is None
