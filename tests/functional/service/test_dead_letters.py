# SPDX-License-Identifier: Apache-2.0
"""What no flow can carry out is kept byte for byte and explained; the next cast does not wait."""

import json
import time
import uuid

import oslo_messaging
import pytest

from manila_lite import states
from manila_lite.context import get_admin_context
from manila_lite.db import dead_letters
from manila_lite.rpc.dead_letters import Reason
from tests.fixtures.daemon import poll
from tests.functional.service.casting import envelope, message_for
from tests.functional.service.conftest import ALPHA, HOST
from tests.functional.service.rows import Share

SOON = 1.0  # seconds
TRIES = 3  # a busy machine may stall once
# After 64 MiB, where other suites run beside this one and write to the same disk.
SOON_AFTER_MUCH = 5.0  # seconds
SERVER = f"{HOST}@alpha"
MIB = 1024 * 1024
NOBODY = Share("no-share", "no-instance", "no-project", "no-type", ALPHA)


def changed(**parts):
    """A recorded creation with some parts of the message replaced."""
    return envelope({**message_for("create_share_instance", NOBODY), **parts})


def with_arguments(method="create_share_instance", **arguments):
    message = message_for(method, NOBODY)
    message["args"].update(arguments)
    return envelope(message)


def without(argument):
    message = message_for("create_share_instance", NOBODY)
    del message["args"][argument]
    return envelope(message)


LATER = {"oslo.version": "3.1", "oslo.message": "{}"}
BAD = {
    "not JSON": (b"never \x7b closed", Reason.NOT_JSON, ["the body"]),
    "not text": (b"\xff\xfe\x00", Reason.NOT_TEXT, ["UTF-8", "byte 0"]),
    "nothing": (b"", Reason.NOT_JSON, ["the body"]),
    "no envelope": (b'{"method": "create_share"}', Reason.BAD_ENVELOPE, ["oslo.version"]),
    "another envelope": (json.dumps(LATER).encode(), Reason.BAD_ENVELOPE, ["oslo.version", "3.1"]),
    "no method": (changed(method=None), Reason.BAD_MESSAGE, ["method", "None"]),
    "unknown method": (changed(method="drop_all"), Reason.UNKNOWN_METHOD, ["method", "drop_all"]),
    "internal method": (
        changed(method="_reconcile_share"),
        Reason.UNKNOWN_METHOD,
        ["method", "_reconcile_share"],
    ),
    "unknown version": (
        changed(version="1.31"),
        Reason.UNSUPPORTED_VERSION,
        ["version", "1.31", "create_share_instance", "1.30"],
    ),
    "another major version": (
        changed(version="2.0"),
        Reason.UNSUPPORTED_VERSION,
        ["version", "2.0"],
    ),
    "missing argument": (
        without("share_instance_id"),
        Reason.MISSING_ARGUMENT,
        ["create_share_instance", "share_instance_id"],
    ),
    "extra argument": (
        with_arguments(colour="red"),
        Reason.UNKNOWN_ARGUMENT,
        ["create_share_instance", "colour"],
    ),
    "number for an id": (
        with_arguments(share_instance_id=7),
        Reason.WRONG_TYPE,
        ["share_instance_id", "7"],
    ),
    "text for a size": (
        with_arguments("extend_share", new_size="2 GiB"),
        Reason.WRONG_TYPE,
        ["new_size", "'2 GiB'"],
    ),
    "text for a truth value": (
        with_arguments("delete_share_instance", force="yes"),
        Reason.WRONG_TYPE,
        ["force", "'yes'"],
    ),
    "text for an object": (
        with_arguments(request_spec="all"),
        Reason.WRONG_TYPE,
        ["request_spec", "'all'"],
    ),
    "path for an id": (
        with_arguments(share_instance_id="../../etc"),
        Reason.BAD_IDENTIFIER,
        ["share_instance_id", "'../../etc'"],
    ),
    "two dots for an id": (
        with_arguments("create_snapshot", share_id=".."),
        Reason.BAD_IDENTIFIER,
        ["share_id", "'..'"],
    ),
    "paths for reservations": (
        with_arguments("extend_share", reservations=[{"a": 1}]),
        Reason.WRONG_TYPE,
        ["reservations"],
    ),
}


@pytest.fixture
def sender(senders):
    return senders["recorded"]


@pytest.fixture
def new_letter(rows):
    """A function that waits for a letter with that body, and returns the letter."""
    known = {letter["uuid"] for letter in rows.letters()}

    def wait():
        def look():
            found = [letter for letter in rows.letters() if letter["uuid"] not in known]
            known.update(letter["uuid"] for letter in found)
            return found

        (letter,) = poll(look, "a dead letter")
        return letter

    return wait


@pytest.fixture
def seconds_until_served(service, sender, rows):
    """A function that casts a creation and tells how long it takes until the share is there."""

    def measure():
        share = rows.share(ALPHA)
        began = time.monotonic()
        service.ended(sender.cast("create_share_instance", share))
        elapsed = time.monotonic() - began
        assert rows.status(share) == states.AVAILABLE
        return elapsed

    return measure


def body_of(service, letter):
    """The body that was kept, put together again."""
    read = lambda c: b"".join(dead_letters.body(c, letter["uuid"]))  # noqa: E731
    return service.daemon.database.run(read, write=False)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_message_is_kept_and_explained_and_the_next_cast_served_soon(
    kind, service, sender, new_letter, seconds_until_served
):
    body, reason, words = BAD[kind]
    for _ in range(TRIES):
        sender.publish(body)
        elapsed = seconds_until_served()
        letter = new_letter()
        assert letter["reason"] == reason
        assert [word for word in words if word not in letter["detail"]] == []
        assert body_of(service, letter) == body
        assert (letter["exchange"], letter["routing_key"]) == (
            "openstack",
            f"manila-share.{SERVER}",
        )
        if elapsed < SOON:
            return
    pytest.fail(f"the cast after a bad message took {elapsed:.1f} s")


def test_64_mib_are_kept_and_the_next_cast_is_served_soon(
    service, sender, new_letter, seconds_until_served
):
    body = envelope(changed().decode() + "x" * 64 * MIB)
    for _ in range(TRIES):
        sender.publish(body)
        elapsed = seconds_until_served()
        letter = new_letter()
        assert letter["reason"] == Reason.TOO_LARGE
        assert str(len(body)) in letter["detail"]
        assert "max_message_bytes" in letter["detail"]
        assert letter["size"] == len(body)
        assert body_of(service, letter) == body
        if elapsed < SOON_AFTER_MUCH:
            return
    pytest.fail(f"the cast after 64 MiB took {elapsed:.1f} s")


def test_a_bad_message_is_named_in_the_log_and_its_body_is_not(service, sender, new_letter):
    method = f"drop_{uuid.uuid4().hex}"
    sender.publish(changed(method=method, note="not for the log"))
    new_letter()
    poll(lambda: method in service.log, "the log line")
    assert "unknown_method" in service.log
    assert "not for the log" not in service.log


@pytest.fixture
def call(service, senders):
    """A function that calls as any client of oslo.messaging would."""
    target = oslo_messaging.Target(topic="manila-share", server=SERVER, version="1.0")
    client = oslo_messaging.get_rpc_client(senders["share_api"]._transport, target, timeout=15)
    return lambda method, **arguments: client.call({}, method, **arguments)


def test_a_call_of_an_unknown_method_gets_a_failure_as_its_reply(call, rows):
    before = len(rows.letters())
    with pytest.raises(oslo_messaging.RemoteError) as raised:
        call("drop_all")
    assert "drop_all" in str(raised.value)
    assert len(rows.letters()) == before


def test_a_call_of_what_gives_no_reply_gets_a_failure_as_its_reply(call):
    with pytest.raises(oslo_messaging.RemoteError) as raised:
        call("create_snapshot", share_id="a", snapshot_id="b")
    assert "create_snapshot" in str(raised.value)


def test_our_own_client_hears_of_a_call_that_is_not_served(senders):
    with pytest.raises(oslo_messaging.RemoteError) as raised:
        senders["share_api"].api.connection_get_info(
            get_admin_context(), SERVER, share_instance_id="i"
        )
    assert "connection_get_info" in str(raised.value)


def test_a_letter_says_whose_request_it_was(sender, new_letter, rows):
    share = rows.share(ALPHA)
    message = {**message_for("create_share_instance", share), "version": "1.99"}
    request = sender.send("create_share_instance", message)
    letter = new_letter()
    assert (letter["request_id"], letter["method"]) == (request, "create_share_instance")
    assert (letter["host"], letter["state"]) == (SERVER, dead_letters.KEPT)
    assert letter["message_id"]
    assert rows.status(share) == states.CREATING
