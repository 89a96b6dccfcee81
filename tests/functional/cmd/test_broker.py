# SPDX-License-Identifier: Apache-2.0
"""The command line with a transport_url: it casts what Manila's API would cast."""

import json

import pytest

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def daemon(database_url, daemons, rabbitmq, names):
    return daemons(
        database_url,
        transport_url=rabbitmq.url,
        default={"control_exchange": names["exchange"], "share_topic": names["topic"]},
    )


def test_a_request_over_the_broker_is_waited_for_and_ends_well(daemon, shell_of):
    daemon.start()
    daemon.wait_ready()
    shell = shell_of(daemon)
    made = shell.read("share", "create", "1", "--name", "music", "--wait", "--timeout", "30")
    assert (made["status"], made["operation"]) == ("available", None)
    assert shell.read("share", "extend", "music", "2", "--wait", "--timeout", "30")["size"] == 2
    shell.type("share", "delete", "music", "--wait", "--timeout", "30")
    methods = {row["method"] for row in shell.read("op", "list")}
    assert {"create_share_instance", "extend_share", "delete_share_instance"} <= methods


def test_a_cast_has_the_arguments_of_a_recorded_one(daemon, shell_of, rabbitmq, names):
    queue = f"{names['topic']}.{daemon.host}"
    with rabbitmq.connect() as connection, connection.channel() as channel:
        exchange = {"exchange": names["exchange"], "type": "topic", "auto_delete": False}
        channel.exchange_declare(**exchange, durable=True)
        channel.queue_declare(queue, durable=True, auto_delete=False, exclusive=True)
        channel.queue_bind(queue, names["exchange"], queue)
        shell_of(daemon).read("share", "create", "1", "--name", "music")
        message = channel.basic_get(queue, no_ack=True)
    inner = json.loads(json.loads(message.body)["oslo.message"])
    assert (inner["method"], inner["version"]) == ("create_share_instance", "1.4")
    assert set(inner["args"]) == {
        "share_instance_id",
        "request_spec",
        "filter_properties",
        "snapshot_id",
    }
    assert inner["_context_auth_token"] is None


def test_a_cast_to_nobody_ends_with_6_and_leaves_nothing_in_a_transitional_status(daemon, shell_of):
    shell = shell_of(daemon)
    said = shell.type("share", "create", "1", "--name", "music", code=6).stderr
    assert "no queue" in said
    assert shell.read("share", "show", "music")["status"] == "error"


def test_a_resize_that_cannot_be_sent_leaves_the_share_as_it_was(daemon, shell_of, rabbitmq, names):
    daemon.start()
    daemon.wait_ready()
    shell = shell_of(daemon)
    shell.read("share", "create", "1", "--name", "music", "--wait", "--timeout", "30")
    daemon.terminate()
    with rabbitmq.connect() as connection, connection.channel() as channel:
        channel.queue_delete(f"{names['topic']}.{daemon.host}")
    shell.type("share", "extend", "music", "2", code=6)
    assert shell.read("share", "show", "music")["status"] == "available"


def test_a_broker_that_is_away_ends_with_6(daemon, shell_of, tmp_path):
    path = tmp_path / "away.conf"
    text = daemon.config.read_text()
    line = next(line for line in text.splitlines() if line.startswith("transport_url"))
    path.write_text(text.replace(line, "transport_url = rabbit://u:geheim@127.0.0.1:1/"))
    said = shell_of(path).type("share", "create", "1", code=6).stderr
    assert "geheim" not in said
