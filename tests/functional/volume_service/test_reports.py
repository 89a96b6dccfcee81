# SPDX-License-Identifier: Apache-2.0
"""What the outside sees of the service: queues, signs of life, reports, and its end."""

import pytest

from manila_lite.clock import SystemClock
from manila_lite.db import services
from tests.fixtures.daemon import happens, poll
from tests.functional.service.listening import Fanout


@pytest.fixture(scope="module")
def scheduler(broker, site):
    listening = Fanout(broker, "cinder-scheduler_fanout")
    yield listening
    listening.close()


def test_both_queues_of_cinders_clients_are_there(site, broker):
    found = {queue["name"] for queue in broker.listed("queues", "name")}

    assert {
        "cinder-volume",
        f"cinder-volume.{site.host}",
        f"cinder-volume.{site.host}.node",
    } <= found


def test_the_service_gives_signs_of_life_under_its_own_name(site):
    def listed():
        now = SystemClock().now()
        found = site.database.run(
            lambda c: services.list_services(c, now, 60, services.VOLUME_BINARY), write=False
        )
        return [s for s in found if s["is_up"]]

    [service] = poll(listed, "a sign of life")
    assert (service["host"], service["topic"]) == (site.host, "cinder-volume")


def test_schedulers_are_told_in_cinders_words(site, scheduler):
    taken = poll(scheduler.take, "a report")
    _, _, message = taken[-1]

    assert (message["method"], message["version"]) == ("update_service_capabilities", "3.3")
    args = message["args"]
    assert (args["service_name"], args["host"], args["cluster_name"]) == (
        "volume", site.host, None,
    )  # fmt: skip
    [pool] = args["capabilities"]["pools"]
    assert pool["pool_name"] == str(site.share)
    assert pool["allocated_capacity_gb"] == 0
    assert pool["total_capacity_gb"] > 0


def test_a_scheduler_that_asks_by_fanout_is_answered(site, broker, scheduler):
    from manila_lite.context import get_admin_context

    scheduler.take()
    site.api().publish_service_capabilities(get_admin_context())

    assert happens(scheduler.take, 10)
