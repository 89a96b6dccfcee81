# SPDX-License-Identifier: Apache-2.0
"""What a callback may say, and of which snapshot."""

import json

import pytest

from manila_lite.callback import bodies
from manila_lite.callback.bodies import ACTION, Update
from manila_lite.callback.faults import Fault
from manila_lite.volume_states import SNAPSHOT_STATUSES


def body(**values):
    return json.dumps({ACTION: values}).encode()


def test_body_of_nova_is_understood():
    assert bodies.parse(body(status="creating", progress="90%")) == Update("creating", "90%")


def test_progress_may_be_left_out():
    assert bodies.parse(body(status="error")) == Update("error", None)
    assert bodies.parse(body(status="error", progress=None)) == Update("error", None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 15000,
        b'{"os-reset_status": {"status": "available"}}',
        json.dumps({ACTION: {"status": "error"}, "os-reset_status": {}}).encode(),
        json.dumps({ACTION: "error"}).encode(),
        json.dumps({ACTION: None}).encode(),
        body(),
        body(progress="90%"),
        body(status=None),
        body(status=5),
        body(status="in-use"),
        body(status=["creating"]),
        body(status="creating", progress=90),
        body(status="creating", progress="90"),
        body(status="creating", progress="101%"),
        body(status="creating", progress="-1%"),
        body(status="creating", progress="9 0%"),
        body(status="creating", progress="९%"),
        body(status="creating", progress="90%\n"),
        body(status="creating", volume_id="x"),
    ],
    ids=lambda raw: ascii(raw[:40]),
)
def test_anything_else_is_a_bad_request(raw):
    with pytest.raises(Fault) as caught:
        bodies.parse(raw)
    assert caught.value.status == 400


ACCEPTED = {
    ("creating", "creating"),
    ("creating", "available"),
    ("creating", "error"),
    ("deleting", "deleting"),
    ("deleting", "error_deleting"),
}


@pytest.mark.parametrize("current", sorted(SNAPSHOT_STATUSES))
@pytest.mark.parametrize("said", sorted(SNAPSHOT_STATUSES))
def test_only_the_transitions_of_the_contract_are_accepted(current, said):
    if (current, said) in ACCEPTED:
        bodies.check_transition(current, Update(said, "90%"))
        return
    with pytest.raises(Fault) as caught:
        bodies.check_transition(current, Update(said, "90%"))
    assert (caught.value.status, current in caught.value.text) == (400, True)
