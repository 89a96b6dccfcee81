# SPDX-License-Identifier: Apache-2.0
"""Whatever arrives: any bytes as a message, any text as a name."""

import json

from hypothesis import given
from hypothesis import strategies as st

from manila_lite import exception
from manila_lite.rpc import wire
from manila_lite.rpc.dead_letters import DeadLetter, without_secrets
from manila_lite.share.drivers.directory.paths import Kind, Place

GOOD = {
    "method": "create_snapshot",
    "version": "1.0",
    "args": {"share_id": "s", "snapshot_id": "n"},
    "_unique_id": "u1",
    "_context_request_id": "req-1",
}
JSON = {"content_type": "application/json", "content_encoding": "utf-8"}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
KEYS = st.sampled_from([*GOOD, "namespace", "_msg_id", "_reply_q", "_timeout", "_context_roles"])


def envelope(message):
    text = json.dumps(message)
    return json.dumps({"oslo.version": "2.0", "oslo.message": text}).encode()


def parse(body):
    return wire.parse(wire.RawMessage(body, JSON, {}))


@given(st.binary())
def test_no_bytes_make_it_raise(body):
    assert isinstance(parse(body), DeadLetter)


@given(st.dictionaries(KEYS | st.text(), ANY_JSON))
def test_no_message_makes_it_raise(changes):
    result = parse(envelope({**GOOD, **changes}))
    assert isinstance(result, DeadLetter | wire.ParsedMessage)
    if isinstance(result, DeadLetter):
        result.detail.encode("ascii")


@given(st.binary())
def test_bytes_without_secrets_stay_as_they_are(body):
    if not any(word in body.lower() for word in (b"token", b"passw", b"secret", b"credential")):
        assert without_secrets(body) == body


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_a_message_stays_readable(values):
    masked = json.loads(json.loads(without_secrets(envelope(values)))["oslo.message"])
    assert set(masked) == set(values)


@given(st.text())
def test_no_accepted_name_leads_anywhere(name):
    try:
        place = Place(Kind.SHARE, name)
    except exception.PathRefused:
        return
    for path in (place.name, place.new, place.old, place.trash, place.links):
        assert "/" not in path
        assert path not in ("", ".", "..")
        assert "\0" not in path


@given(st.text(alphabet="ab-_.~", min_size=1), st.text(alphabet="ab-_.~", min_size=1))
def test_working_names_of_one_share_are_not_the_names_of_another(one, other):
    try:
        first, second = Place(Kind.SHARE, one), Place(Kind.SHARE, other)
    except exception.PathRefused:
        return
    working = {first.new, first.old, first.trash, first.links}

    assert len(working) == 4
    assert second.name not in working
    if one != other:
        assert not working & {second.new, second.old, second.trash, second.links}
