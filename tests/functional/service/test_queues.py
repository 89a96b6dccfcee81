# SPDX-License-Identifier: Apache-2.0
"""How queues and exchanges are declared, beside those of an existing Manila and without one."""

import amqp
import kombu
import pytest

from manila_lite import states
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import ALPHA, HOST

QUEUES = ("manila-share", f"manila-share.{HOST}@alpha", f"manila-share.{HOST}@beta")
QUORUM = {"x-queue-type": "quorum"}


def declares(broker, queue, *, durable, arguments=None):
    """Whether the broker takes this declaration for the one that there is."""
    with broker.connect() as connection, connection.channel() as channel:
        try:
            channel.queue_declare(queue, durable=durable, auto_delete=False, arguments=arguments)
        except amqp.exceptions.PreconditionFailed:
            return False
        return True


def as_manila_declares(broker):
    """Exchange and queues of a Manila 23 with its defaults, which nobody serves at present."""
    exchange = kombu.Exchange("openstack", type="topic", durable=False, auto_delete=False)
    with broker.connect() as connection, connection.channel() as channel:
        for name in QUEUES:
            queue = kombu.Queue(name, exchange, name, durable=False, auto_delete=False)
            queue(channel).declare()


def test_queues_are_quorum_queues_by_default(service):
    broker = service.broker
    for queue in QUEUES[1:]:
        sole = {**QUORUM, "x-single-active-consumer": True}
        assert declares(broker, queue, durable=True, arguments=sole)
    assert not declares(broker, QUEUES[0], durable=False)


@pytest.fixture(scope="module")
def besides_manila(services, rabbitmq):
    """A service that takes the place of a manila-share in the midst of its work."""
    as_manila_declares(rabbitmq)
    made = services("sqlite", rabbitmq, ours={"queue_compat": "manila"})
    made.share = made.rows.share(ALPHA)
    made.request = made.raw().cast("create_share_instance", made.share)
    made.start()
    return made


def test_manilas_own_queues_are_served_and_what_waits_in_them(besides_manila):
    assert besides_manila.ended(besides_manila.request)["state"] == "succeeded"
    assert besides_manila.rows.status(besides_manila.share) == states.AVAILABLE


def test_queue_compat_manila_declares_classic_queues_that_are_not_durable(besides_manila):
    assert besides_manila.daemon.terminate() == 0
    broker = besides_manila.broker
    with broker.connect() as connection, connection.channel() as channel:
        for queue in QUEUES:
            channel.queue_delete(queue)
        channel.exchange_delete("openstack")
    besides_manila.start()
    for queue in QUEUES:
        poll(lambda queue=queue: broker.depth(queue) is not None, queue)
        assert declares(broker, queue, durable=False)
    share = besides_manila.rows.share(ALPHA)
    besides_manila.ended(besides_manila.api().cast("create_share_instance", share))
    assert besides_manila.rows.status(share) == states.AVAILABLE


def test_queues_of_another_kind_are_named_and_served_once_they_are_gone(besides_manila):
    """An operator forgot queue_compat, or changed it while the old queues were there."""
    assert besides_manila.daemon.terminate() == 0
    besides_manila.daemon.configure("queue_compat", "quorum")
    besides_manila.start()
    advice = "refused to declare queue"
    poll(lambda: advice in besides_manila.log, "the broker's refusal in the log")
    assert "queue_compat = manila" in besides_manila.log
    broker = besides_manila.broker
    with broker.connect() as connection, connection.channel() as channel:
        for queue in QUEUES:
            channel.queue_delete(queue)
        channel.exchange_delete("openstack")
    for queue in QUEUES:
        poll(lambda queue=queue: broker.depth(queue) is not None, queue)
    assert declares(broker, QUEUES[0], durable=True, arguments=QUORUM)
