# SPDX-License-Identifier: Apache-2.0
"""The broker goes away and comes back."""

import pytest

from manila_lite.context import get_admin_context
from manila_lite.rpc.clients import ShareAPI
from tests.functional.rpc.conftest import (
    SERVER,
    Journal,
    Recorder,
    Stack,
    cast_of,
    eventually,
)


@pytest.fixture
def private(own_rabbitmq, names, request):
    """A stack on a broker of its own."""
    import contextlib

    with contextlib.ExitStack() as exits:
        yield Stack(own_rabbitmq, names, exits)


def test_durable_messages_survive_a_restart_and_the_listener_comes_back_by_itself(private):
    journal = Recorder()
    journal.gate.clear()
    listener = private.listener(journal, batch_size=1)
    sender = private.sender()
    for number in range(5):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    sender.close()
    private.broker.stop()
    eventually(lambda: not listener.connected, "the loss")
    journal.gate.set()
    private.broker.start()
    eventually(lambda: listener.connected, "the return", 40)
    eventually(lambda: private.broker.depth(private.queue) == 0 and len(journal.all) >= 5, "all")
    assert {item.body for item in journal.all} == {cast_of(number) for number in range(5)}


def test_a_service_starts_without_a_broker_and_listens_as_soon_as_there_is_one(private, registry):
    private.broker.stop()
    journal = Journal()
    server = private.server(registry.flows, journal)
    assert server.listener.error is not None
    assert not server.listener.connected
    private.broker.start()
    eventually(lambda: server.listener.connected, "the connection", 40)
    ShareAPI(private.transport(), private.topic).create_snapshot(
        get_admin_context(), SERVER, share_id="s", snapshot_id="n"
    )
    eventually(lambda: journal.operations, "the cast")
    assert journal.operations[0].arguments == {"share_id": "s", "snapshot_id": "n"}


def test_stopping_is_quick_while_there_is_no_broker(private):
    listener = private.listener(Recorder())
    private.broker.stop()
    eventually(lambda: not listener.connected, "the loss")
    assert listener.stop(5)
