# SPDX-License-Identifier: Apache-2.0
"""Calls from oslo.messaging's own client, answered by our server."""

import importlib
import json
import sys
import threading

import oslo_messaging
import pytest

from manila_lite import exception
from manila_lite.context import get_admin_context
from manila_lite.rpc.clients import ShareAPI
from tests.functional.rpc.conftest import SERVER, WAIT, Journal, cast_of, envelope, eventually

INSTANCE = {"share_instance_id": "i-1"}


@pytest.fixture
def client(stack):
    target = oslo_messaging.Target(topic=stack.topic, server=SERVER, version="1.12")
    return oslo_messaging.get_rpc_client(stack.transport(), target, timeout=WAIT)


def test_a_call_returns_what_the_flow_returned(stack, registry, client):
    seen = []

    def run(call):
        seen.append(call)
        return {"protocol": "NFS", "export": ["10.0.0.1:/x"]}

    stack.server(registry.flows, Journal(), run)
    context = {"user_id": "u", "auth_token": "t", "request_id": "req-1"}
    answer = client.call(context, "connection_get_info", **INSTANCE)
    assert answer == {"protocol": "NFS", "export": ["10.0.0.1:/x"]}
    (call,) = seen
    assert (call.method, call.arguments) == ("connection_get_info", INSTANCE)
    assert call.context == {"user_id": "u", "request_id": "req-1"}


def test_our_own_client_gets_the_result_too(stack, registry):
    stack.server(registry.flows, Journal(), lambda call: call.arguments["share_instance_id"])
    api = ShareAPI(stack.transport(), stack.topic)
    assert api.connection_get_info(get_admin_context(), f"{SERVER}#p", **INSTANCE) == "i-1"


def test_a_failure_reaches_the_caller_under_manilas_name_and_without_passwords(
    stack, registry, client
):
    def run(call):
        raise exception.ShareBackendException(msg="login with password='hunter2' failed")

    stack.server(registry.flows, Journal(), run)
    with pytest.raises(oslo_messaging.RemoteError) as raised:
        client.call({}, "connection_get_info", **INSTANCE)
    assert raised.value.exc_type == "ShareBackendException"
    assert "login with" in raised.value.value
    assert "hunter2" not in str(raised.value)


@pytest.fixture
def manila_exception(tmp_path, monkeypatch):
    """A module manila.exception, as the API service has one."""
    (tmp_path / "manila").mkdir()
    (tmp_path / "manila" / "__init__.py").write_text("")
    (tmp_path / "manila" / "exception.py").write_text(
        "class InvalidShare(Exception):\n"
        "    def __init__(self, message=None, **kwargs):\n"
        "        super().__init__(message)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("manila.exception")
    for name in ("manila", "manila.exception"):
        sys.modules.pop(name)


def test_manilas_api_tier_gets_its_own_exception_class(stack, registry, client, manila_exception):
    def run(call):
        raise exception.InvalidShare(reason="it is a volume")

    stack.server(registry.flows, Journal(), run)
    with pytest.raises(manila_exception.InvalidShare, match="it is a volume"):
        client.call({}, "connection_get_info", **INSTANCE)


@pytest.mark.parametrize(
    ("method", "version", "args", "error", "word"),
    [
        ("drop_all", "1.12", {}, "NoSuchMethod", "drop_all"),
        ("reconcile", "1.12", {}, "NoSuchMethod", "reconcile"),
        ("connection_get_info", "1.99", INSTANCE, "UnsupportedVersion", "1.99"),
        ("connection_get_info", "2.0", INSTANCE, "UnsupportedVersion", "2.0"),
        ("connection_get_info", "1.12", {}, "InvalidParameterValue", "share_instance_id"),
        ("create_snapshot", "1.12", {}, "InvalidParameterValue", "is a cast"),
    ],
)
def test_a_call_that_cannot_be_carried_out_gets_a_failure_and_no_dead_letter(
    method, version, args, error, word, stack, registry, client
):
    journal = Journal()
    stack.server(registry.flows, journal)
    with pytest.raises(oslo_messaging.RemoteError) as raised:
        client.prepare(version=version).call({}, method, **args)
    assert raised.value.exc_type == error
    assert word in raised.value.value
    assert journal.letters == []


def test_a_call_does_not_wait_behind_casts_that_are_being_recorded(stack, registry, client):
    gate = threading.Event()
    entered = threading.Event()
    journal = Journal()

    def before(operations, letters):
        entered.set()
        gate.wait(WAIT)

    journal.before = before
    stack.server(registry.flows, journal, lambda call: "answered")
    sender = stack.sender()
    for number in range(20):
        sender.send(cast_of(number))
    assert entered.wait(WAIT)
    assert client.call({}, "connection_get_info", **INSTANCE) == "answered"
    assert journal.operations == []
    gate.set()
    eventually(lambda: len(journal.operations) == 20, "the casts")


def test_a_call_beyond_the_threads_and_the_backlog_is_told_so(stack, registry, client):
    gate = threading.Event()
    running = threading.Semaphore(0)

    def run(call):
        running.release()
        gate.wait(WAIT)
        return "late"

    stack.server(registry.flows, Journal(), run, rpc_call_threads=1, rpc_call_backlog=1)
    answers = []
    callers = [
        threading.Thread(
            target=lambda: answers.append(client.call({}, "connection_get_info", **INSTANCE))
        )
        for _ in range(2)
    ]
    callers[0].start()
    assert running.acquire(timeout=WAIT)
    callers[1].start()
    eventually(lambda: stack.broker.depth(stack.queue) == 0, "the second call to arrive")
    server_full = eventually(lambda: refused(client), "a refusal")
    assert server_full.exc_type == "ServiceBusy"
    gate.set()
    for caller in callers:
        caller.join(WAIT)
    assert answers == ["late", "late"]


def refused(client):
    try:
        client.prepare(timeout=1).call({}, "connection_get_info", **INSTANCE)
    except oslo_messaging.RemoteError as error:
        return error
    except oslo_messaging.MessagingTimeout:
        return None


def test_a_long_call_gives_signs_of_life_to_a_caller_who_asked_for_them(stack, registry):
    gate = threading.Event()

    def run(call):
        gate.wait(4)
        return "done"

    stack.server(registry.flows, Journal(), run)
    target = oslo_messaging.Target(topic=stack.topic, server=SERVER, version="1.12")
    client = oslo_messaging.get_rpc_client(
        stack.transport(), target, timeout=WAIT, call_monitor_timeout=2
    )
    assert client.call({}, "connection_get_info", **INSTANCE) == "done"


def test_a_reply_goes_to_the_default_exchange_in_oslos_format(stack, registry):
    """Seen from outside: a reply queue of our own, read raw."""
    stack.server(registry.flows, Journal(), lambda call: 42)
    with stack.broker.connect() as connection, connection.channel() as channel:
        channel.queue_declare("reply_raw", auto_delete=False)
        body = {
            "method": "connection_get_info", "version": "1.12", "args": INSTANCE,
            "_unique_id": "u1", "_msg_id": "m1", "_reply_q": "reply_raw", "_timeout": None,
        }  # fmt: skip
        stack.sender().send(envelope(body))
        raw = eventually(lambda: channel.basic_get("reply_raw", no_ack=True), "the reply")
        outer = json.loads(raw.body)
        inner = json.loads(outer.pop("oslo.message"))
        assert outer == {"oslo.version": "2.0"}
        assert raw.delivery_info["exchange"] == ""
        assert len(inner.pop("_unique_id")) == 32
        assert inner == {"result": 42, "failure": None, "ending": True, "_msg_id": "m1"}


def test_a_call_that_the_broker_delivers_again_is_run_once(stack, registry):
    runs = []
    stack.server(registry.flows, Journal(), runs.append)
    body = {
        "method": "connection_get_info", "version": "1.12", "args": INSTANCE,
        "_unique_id": "u1", "_msg_id": "m1", "_reply_q": "reply_nobody",
    }  # fmt: skip
    sender = stack.sender()
    sender.send(envelope(body))
    sender.send(envelope(body))
    sender.send(envelope({**body, "_unique_id": "u2"}))
    eventually(lambda: any(call.unique_id == "u2" for call in runs), "the last call")
    assert [call.unique_id for call in runs] == ["u1", "u2"]
