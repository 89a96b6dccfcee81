# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ is restarted in mid-load; its queues are durable."""

import pytest

from tests.crash.count import NOTHING_WRONG
from tests.crash.site import Background
from tests.fixtures.daemon import poll
from tests.fixtures.rabbitmq import running_broker

BEFORE, DURING, AFTER = 40, 80, 20


@pytest.fixture(scope="module")
def private_broker():
    with running_broker() as broker:
        yield broker


@pytest.fixture
def site(sites, urls, private_broker):
    # Few messages are taken at a time: at every moment some are in the queue, some in the air.
    return sites(
        urls("postgresql"),
        broker=private_broker,
        ours={"rpc_prefetch": 3, "rpc_batch_size": 2, "operation_threads": 16},
        backend={"scripted_delay": 0.1},
    )


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_no_cast_is_lost_or_doubled_when_the_broker_is_restarted_in_mid_load(
    site, private_broker, way
):
    site.ask(site.creations(BEFORE))
    site.start()
    poll(lambda: site.finished() >= 5, "the first operations")
    casting = Background(site, DURING)
    poll(lambda: len(site.casts) >= BEFORE + DURING // 4, "casts in mid-load")
    getattr(private_broker, way)()
    private_broker.start()
    casting.join()
    site.ask(site.creations(AFTER))
    poll(site.settled, "the end of all operations", 60)
    assert site.count() == NOTHING_WRONG
    assert len(site.casts) == BEFORE + DURING + AFTER


def test_casts_that_nobody_has_taken_survive_the_broker_and_the_daemon(site, private_broker):
    site.start()
    site.daemon.wait_ready()
    site.kill()
    site.ask(site.creations(AFTER))
    private_broker.kill()
    private_broker.start()
    site.start()
    poll(site.settled, "the end of all operations", 60)
    assert site.count() == NOTHING_WRONG
