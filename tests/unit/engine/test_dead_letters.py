# SPDX-License-Identifier: Apache-2.0
"""Dead letters: kept whole, with the reason, once however often they are delivered."""

import datetime

import pytest

from manila_lite.db import dead_letters
from manila_lite.engine.journal import Journal, NewDeadLetter, NewOperation
from tests.support.engine import HOST, Bench


@pytest.fixture
def journal(bench: Bench) -> Journal:
    return Journal(bench.database, HOST, bench.registry, bench.clock)


def _letter(body: bytes = b"{", **values) -> NewDeadLetter:
    return NewDeadLetter("not_json", "unreadable", body, **values)


def _kept(bench: Bench, **filters) -> list[dict]:
    with bench.database.reader() as connection:
        return dead_letters.listed(connection, **filters)


def _body(bench: Bench, uuid: str) -> list[bytes]:
    with bench.database.reader() as connection:
        return list(dead_letters.body(connection, uuid))


def test_a_letter_is_kept_with_what_is_known_of_it(bench: Bench, journal: Journal):
    journal.record(
        [],
        [_letter(b"{]", method="m", message_id="i", request_id="r", properties={"a": 1})],
    )
    (kept,) = _kept(bench, host=HOST)

    assert (kept["reason"], kept["detail"], kept["size"]) == ("not_json", "unreadable", 2)
    assert (kept["method"], kept["message_id"], kept["request_id"]) == ("m", "i", "r")
    assert kept["received_at"] == bench.clock.now()
    assert _body(bench, kept["uuid"]) == [b"{]"]


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_big_body_is_kept_in_pieces_and_comes_back_as_it_was(bench, journal, extra):
    body = bytes(range(256)) * (2 * dead_letters.CHUNK_BYTES // 256) + b"x" * max(extra, 0)
    body = body[: 2 * dead_letters.CHUNK_BYTES + extra]
    journal.record([], [_letter(body)])
    pieces = _body(bench, _kept(bench)[0]["uuid"])

    assert b"".join(pieces) == body
    assert len(pieces) == (3 if extra > 0 else 2)


def test_an_empty_body_is_kept_as_well(bench: Bench, journal: Journal):
    journal.record([], [_letter(b"")])

    assert _kept(bench)[0]["size"] == 0
    assert b"".join(_body(bench, _kept(bench)[0]["uuid"])) == b""


def test_a_letter_that_is_delivered_again_is_kept_once(bench: Bench, journal: Journal):
    journal.record([], [_letter()])
    journal.record([], [_letter(redelivered=True)])

    assert len(_kept(bench)) == 1


def test_a_second_letter_with_the_same_body_is_kept_unless_it_is_a_redelivery(bench, journal):
    journal.record([], [_letter()])
    journal.record([], [_letter()])

    assert len(_kept(bench)) == 2


def test_the_same_body_after_the_redelivery_window_is_a_new_letter(bench, journal):
    journal.record([], [_letter()])
    bench.clock.advance(datetime.timedelta(hours=2).total_seconds())
    journal.record([], [_letter(redelivered=True)])

    assert len(_kept(bench)) == 2


@pytest.mark.parametrize("text", ["nul \x00", "lone \udc80", "x" * 5000, "käse ☃"])
def test_whatever_a_letter_says_of_itself_it_can_be_kept(bench: Bench, journal: Journal, text):
    letter = NewDeadLetter(
        text,
        text,
        b"body",
        method=text,
        message_id=text,
        request_id=text,
        exchange=text,
        routing_key=text,
        properties={text: text},
    )
    journal.record([], [letter])
    (kept,) = _kept(bench)

    assert "\x00" not in "".join(str(value) for value in kept.values())
    assert len(kept["message_id"]) <= 64


def test_good_casts_and_dead_letters_of_a_batch_are_one_transaction(bench, journal, monkeypatch):
    def insert(connection, values, body):
        raise RuntimeError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(dead_letters, "insert", insert)
        with pytest.raises(RuntimeError):
            journal.record([NewOperation("x", {}, message_id="m1")], [_letter()])
    (recorded,) = journal.record([NewOperation("x", {}, message_id="m1")], [_letter()])

    assert not recorded.duplicate
    assert len(_kept(bench)) == 1


def test_a_letter_is_settled_once_and_a_discarded_one_loses_its_body(bench, journal):
    journal.record([], [_letter(b"secret")])
    uuid = _kept(bench)[0]["uuid"]
    now = bench.clock.now()
    with bench.database.writer() as connection:
        assert dead_letters.settle(connection, uuid, dead_letters.DISCARDED, now)
        assert not dead_letters.settle(connection, uuid, dead_letters.REQUEUED, now)

    assert _body(bench, uuid) == []
    assert _kept(bench) == []
    assert [letter["state"] for letter in _kept(bench, state=None)] == ["discarded"]


def test_a_requeued_letter_keeps_its_body(bench: Bench, journal: Journal):
    journal.record([], [_letter(b"good after all")])
    uuid = _kept(bench)[0]["uuid"]
    with bench.database.writer() as connection:
        dead_letters.settle(connection, uuid, dead_letters.REQUEUED, bench.clock.now())

    assert _body(bench, uuid) == [b"good after all"]


def test_letters_are_listed_by_host_newest_first(bench: Bench, journal: Journal):
    other = Journal(bench.database, "host@other", bench.registry, bench.clock)
    for number in range(3):
        journal.record([], [_letter(str(number).encode())])
    other.record([], [_letter()])

    assert [_body(bench, found["uuid"])[0] for found in _kept(bench, host=HOST, most=2)] == [
        b"2",
        b"1",
    ]
    assert len(_kept(bench)) == 4
