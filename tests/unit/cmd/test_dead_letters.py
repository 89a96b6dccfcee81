# SPDX-License-Identifier: Apache-2.0
"""manila-lite dead-letter: seeing, requeueing and discarding what could not be read."""

import json

import pytest

from manila_lite.engine.journal import NewDeadLetter


def body(method="delete_snapshot", version="1.27", **args):
    args = args or {
        "snapshot_id": "dab5fdba-c0b4-469c-acf5-60592ed8511b",
        "force": False,
        "deferred_delete": False,
    }
    message = {
        "method": method,
        "version": version,
        "args": args,
        "_unique_id": "f" * 32,
        "_context_request_id": "req-1",
    }
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


@pytest.fixture
def keep(shell):
    """Keep a dead letter; return its id."""

    def keep(content, reason="unknown_method"):
        properties = {"content_type": "application/json", "content_encoding": "utf-8"}
        letter = NewDeadLetter(reason, "because", content, properties=properties)
        shell.site.worker.journal.record([], [letter])
        return shell.read("dead-letter", "list")[0]["id"]

    return keep


def test_a_dead_letter_is_listed_and_shown_with_its_body(shell, keep):
    letter = keep(b"not JSON \xff")
    shown = shell.read("dead-letter", "show", letter[:8])
    assert (shown["reason"], shown["detail"], shown["size"]) == ("unknown_method", "because", 10)
    assert shown["body"] == "not JSON \\xff"
    assert "because" in shell.type("dead-letter", "list").stdout


def test_the_raw_body_comes_byte_for_byte(shell, keep):
    content = bytes(range(256)) * 8000
    letter = keep(content)
    assert shell.type("dead-letter", "show", letter, "--raw").stdout_bytes == content
    shown = shell.read("dead-letter", "show", letter)
    assert shown["body_is_cut"] is True


def test_requeue_records_the_operation_and_settles_the_letter(shell, keep):
    letter = keep(body())
    uuid = shell.read("dead-letter", "requeue", letter)["operation"]
    assert shell.read("op", "show", uuid)["method"] == "delete_snapshot"
    assert shell.read("dead-letter", "list") == []
    assert shell.read("dead-letter", "list", "--state", "all")[0]["state"] == "requeued"


def test_requeue_is_refused_while_the_reason_stands(shell, keep):
    letter = keep(body(method="make_coffee"))
    assert "make_coffee" in shell.refusal("dead-letter", "requeue", letter)
    assert len(shell.read("dead-letter", "list")) == 1
    assert shell.read("op", "list") == []


def test_a_letter_is_settled_once(shell, keep):
    letter = keep(body())
    shell.read("dead-letter", "requeue", letter)
    assert "settled already" in shell.refusal("dead-letter", "requeue", letter)
    assert "settled already" in shell.refusal("dead-letter", "discard", letter)
    assert len(shell.read("op", "list")) == 1


def test_discard_keeps_the_reason_and_drops_the_body(shell, keep):
    letter = keep(b"x" * 100)
    shell.read("dead-letter", "discard", letter)
    shown = shell.read("dead-letter", "show", letter)
    assert (shown["state"], shown["reason"], shown["body"]) == ("discarded", "unknown_method", "")


def test_a_letter_that_is_not_there_ends_with_3(shell):
    for verb in ("show", "requeue", "discard"):
        shell.refusal("dead-letter", verb, "zzz", code=3)


def test_what_was_sent_to_a_volume_service_is_read_and_recorded_as_one_reads_it(volume_shell):
    volume = volume_shell.read("volume", "create", "--size", "1")
    whole = {"versioned_object.name": "Volume",
             "versioned_object.data": {"id": volume["id"], "provider_auth": "geheim"}}  # fmt: skip
    content = body("delete_volume", "3.0", volume=whole, unmanage_only=False, cascade=False)
    properties = {"content_type": "application/json", "content_encoding": "utf-8"}
    letter = NewDeadLetter(
        "not_recorded", "because", content,
        routing_key="cinder-volume.host@backend", properties=properties,
    )  # fmt: skip
    volume_shell.site.worker.journal.record([], [letter])
    [kept] = volume_shell.read("dead-letter", "list")

    uuid = volume_shell.read("dead-letter", "requeue", kept["id"])["operation"]

    shown = volume_shell.read("op", "show", uuid)
    assert (shown["method"], shown["lane"]) == ("delete_volume", f"volume:{volume['id']}")
    assert "geheim" not in json.dumps(shown)
