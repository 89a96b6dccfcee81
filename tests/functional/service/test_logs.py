# SPDX-License-Identifier: Apache-2.0
"""What the daemon writes down about requests: who asked for what, and no secret of theirs."""

import json
import uuid

import pytest
import sqlalchemy as sa

from manila_lite import states
from manila_lite.rpc.dead_letters import Reason
from tests.fixtures.daemon import poll
from tests.functional.service.casting import envelope, message_for
from tests.functional.service.conftest import ALPHA, HOST

TOKEN = f"gAAAAAB-{uuid.uuid4().hex}"
PASSWORD = f"geheim-{uuid.uuid4().hex}"
CATALOG = [{"type": "share", "endpoints": [{"adminURL": f"http://u:{PASSWORD}@keystone/"}]}]


def with_secrets(message):
    """What careless senders put on the wire."""
    return {
        **message,
        "_context_auth_token": TOKEN,
        "_context_service_token": TOKEN,
        "_context_service_catalog": CATALOG,
        "_context_auth_token_info": {"token": {"id": TOKEN}},
        "_context_user_auth_plugin": {"password": PASSWORD},
        "_context_trust_id": "not a secret",
    }


@pytest.fixture
def dump(service):
    """Everything that the database holds, as one text."""

    def read(connection):
        inspector = sa.inspect(connection)
        texts = []
        for name in inspector.get_table_names():
            for row in connection.execute(sa.text(f"SELECT * FROM {name}")):
                texts += [
                    bytes(value).decode("latin-1") if isinstance(value, memoryview | bytes)
                    else str(value)
                    for value in row
                ]  # fmt: skip
        return "\n".join(texts)

    return lambda: service.daemon.database.run(read, write=False)


@pytest.mark.parametrize("told", [None, "create_share=InvalidShare"], ids=["good", "failing"])
def test_no_secret_of_a_request_is_kept(service, senders, rows, dump, told):
    share = rows.share(ALPHA, told=told)
    message = with_secrets(message_for("create_share_instance", share))
    operation = service.ended(senders["recorded"].send("create_share_instance", message))
    assert "trust_id" in operation["context"]
    kept = dump()
    assert share.instance_id in kept
    for secret in (TOKEN, PASSWORD):
        assert secret not in kept
        assert secret not in service.log


@pytest.mark.parametrize("broken", ["method", "envelope", "arguments"])
def test_no_secret_of_a_dead_letter_is_kept(service, senders, rows, dump, broken):
    method = f"drop_{uuid.uuid4().hex}"
    message = with_secrets(message_for("create_share_instance", rows.share(ALPHA)))
    message["note"] = method
    if broken == "method":
        message["method"] = method
    if broken == "arguments":
        message["args"] = {"share_instance_id": "i", "password": PASSWORD, "token": TOKEN}
    # A catalog holds no secret by its name; what Keystone puts there is none either.
    message["_context_service_catalog"] = []
    message["_context_auth_token_info"] = None
    body = envelope(message)
    before = len(rows.letters())
    senders["recorded"].publish(body[:-1] if broken == "envelope" else body)
    poll(lambda: len(rows.letters()) == before + 1, "the dead letter")
    kept = dump()
    assert method in kept
    for secret in (TOKEN, PASSWORD):
        assert secret not in kept
        assert secret not in service.log


# -- JSON, and what a reload changes -----------------------------------------------------------


@pytest.fixture(scope="module")
def in_json(services, rabbitmq):
    made = services("sqlite", rabbitmq, default={"use_json": True, "debug": False})
    made.start()
    return made


def lines(service):
    return [json.loads(line) for line in service.log.splitlines()]


def test_every_line_is_json_and_those_of_an_operation_name_it(in_json):
    share = in_json.rows.share(ALPHA, told="create_share=InvalidShare")
    request = in_json.raw().cast("create_share_instance", share)
    operation = in_json.ended(request)
    found = [line for line in lines(in_json) if line["extra"]["request_id"] == request]
    assert found
    for line in found:
        assert line["extra"]["operation_id"] == operation["uuid"]
        assert line["extra"]["operation_resource"] == f"share_instance:{share.instance_id}"
        assert {"asctime", "levelname", "name", "message"} <= set(line)


def test_lines_of_no_operation_have_dashes(in_json):
    (served,) = [x for x in lines(in_json) if x["message"] == f"{HOST}@alpha serves casts"]
    keys = ("operation_id", "request_id", "operation_resource")
    assert [served["extra"][key] for key in keys] == ["-"] * 3


def test_text_lines_name_operation_request_and_resource(service, senders, rows):
    share = rows.share(ALPHA, told="create_share=InvalidShare")
    request = senders["recorded"].cast("create_share_instance", share)
    operation = service.ended(request)
    label = f"[{operation['uuid']} {request} share_instance:{share.instance_id}]"
    found = [line for line in service.log.splitlines() if request in line]
    assert found
    assert [line for line in found if label not in line] == []


def debugging(service):
    """The processes that log lines of level DEBUG."""
    return {line["process"] for line in lines(service) if line["levelname"] == "DEBUG"}


def test_sighup_changes_the_log_level_and_no_process(in_json):
    before = in_json.processes()
    assert debugging(in_json) == set()
    in_json.daemon.configure("debug", True)
    in_json.daemon.reload()
    request = in_json.raw()
    everybody = {in_json.daemon.pid, *before.values()}
    poll(lambda: debugging(in_json) >= everybody, "lines of level DEBUG")
    share = in_json.rows.share(ALPHA)
    in_json.ended(request.cast("create_share_instance", share))
    assert in_json.rows.status(share) == states.AVAILABLE
    assert in_json.processes() == before


@pytest.mark.parametrize("text", ["debug = perhaps", "neither section nor option"])
def test_sighup_with_a_broken_file_keeps_the_daemon_as_it_is(in_json, text):
    before = in_json.processes()
    good = in_json.daemon.config.read_text()
    seen = len(lines(in_json))
    in_json.daemon.config.write_text(good.replace("debug = True", text))
    in_json.daemon.reload()

    def complaints():
        """Of the parent and of both its children."""
        found = [x["message"] for x in lines(in_json)[seen:] if "not read anew" in x["message"]]
        return len(found) >= 3 and found

    for message in poll(complaints, "words about the file"):
        assert str(in_json.daemon.config) in message or "debug = perhaps" in message
    in_json.daemon.config.write_text(good)
    share = in_json.rows.share(ALPHA)
    in_json.ended(in_json.raw().cast("create_share_instance", share))
    assert in_json.rows.status(share) == states.AVAILABLE
    assert in_json.processes() == before


def test_a_dead_letter_in_json_says_why(in_json):
    sender = in_json.raw()
    sender.publish(b"never closed {")
    poll(lambda: in_json.rows.letters(), "the dead letter")
    poll(lambda: [x for x in lines(in_json) if Reason.NOT_JSON in x["message"]], "the line")


def test_sigterm_ends_with_0_and_says_so(in_json):
    assert in_json.daemon.terminate() == 0
    said = [line["message"] for line in lines(in_json)]
    assert f"{HOST}@alpha is stopping" in said
    assert f"{HOST}@beta is stopping" in said
