# SPDX-License-Identifier: Apache-2.0
"""What no flow can carry out is kept with its reason, and the next good cast is served at once."""

import json
import threading
import time

import amqp
import pytest

from manila_lite.rpc.dead_letters import Reason
from tests.functional.rpc.conftest import Journal, cast_of, envelope, eventually, recorded

SOON = 1.0  # seconds
SNAPSHOT = {"share_id": "s", "snapshot_id": "n"}


def message(**changes):
    good = {"method": "create_snapshot", "version": "1.0", "args": SNAPSHOT, "_unique_id": "bad"}
    return envelope({**good, **changes})


BAD = {
    "not_json": (b"{never closed", Reason.NOT_JSON, "not JSON"),
    "empty": (b"", Reason.NOT_JSON, "not JSON"),
    "not_utf8": (b"\xff\xfe", Reason.NOT_TEXT, "UTF-8"),
    "a_list": (b"[1, 2]", Reason.BAD_ENVELOPE, "a list"),
    "other_envelope": (
        b'{"oslo.version": "3.0", "oslo.message": "{}"}',
        Reason.BAD_ENVELOPE,
        "3.0",
    ),
    "two_messages": (
        b'{"oslo.version": "2.0", "oslo.message": "{}", "oslo.message": "{}"}',
        Reason.NOT_JSON,
        "oslo.message",
    ),
    "nested_bomb": (envelope("[" * 100_000), Reason.NOT_JSON, "nested"),
    "unknown_method": (message(method="drop_all"), Reason.UNKNOWN_METHOD, "drop_all"),
    "internal_method": (message(method="reconcile", args={}), Reason.UNKNOWN_METHOD, "reconcile"),
    "newer_version": (message(version="1.31"), Reason.UNSUPPORTED_VERSION, "1.31"),
    "other_major": (message(version="2.0"), Reason.UNSUPPORTED_VERSION, "2.0"),
    "missing_argument": (message(args={"share_id": "s"}), Reason.MISSING_ARGUMENT, "snapshot_id"),
    "extra_argument": (message(args={**SNAPSHOT, "x": 1}), Reason.UNKNOWN_ARGUMENT, "'x'"),
    "wrong_type": (message(args={**SNAPSHOT, "share_id": 7}), Reason.WRONG_TYPE, "share_id is 7"),
    "path": (message(args={**SNAPSHOT, "share_id": "../e"}), Reason.BAD_IDENTIFIER, "'../e'"),
    "cast_of_a_call": (
        message(method="connection_get_info", args={"share_instance_id": "i"}),
        Reason.NEEDS_REPLY,
        "nobody waits",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_message_is_kept_and_explained_and_the_next_cast_served_at_once(
    kind, stack, registry
):
    body, reason, word = BAD[kind]
    journal = Journal()
    stack.server(registry.flows, journal)
    sender = stack.sender()
    sender.send(body)
    sender.send(cast_of("good"))
    began = time.monotonic()
    eventually(lambda: journal.has("cast-good"), "the good cast")
    assert time.monotonic() - began < SOON
    (letter,) = journal.letters
    assert letter.reason == reason
    assert word in letter.detail
    assert letter.body == body
    assert letter.routing_key == stack.queue


def test_a_body_of_another_content_type_is_a_dead_letter(stack, registry):
    journal = Journal()
    stack.server(registry.flows, journal)
    stack.sender().send(cast_of(1), content_type="application/x-python-serialize")
    (letter,) = eventually(lambda: journal.letters, "the letter")
    assert letter.reason == Reason.CONTENT_TYPE
    assert letter.properties["content_type"] == "application/x-python-serialize"


def test_a_huge_body_is_kept_whole_without_holding_up_the_next_cast(stack, registry):
    """Keeping 64 MiB may take as long as it will: here, until the good cast is through."""
    body = b'{"oslo.version": "2.0", "oslo.message": "' + b"x" * (64 * 1024 * 1024) + b'"}'
    good = threading.Event()
    journal = Journal()

    def before(operations, letters):
        if operations:
            good.set()
        if letters:
            good.wait(20)

    journal.before = before
    stack.server(registry.flows, journal)
    sender = stack.sender()
    sender.send(body)
    began = time.monotonic()
    sender.send(cast_of("good"))
    eventually(lambda: journal.has("cast-good"), "the good cast")
    # Where others write to the same disk, the broker itself takes its time with 64 MiB.
    assert time.monotonic() - began < 5 * SOON
    (letter,) = eventually(lambda: journal.letters, "the letter")
    assert letter.reason == Reason.TOO_LARGE
    assert str(len(body)) in letter.detail
    assert letter.body == body
    eventually(lambda: stack.broker.depth(stack.queue) == 0, "the end of the queue")


def test_a_kept_body_holds_no_token(stack, registry):
    journal = Journal()
    stack.server(registry.flows, journal)
    stack.sender().send(message(method="nothing", _context_auth_token="gAAAAsecret"))
    (letter,) = eventually(lambda: journal.letters, "the letter")
    assert b"gAAAAsecret" not in letter.body
    inner = json.loads(json.loads(letter.body)["oslo.message"])
    assert inner["_context_auth_token"] == "***"
    assert inner["args"] == SNAPSHOT


def test_a_message_that_the_database_refuses_becomes_a_letter_and_the_others_go_on(stack, registry):
    from oslo_db import exception as db_exc

    journal = Journal()

    def before(operations, letters):
        if any(operation.message_id == "cast-1" for operation in operations):
            raise db_exc.DBDataError("too long")

    journal.before = before
    stack.server(registry.flows, journal)
    sender = stack.sender()
    for number in range(3):
        sender.send(cast_of(number))
    eventually(lambda: journal.has("cast-0") and journal.has("cast-2"), "the other casts")
    (letter,) = eventually(lambda: journal.letters, "the letter")
    assert (letter.reason, letter.message_id) == (Reason.NOT_RECORDED, "cast-1")


def test_a_recorded_cast_is_accepted_with_its_arguments_and_without_tokens(stack, registry):
    journal = Journal()
    stack.server(registry.flows, journal)
    body, recording = recorded("create_share_instance.to-share")
    stack.sender().send(body)
    (operation,) = eventually(lambda: journal.operations, "the operation")
    sent = recording["oslo.message"]
    assert operation.arguments == sent["args"]
    assert (operation.method, operation.version) == (sent["method"], sent["version"])
    assert operation.message_id == sent["_unique_id"]
    assert operation.context["request_id"] == sent["_context_request_id"]
    assert "auth_token" not in operation.context
    assert journal.letters == []


def test_a_message_whose_properties_are_no_text_is_kept_and_the_queue_goes_on(stack, registry):
    """amqp cannot decode it; without care the connection breaks and it is delivered for ever."""
    journal = Journal()
    server = stack.server(registry.flows, journal)
    message = amqp.Message(b"body", content_type="PLACE")
    encode = message._serialize_properties
    message._serialize_properties = lambda: encode().replace(b"PLACE", b"\xff\xfe\xff\xfe\xff")
    with stack.broker.connect() as connection, connection.channel() as channel:
        channel.basic_publish(message, exchange=stack.exchange, routing_key=stack.queue)
    stack.sender().send(cast_of("good"))
    eventually(lambda: journal.has("cast-good"), "the good cast")
    (letter,) = journal.letters
    assert (letter.reason, letter.body) == (Reason.CONTENT_TYPE, b"body")
    assert server.listener.connected
    assert not letter.redelivered
