# SPDX-License-Identifier: Apache-2.0
import bz2
import json
import pathlib
import zlib

import pytest

from manila_lite.rpc import wire
from manila_lite.rpc.dead_letters import DeadLetter, Reason

DATA = pathlib.Path(__file__).parents[2] / "data" / "wire"
GOOD = {
    "method": "create_snapshot",
    "version": "1.0",
    "args": {"share_id": "s", "snapshot_id": "n"},
    "_unique_id": "u1",
    "_context_request_id": "req-1",
}
JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


def raw(body, properties=JSON, headers=()):
    return wire.RawMessage(body, properties, dict(headers))


def envelope(message):
    text = message if isinstance(message, str) else json.dumps(message)
    return json.dumps({"oslo.version": "2.0", "oslo.message": text}).encode()


def parse(body, **kwargs):
    return wire.parse(raw(body, **kwargs))


def message(**changes):
    values = {**GOOD, **changes}
    return envelope({key: value for key, value in values.items() if value is not ...})


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_message_is_read_as_it_was_sent(path):
    recorded = json.loads(path.read_text())["oslo.message"]
    parsed = parse(envelope(recorded))
    assert isinstance(parsed, wire.ParsedMessage)
    assert (parsed.method, parsed.version) == (recorded["method"], recorded["version"])
    assert parsed.args == recorded["args"]
    assert parsed.unique_id == recorded["_unique_id"]
    assert parsed.is_call == ("_msg_id" in recorded)
    assert parsed.context["request_id"] == recorded["_context_request_id"]
    assert {"auth_token", "service_catalog"}.isdisjoint(parsed.context)


def test_a_call_carries_its_reply_address():
    parsed = parse(message(_msg_id="m", _reply_q="reply_1", _timeout=30))
    assert (parsed.msg_id, parsed.reply_q, parsed.timeout) == ("m", "reply_1", 30.0)


def test_version_and_arguments_may_be_left_out_as_oslo_allows():
    parsed = parse(message(version=..., args=...))
    assert (parsed.version, parsed.args) == ("1.0", {})


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


BAD = [
    (b"", Reason.NOT_JSON, "the body is not JSON"),
    (b"\xef\xbb\xbf{}", Reason.NOT_JSON, "not JSON"),
    (b"\xff", Reason.NOT_TEXT, "byte 0"),
    (b"null", Reason.BAD_ENVELOPE, "missing or null"),
    (b'"text"', Reason.BAD_ENVELOPE, "a text"),
    (b"12", Reason.BAD_ENVELOPE, "a number"),
    (json.dumps(GOOD).encode(), Reason.BAD_ENVELOPE, "oslo.version is missing"),
    (b'{"oslo.version": 2.0, "oslo.message": "{}"}', Reason.BAD_ENVELOPE, "2.0"),
    (b'{"oslo.version": "2.1", "oslo.message": "{}"}', Reason.BAD_ENVELOPE, "'2.1'"),
    (b'{"oslo.version": "2.0"}', Reason.BAD_ENVELOPE, "missing or null"),
    (b'{"oslo.version": "2.0", "oslo.message": {}}', Reason.BAD_ENVELOPE, "an object"),
    (b'{"oslo.version": "2.0", "oslo.version": "2.0"}', Reason.NOT_JSON, "'oslo.version'"),
    (envelope("no JSON"), Reason.NOT_JSON, "oslo.message is not JSON"),
    (envelope("[]"), Reason.BAD_MESSAGE, "a list"),
    (envelope('{"a": NaN}'), Reason.NOT_JSON, "NaN"),
    (envelope('{"a": -Infinity}'), Reason.NOT_JSON, "Infinity"),
    (envelope('{"a": 1e999}'), Reason.NOT_JSON, "1e999"),
    (envelope('{"a": ' + "9" * 5000 + "}"), Reason.NOT_JSON, "not JSON"),
    (envelope("[" * 100000), Reason.NOT_JSON, "nested too deeply"),
    (envelope('{"a":' * 100000), Reason.NOT_JSON, "nested too deeply"),
    (message(args={"a": nested(64)}), Reason.BAD_MESSAGE, "64 levels"),
    (envelope('{"method": "a\\u0000b"}'), Reason.BAD_MESSAGE, "NUL"),
    (envelope('{"method": "\\\\\\u0000"}'), Reason.BAD_MESSAGE, "NUL"),
    (envelope('{"a": "\\ud800"}'), Reason.BAD_MESSAGE, "surrogate"),
    (message(method=...), Reason.BAD_MESSAGE, "method is missing"),
    (message(method=None), Reason.BAD_MESSAGE, "method is None"),
    (message(method="a.b"), Reason.BAD_MESSAGE, "'a.b'"),
    (message(method="m" * 256), Reason.BAD_MESSAGE, "method"),
    (message(version=1.0), Reason.BAD_MESSAGE, "version is 1.0"),
    (message(version="1"), Reason.BAD_MESSAGE, "version is '1'"),
    (message(version="1.1\n"), Reason.BAD_MESSAGE, "version"),
    (message(version="1." + "9" * 99), Reason.BAD_MESSAGE, "version"),
    (message(args=None), Reason.BAD_MESSAGE, "args is missing or null"),
    (message(args=["s"]), Reason.BAD_MESSAGE, "args is a list"),
    (message(_unique_id=...), Reason.BAD_MESSAGE, "_unique_id is missing"),
    (message(_unique_id="u" * 65), Reason.BAD_MESSAGE, "_unique_id"),
    (message(_unique_id=5), Reason.BAD_MESSAGE, "_unique_id is 5"),
    (message(_msg_id="m"), Reason.BAD_MESSAGE, "_reply_q is missing"),
    (message(_msg_id="m", _reply_q="a\nb"), Reason.BAD_MESSAGE, "_reply_q"),
    (message(_timeout=-1), Reason.BAD_MESSAGE, "_timeout is -1"),
    (message(_timeout=True), Reason.BAD_MESSAGE, "_timeout is True"),
    (message(namespace={}), Reason.BAD_MESSAGE, "namespace"),
    (message(_context_request_id="r" * 300), Reason.BAD_MESSAGE, "_context_request_id"),
    (message(_context_project_id=7), Reason.BAD_MESSAGE, "_context_project_id is 7"),
    (message(_context_roles="admin"), Reason.BAD_MESSAGE, "_context_roles"),
    (message(_context_roles=[1]), Reason.BAD_MESSAGE, "_context_roles"),
    (message(_context_read_deleted="maybe"), Reason.BAD_MESSAGE, "_context_read_deleted"),
    (message(_context_read_deleted=[]), Reason.BAD_MESSAGE, "_context_read_deleted"),
]


@pytest.mark.parametrize(("body", "reason", "word"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_read_is_explained(body, reason, word):
    letter = parse(body)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, word in letter.detail) == (reason, True), letter.detail
    assert len(letter.detail) < 400


def test_a_backslash_before_u0000_is_text_and_no_nul():
    parsed = parse(message(args={"a": "\\u0000"}))
    assert parsed.args == {"a": "\\u0000"}


def test_characters_beyond_the_basic_plane_are_kept():
    parsed = parse(message(args={"a": "\U0001f600 \u00e9"}))
    assert parsed.args == {"a": "\U0001f600 \u00e9"}


def test_nesting_up_to_the_limit_is_read():
    assert isinstance(parse(message(args={"a": nested(61)})), wire.ParsedMessage)


def test_a_dead_letter_knows_what_could_be_read():
    letter = parse(message(args=None, _msg_id="m", _reply_q="q"))
    assert (letter.method, letter.version, letter.unique_id) == ("create_snapshot", "1.0", "u1")
    assert (letter.request_id, letter.msg_id, letter.reply_q) == ("req-1", "m", "q")


def test_the_size_limit_comes_before_any_decoding():
    letter = wire.parse(raw(b"\xff" * 101), max_bytes=100)
    assert letter.reason is Reason.TOO_LARGE
    assert "101" in letter.detail
    assert "100" in letter.detail


@pytest.mark.parametrize(
    "properties",
    [{}, {"content_type": "application/x-python-serialize"},
     {"content_type": "application/json", "content_encoding": "utf-16"},
     {"content_type": ["application/json"]}],
)  # fmt: skip
def test_other_content_is_not_decoded(properties):
    letter = parse(message(), properties=properties)
    assert letter.reason is Reason.CONTENT_TYPE


@pytest.mark.parametrize(
    ("name", "compress"),
    [("application/x-gzip", zlib.compress), ("application/x-bz2", bz2.compress)],
)
def test_bodies_that_kombu_compressed_are_read(name, compress):
    body = compress(message())
    assert parse(body, headers={"compression": name}).method == "create_snapshot"
    cut = parse(body[:-5], headers={"compression": name})
    assert cut.reason is Reason.COMPRESSION
    assert parse(b"x", headers={"compression": name}).reason is Reason.COMPRESSION


def test_a_body_that_grows_beyond_the_limit_when_decompressed_is_not_unpacked():
    body = zlib.compress(b"\0" * 10_000_000)
    letter = wire.parse(raw(body, headers={"compression": "application/x-gzip"}), max_bytes=100_000)
    assert letter.reason is Reason.TOO_LARGE


def test_an_unknown_compression_is_named():
    letter = parse(b"", headers={"compression": "application/x-brotli"})
    assert letter.reason is Reason.COMPRESSION
    assert "x-brotli" in letter.detail
