# SPDX-License-Identifier: Apache-2.0
"""The batching, late-acknowledging listener against a real RabbitMQ."""

import pytest

from tests.functional.rpc.conftest import Recorder, cast_of, eventually, recorded


def bodies(items):
    return [item.body for item in items]


@pytest.mark.parametrize("compat", ["quorum", "manila"])
def test_recorded_messages_arrive_byte_for_byte_and_leave_the_queue(stack, compat):
    journal = Recorder()
    stack.listener(journal, conf=stack.conf(queue_compat=compat))
    body, recording = recorded("create_share_instance.to-share")
    stack.sender().send(body)
    eventually(lambda: journal.all, "the message")
    raw = journal.all[0]
    assert raw.body == body
    assert raw.properties["content_type"] == recording["amqp_properties"]["content_type"]
    assert raw.properties["delivery_mode"] == 2
    assert (raw.exchange, raw.routing_key, raw.redelivered) == (stack.exchange, stack.queue, False)
    eventually(lambda: unacknowledged(stack) == 0, "the acknowledgement")


def unacknowledged(stack):
    rows = stack.broker.listed("queues", "name", "messages")
    return next(row["messages"] for row in rows if row["name"] == stack.queue)


def test_nothing_is_acknowledged_before_the_journal_has_returned(stack):
    journal = Recorder()
    journal.gate.clear()
    stack.listener(journal)
    sender = stack.sender()
    for number in range(5):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    eventually(lambda: unacknowledged(stack) == 5, "five messages that are still the broker's")
    journal.gate.set()
    eventually(lambda: unacknowledged(stack) == 0, "the acknowledgement of all")
    assert bodies(journal.all) == [cast_of(number) for number in range(5)]
