# SPDX-License-Identifier: Apache-2.0
"""The batching, late-acknowledging listener against a real RabbitMQ."""

import os
import threading
import time

import pytest

from manila_lite.rpc.oslo_inside import TopologyConflict
from tests.functional.rpc.conftest import Recorder, cast_of, eventually, recorded

CLASSIC = {"queue_compat": "manila"}


def bodies(items):
    return [item.body for item in items]


@pytest.mark.parametrize("compat", ["quorum", "manila"])
def test_a_recorded_message_arrives_byte_for_byte(stack, compat):
    journal = Recorder()
    stack.listener(journal, conf={"queue_compat": compat})
    body, recording = recorded("create_share_instance.to-share")
    stack.sender().send(body)
    eventually(lambda: journal.all, "the message")
    raw = journal.all[0]
    assert raw.body == body
    assert raw.properties["content_type"] == recording["amqp_properties"]["content_type"]
    assert raw.properties["delivery_mode"] == 2
    assert (raw.exchange, raw.routing_key, raw.redelivered) == (stack.exchange, stack.queue, False)


def test_nothing_is_acknowledged_before_the_journal_has_returned(stack):
    journal = Recorder()
    journal.gate.clear()
    stack.listener(journal, conf=CLASSIC)
    sender = stack.sender()
    for number in range(5):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    eventually(lambda: stack.unacknowledged() == 5, "five messages that are still the broker's")
    journal.gate.set()
    eventually(lambda: stack.unacknowledged() == 0, "the acknowledgement of all")
    assert bodies(journal.all) == [cast_of(number) for number in range(5)]


def test_messages_that_wait_are_journaled_together_and_in_order(stack):
    journal = Recorder()
    stack.listener(journal, start=False)
    first = stack.listener(journal)
    sender = stack.sender()
    journal.gate.clear()
    for number in range(30):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    eventually(lambda: first._ordered.waiting, "messages gathering behind the first batch")
    journal.gate.set()
    eventually(lambda: len(journal.all) == 30, "all messages")
    assert bodies(journal.all) == [cast_of(number) for number in range(30)]
    assert len(journal.batches) < 30


def test_a_connection_lost_between_journal_and_acknowledgement_means_redelivery(stack):
    journal = Recorder()
    journal.gate.clear()
    listener = stack.listener(journal, conf=CLASSIC)
    sender = stack.sender()
    for number in range(3):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    assert stack.broker.cut(f":{os.getpid()}:") >= 1
    eventually(lambda: not listener.connected, "the loss")
    journal.gate.set()
    eventually(lambda: stack.unacknowledged() == 0, "the end of the queue")
    again = [item for item in journal.all if item.redelivered]
    assert {item.body for item in again} == {cast_of(number) for number in range(3)}
    assert len(journal.all) > len(again)


def test_a_journal_that_fails_is_asked_again_and_nothing_is_lost_or_doubled(stack):
    journal = Recorder()
    journal.failing = True
    stack.listener(journal, conf=CLASSIC)
    sender = stack.sender()
    for number in range(3):
        sender.send(cast_of(number))
    eventually(lambda: journal.failures >= 2, "two refusals")
    assert stack.unacknowledged() == 3
    journal.failing = False
    eventually(lambda: stack.unacknowledged() == 0, "the end of the queue")
    assert bodies(journal.all) == [cast_of(number) for number in range(3)]
    assert not any(item.redelivered for item in journal.all)


def test_heartbeats_go_on_while_the_database_does_not_answer(stack):
    journal = Recorder()
    journal.gate.clear()
    listener = stack.listener(
        journal, conf={**CLASSIC, "rabbit": {"heartbeat_timeout_threshold": 2}}
    )
    stack.sender().send(cast_of(1))
    assert journal.entered.wait(20)
    # The broker closes a connection that was silent for two time-outs.
    assert not threading.Event().wait(6)
    assert listener.connected
    journal.gate.set()
    eventually(lambda: stack.unacknowledged() == 0, "the acknowledgement")
    assert [item.redelivered for item in journal.all] == [False]


def test_prefetch_bounds_what_is_in_hand(stack):
    journal = Recorder()
    journal.gate.clear()
    stack.listener(journal, conf={**CLASSIC, "rpc_prefetch": 3})
    sender = stack.sender()
    for number in range(10):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    eventually(lambda: stack.broker.depth(stack.queue) == 7, "seven messages left in the queue")
    journal.gate.set()
    eventually(lambda: len(journal.all) == 10, "all messages")


def test_stopping_finishes_the_batch_in_hand_and_gives_the_rest_back(stack):
    journal = Recorder()
    journal.gate.clear()
    listener = stack.listener(journal, batch_size=2)
    sender = stack.sender()
    for number in range(10):
        sender.send(cast_of(number))
    assert journal.entered.wait(20)
    stopped = []
    stopping = threading.Thread(target=lambda: stopped.append(listener.stop(20)))
    stopping.start()
    eventually(listener._stop.is_set, "the stop")
    journal.gate.set()
    stopping.join(20)
    assert stopped == [True]
    assert len(journal.batches) == 1
    left = 10 - len(journal.all)
    assert left >= 8
    eventually(lambda: stack.broker.depth(stack.queue) == left, f"{left} messages in the queue")


def test_stopping_takes_no_longer_than_it_may_when_the_journal_hangs(stack):
    journal = Recorder()
    journal.gate.clear()
    listener = stack.listener(journal)
    stack.sender().send(cast_of(1))
    assert journal.entered.wait(20)
    began = time.monotonic()
    assert listener.stop(0.5) is False
    assert time.monotonic() - began < 2.0
    eventually(lambda: stack.broker.depth(stack.queue) == 1, "the message back in the queue")
    journal.gate.set()


def test_idle_says_that_the_queue_has_been_empty(stack):
    journal = Recorder()
    stack.listener(journal).stop(5)
    sender = stack.sender()
    for number in range(3):
        sender.send(cast_of(number))
    journal.gate.clear()
    listener = stack.listener(journal)
    assert journal.entered.wait(20)
    assert not listener.idle.wait(1.5)
    journal.gate.set()
    assert listener.idle.wait(20)
    assert len(journal.all) == 3


def test_a_fanout_reaches_every_listener(stack):
    journals = [Recorder(), Recorder()]
    for journal in journals:
        stack.listener(journal)
    sender = stack.sender()
    sender.send(cast_of(1), exchange=f"{stack.topic}_fanout")
    for journal in journals:
        eventually(lambda journal=journal: journal.all, "the fanout")
        assert bodies(journal.all) == [cast_of(1)]


def test_two_listeners_on_one_queue_take_turns_so_that_order_is_kept(stack):
    first, second = Recorder(), Recorder()
    active = stack.listener(first)
    stack.listener(second)
    sender = stack.sender()
    for number in range(20):
        sender.send(cast_of(number))
    eventually(lambda: len(first.all) == 20, "all messages at the first listener")
    assert second.all == []
    assert active.stop(10)
    for number in range(20, 25):
        sender.send(cast_of(number))
    eventually(lambda: len(second.all) == 5, "the rest at the second listener")
    assert bodies(second.all) == [cast_of(number) for number in range(20, 25)]


def test_a_listener_that_dies_leaves_its_messages_to_the_next_in_order(stack):
    first, second = Recorder(), Recorder()
    first.gate.clear()
    active = stack.listener(first, batch_size=2)
    stack.listener(second)
    sender = stack.sender()
    for number in range(20):
        sender.send(cast_of(number))
    assert first.entered.wait(20)
    assert active.stop(0.2) is False
    eventually(lambda: len(second.all) == 20, "all messages at the second listener")
    assert bodies(second.all) == [cast_of(number) for number in range(20)]
    first.gate.set()


def declared(stack, what, *columns):
    rows = stack.broker.listed(what, "name", *columns)
    return {row.pop("name"): row for row in rows}


def test_by_default_queues_are_quorum_queues_with_one_active_consumer(stack):
    stack.listener(Recorder())
    queues = declared(stack, "queues", "type", "durable", "arguments")
    own = {name: value for name, _, value in queues[stack.queue]["arguments"]}
    assert queues[stack.queue]["type"] == "quorum"
    assert queues[stack.queue]["durable"] is True
    assert own == {"x-queue-type": "quorum", "x-single-active-consumer": True}
    assert queues[stack.topic]["type"] == "quorum"
    assert "x-single-active-consumer" not in str(queues[stack.topic]["arguments"])
    exchanges = declared(stack, "exchanges", "type", "durable", "auto_delete")
    assert exchanges[stack.exchange] == {"type": "topic", "durable": True, "auto_delete": False}


def test_in_compatibility_mode_all_is_declared_as_manila_does(stack):
    stack.listener(Recorder(), conf=CLASSIC)
    queues = declared(stack, "queues", "type", "durable", "auto_delete", "arguments")
    plain = {"type": "classic", "durable": False, "auto_delete": False, "arguments": []}
    fanout = next(row for name, row in queues.items() if name.startswith(f"{stack.topic}_fanout_"))
    assert (queues[stack.queue], queues[stack.topic]) == (plain, plain)
    assert [(name, value) for name, _, value in fanout.pop("arguments")] == [("x-expires", 1800000)]
    assert fanout == {"type": "classic", "durable": False, "auto_delete": False}
    exchanges = declared(stack, "exchanges", "type", "durable", "auto_delete")
    assert exchanges[stack.exchange] == {"type": "topic", "durable": False, "auto_delete": False}
    assert exchanges[f"{stack.topic}_fanout"] == {
        "type": "fanout", "durable": False, "auto_delete": True,
    }  # fmt: skip
    bindings = declared_bindings(stack)
    assert (stack.exchange, stack.queue, stack.queue) in bindings
    assert (stack.exchange, stack.topic, stack.topic) in bindings


def declared_bindings(stack):
    rows = stack.broker.listed("bindings", "source_name", "destination_name", "routing_key")
    return {tuple(row.values()) for row in rows}


def test_the_operators_own_options_go_before_the_compatibility_mode(stack):
    stack.listener(Recorder(), conf={**CLASSIC, "rabbit": {"amqp_durable_queues": "true"}})
    queues = declared(stack, "queues", "type", "durable")
    assert queues[stack.queue] == {"type": "classic", "durable": True}


@pytest.mark.parametrize(("exists", "wanted"), [("manila", "quorum"), ("quorum", "manila")])
def test_a_broker_with_other_queues_gives_an_error_that_names_the_options(stack, exists, wanted):
    stack.listener(Recorder(), conf={"queue_compat": exists}).stop(5)
    listener = stack.listener(Recorder(), conf={"queue_compat": wanted})
    assert isinstance(listener.error, TopologyConflict)
    text = str(listener.error)
    for word in ("durable", "queue_compat", "amqp_durable_queues", stack.exchange):
        assert word in text
    assert not listener.connected


def test_a_stopped_listener_leaves_no_fanout_queue_behind(stack):
    listener = stack.listener(Recorder())
    assert listener.stop(10)
    assert not [name for name in declared(stack, "queues") if "_fanout_" in name]
