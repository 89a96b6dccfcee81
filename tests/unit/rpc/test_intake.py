# SPDX-License-Identifier: Apache-2.0
import json
import sqlite3

import pymysql
import pytest
from oslo_db import exception as db_exc

from manila_lite.rpc.dead_letters import DeadLetter, Reason
from manila_lite.rpc.endpoints import Accepted
from manila_lite.rpc.intake import Intake, takes_long
from manila_lite.rpc.wire import RawMessage


class Judge:
    """Accepts everything but the method 'no'."""

    def accept(self, parsed):
        if parsed.method == "crash":
            raise RuntimeError("a bug")
        if parsed.method == "no":
            return DeadLetter(
                Reason.UNKNOWN_METHOD, "no such thing", method="no", unique_id=parsed.unique_id,
                msg_id=parsed.msg_id, reply_q=parsed.reply_q,
            )  # fmt: skip
        return Accepted(
            parsed.method, parsed.version, parsed.args, parsed.context, parsed.unique_id,
            parsed.msg_id, parsed.reply_q, parsed.timeout,
        )  # fmt: skip


class Journal:
    def __init__(self):
        self.transactions = []
        self.refuse = lambda operations: None

    def record(self, operations, letters=()):
        if error := self.refuse([operation.message_id for operation in operations]):
            raise error
        self.transactions.append((list(operations), list(letters)))


class Calls:
    def __init__(self):
        self.submitted = []
        self.rejected = []

    def submit(self, call, lifetime=None):
        self.submitted.append((call, lifetime))

    def reject(self, letter):
        self.rejected.append(letter)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
def intake(journal, calls):
    return Intake(Judge(), journal, calls, max_bytes=1024)


def raw(unique_id="u1", method="m", properties=None, headers=None, **more):
    message = {"method": method, "args": {"a": 1}, "_unique_id": unique_id, **more}
    body = {"oslo.version": "2.0", "oslo.message": json.dumps(message)}
    properties = {"content_type": "application/json", "delivery_mode": 2, **(properties or {})}
    return RawMessage(json.dumps(body).encode(), properties, headers or {}, routing_key="t.s")


def test_a_cast_becomes_an_operation_with_its_id_and_context(intake, journal):
    context = {"_context_user_id": "u", "_context_auth_token": "t", "_context_domain": None}
    intake.journal([intake.receive(raw(version="1.7", **context))])
    ((operation,), letters) = journal.transactions[0]
    assert (operation.method, operation.version, operation.message_id) == ("m", "1.7", "u1")
    assert operation.arguments == {"a": 1}
    assert operation.context == {"user_id": "u"}
    assert letters == []


def test_a_call_goes_to_the_calls_with_the_time_that_its_sender_waits(intake, calls):
    got = intake.receive(raw(_msg_id="m", _reply_q="q", properties={"expiration": "60000"}))
    assert got is None
    ((call, lifetime),) = calls.submitted
    assert (call.msg_id, call.reply_q, lifetime) == ("m", "q", 60.0)


@pytest.mark.parametrize("expiration", ["", "soon", "-5", "9" * 40, None])
def test_an_expiration_that_makes_no_sense_is_none(intake, calls, expiration):
    intake.receive(raw(_msg_id="m", _reply_q="q", properties={"expiration": expiration}))
    assert calls.submitted[0][1] is None


def test_a_refused_call_is_answered_and_leaves_no_letter(intake, calls):
    assert intake.receive(raw(method="no", _msg_id="m", _reply_q="q")) is None
    assert [letter.msg_id for letter in calls.rejected] == ["m"]


def test_a_call_that_cannot_be_read_whole_is_answered_if_it_says_where(intake, calls):
    assert intake.receive(raw(args=7, _msg_id="m", _reply_q="q")) is None
    assert calls.rejected[0].reason is Reason.BAD_MESSAGE


def test_casts_and_letters_of_a_batch_are_one_transaction(intake, journal):
    batch = [intake.receive(raw("u1")), intake.receive(raw("u2", "no")), intake.receive(raw("u3"))]
    intake.journal(batch)
    ((operations, letters),) = journal.transactions
    assert [operation.message_id for operation in operations] == ["u1", "u3"]
    (letter,) = letters
    assert (letter.reason, letter.detail) == ("unknown_method", "no such thing")
    assert (letter.message_id, letter.routing_key) == ("u2", "t.s")
    assert letter.properties["delivery_mode"] == 2


def test_a_bug_in_the_judgement_makes_a_letter_and_no_exception(intake):
    item = intake.receive(raw(method="crash"))
    assert (item.verdict.reason, item.verdict.detail) == (Reason.INTERNAL_ERROR, "RuntimeError")


@pytest.mark.parametrize(
    "error",
    [
        db_exc.DBConnectionError(),
        db_exc.DBDeadlock(),
        db_exc.DBError(sqlite3.OperationalError("database or disk is full")),
        db_exc.DBError(pymysql.OperationalError(1290, "running with --read-only")),
    ],
)
def test_a_database_that_cannot_write_is_no_fault_of_the_messages(intake, journal, error):
    journal.refuse = lambda ids: error if ids else None
    with pytest.raises(type(error)):
        intake.journal([intake.receive(raw())])
    assert journal.transactions == []


def test_of_a_batch_that_the_database_refuses_only_the_culprit_becomes_a_letter(intake, journal):
    journal.refuse = lambda ids: db_exc.DBDataError("u2 is bad") if "u2" in ids else None
    intake.journal([intake.receive(raw(f"u{number}")) for number in (1, 2, 3)])
    recorded = [op.message_id for operations, _ in journal.transactions for op in operations]
    letters = [letter for _, letters in journal.transactions for letter in letters]
    assert recorded == ["u1", "u3"]
    assert [(letter.reason, letter.message_id) for letter in letters] == [("not_recorded", "u2")]


def test_an_outage_while_a_culprit_is_looked_for_is_still_an_outage(intake, journal):
    answers = [db_exc.DBDataError("bad"), None, db_exc.DBConnectionError()]
    journal.refuse = lambda ids: answers.pop(0)
    with pytest.raises(db_exc.DBConnectionError):
        intake.journal([intake.receive(raw(f"u{number}")) for number in (1, 2)])
    assert answers == []


def test_strange_properties_of_a_letter_are_kept_as_plain_text(intake, journal):
    strange = {"a": b"\xff", "b": {1, 2}, "c": "\u00e9\0", "d": {"e": [1.5, None]}}
    intake.journal([intake.receive(raw(method="no", headers=strange))])
    (letter,) = journal.transactions[0][1]
    json.dumps(letter.properties)
    assert letter.properties["headers"]["d"] == {"e": [1.5, None]}
    assert letter.properties["headers"]["a"] == "b'\\xff'"


def test_properties_without_bounds_are_cut(intake, journal):
    intake.journal([intake.receive(raw(method="no", headers={"x": "y" * 100_000}))])
    (letter,) = journal.transactions[0][1]
    assert len(json.dumps(letter.properties)) < 1000
    assert letter.properties["content_type"] == "'application/json'"


def test_only_large_letters_take_long():
    large = RawMessage(b"x" * 300_000, {}, {})
    letter = Intake(Judge(), Journal(), Calls(), max_bytes=1024).receive(large)
    assert takes_long(letter)
    cast = Intake(Judge(), Journal(), Calls()).receive(raw(padding="x" * 300_000))
    assert isinstance(cast.verdict, Accepted)
    assert not takes_long(cast)
