# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.db import reports
from manila_lite.scheduler.volume_capabilities import complete
from tests.support.volumes import HOST, OTHER_POOL, Recorder


@pytest.fixture
def scheduler(site):
    site.environment.scheduler = Recorder(update_service_capabilities=None)
    return site.environment.scheduler


def test_a_scheduler_that_asks_is_told_of_each_pool(site, scheduler):
    site.add_volume()
    site.add_volume("creating")
    site.add_volume(host=OTHER_POOL)

    assert site.do("publish_service_capabilities")["state"] == "succeeded"

    [(_, service, host, report, moment)] = scheduler.arguments
    assert (service, host, moment) == ("volume", HOST, site.clock.now())
    assert report["volume_backend_name"] == "backend"
    [pool] = report["pools"]
    assert (pool["pool_name"], pool["free_capacity_gb"]) == ("pool", 7.0)
    assert pool["allocated_capacity_gb"] == 10
    assert pool["reserved_percentage"] == 0


def test_the_last_report_is_kept_for_those_without_a_scheduler(site):
    site.do("publish_service_capabilities")

    with site.database.reader() as connection:
        [kept] = reports.listed(connection)
    assert kept["host"] == HOST


def test_a_driver_with_nothing_to_say_is_not_reported(site, scheduler):
    site.driver.answers["get_volume_stats"] = {}

    site.do("publish_service_capabilities")

    assert scheduler.calls == []


def test_a_back_end_without_pools_is_one_pool():
    report = complete({"total_capacity_gb": 9}, "name", {"": 3, "pool": 4})

    assert report["allocated_capacity_gb"] == 7
    assert report["total_capacity_gb"] == 9
    assert "pools" not in report


def test_a_pool_goes_before_its_back_end():
    stats = {"reserved_percentage": 5, "pools": [{"pool_name": "a", "reserved_percentage": 9}]}

    assert complete(stats, "name", {})["pools"][0]["reserved_percentage"] == 9
