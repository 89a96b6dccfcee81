# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from manila_lite.db import models, reports
from manila_lite.scheduler.capabilities import DEFAULTS, complete
from manila_lite.share.driver import ShareDriver
from tests.support.shares import HOST, Site

WIRE = (
    Path(__file__).parents[2] / "data" / "wire" / "update_service_capabilities.to-schedulers.json"
)
RECORDED = json.loads(WIRE.read_text())["oslo.message"]["args"]


class Scheduler:
    def __init__(self):
        self.told = []

    def update_service_capabilities(self, context, service_name, host, capabilities, timestamp):
        self.told.append((service_name, host, capabilities, timestamp))


@pytest.fixture
def site():
    found = Site()
    found.environment.scheduler = Scheduler()
    return found


def test_an_empty_report_is_completed_to_the_keys_that_manila_sends():
    recorded = set(RECORDED["capabilities"])

    # How a driver calls itself is its own affair.
    assert set(complete({}, "alpha")) == recorded - {"driver_name"}


def test_a_recorded_report_passes_unchanged():
    assert complete(RECORDED["capabilities"], "other") == RECORDED["capabilities"]


def test_what_a_driver_says_goes_before_any_default():
    said = {name: f"said {name}" for name in DEFAULTS if name != "pools"}

    report = complete(said, "alpha")

    assert {name: report[name] for name in said} == said


def test_a_pool_takes_its_reserves_from_the_back_end_unless_it_has_its_own():
    report = complete(
        {
            "reserved_percentage": 5,
            "pools": iter([{"pool_name": "a"}, {"pool_name": "b", "reserved_percentage": 9}]),
        },
        "alpha",
    )

    assert [pool["reserved_percentage"] for pool in report["pools"]] == [5, 9]
    assert report["pools"][0]["reserved_snapshot_percentage"] == 0


def test_what_only_some_drivers_say_reaches_the_schedulers(site):
    some = {
        "replication_type": "dr",
        "max_over_subscription_ratio": 3.0,
        "thin_provisioning": [True, False],
        "provisioned_capacity_gb": 7,
        "allocated_capacity_gb": 5,
    }
    stats = {**some, "pools": [{"pool_name": "a", **some}]}
    site.driver._update_share_stats = lambda: ShareDriver._update_share_stats(site.driver, stats)

    site.do("publish_service_capabilities")

    [(_, _, capabilities, _)] = site.environment.scheduler.told
    [pool] = capabilities["pools"]
    assert {name: capabilities[name] for name in some} == some
    assert {name: pool[name] for name in some} == some


def test_group_statistics_always_tell_about_consistent_snapshots():
    assert complete({"share_group_stats": None}, "a")["share_group_stats"] == {
        "consistent_snapshot_support": None
    }


def test_a_scheduler_that_asks_is_told_under_the_recorded_names(site):
    operation = site.do("publish_service_capabilities")

    assert operation["state"] == "succeeded"
    [(service_name, host, capabilities, timestamp)] = site.environment.scheduler.told
    assert (service_name, host) == (RECORDED["service_name"], HOST)
    assert set(capabilities) >= set(RECORDED["capabilities"]) - {"driver_name"}
    assert capabilities["share_backend_name"] == "Generic_NFS"
    assert timestamp == site.clock.now()


def test_the_last_report_is_kept_for_those_without_a_scheduler(site):
    site.environment.scheduler = None

    site.do("publish_service_capabilities")

    with site.database.reader() as connection:
        [kept] = reports.listed(connection)
    assert kept["host"] == HOST
    assert kept["report"]["snapshot_support"] is True


def test_a_driver_with_nothing_to_say_is_not_reported(site):
    site.driver.get_share_stats = lambda refresh=False: {}

    assert site.do("publish_service_capabilities")["state"] == "succeeded"
    assert site.environment.scheduler.told == []
    assert site.rows(models.lite.reports) == []
