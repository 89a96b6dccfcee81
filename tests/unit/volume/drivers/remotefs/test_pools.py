# SPDX-License-Identifier: Apache-2.0
"""RemoteFSPoolMixin: each share is a pool."""

import pytest
from oslo_config import cfg

from manila_lite.testing.volume_models import volume
from manila_lite.volume.drivers import remotefs
from tests.support.remotefs import FarDriver

OPTS = [cfg.StrOpt("far_shares_config", default="/etc/far")]


class Pooled(remotefs.RemoteFSPoolMixin, FarDriver):
    def _get_pool_name_from_share(self, share):
        return share.partition(":")[0]

    def _get_share_from_pool_name(self, pool_name):
        return f"{pool_name}:/export"

    def _get_capacity_info(self, share):
        if share in self.away_later:
            raise OSError("stale file handle")
        return 100 << 30, 60 << 30, 50 << 30

    away_later = ()


@pytest.fixture
def driver(make):
    driver = make(Pooled, OPTS, max_over_subscription_ratio="1.5", reserved_percentage=5)
    driver.lines = ["a:/export\n", "b:/export\n"]
    return driver


def test_the_pool_in_the_host_is_where_a_volume_goes(driver):
    assert driver._find_share(volume(host="node@far#b")) == "b:/export"


def test_each_share_that_is_mounted_is_reported(driver):
    driver.away = {"b:/export"}
    stats = driver.get_volume_stats(refresh=True)
    assert (stats["total_capacity_gb"], stats["free_capacity_gb"]) == (0, 0)
    assert stats["pools"] == [
        {
            "pool_name": "a",
            "total_capacity_gb": 100.0,
            "free_capacity_gb": 60.0,
            "provisioned_capacity_gb": 50.0,
            "allocated_capacity_gb": 40.0,
            "reserved_percentage": 5,
            "max_over_subscription_ratio": "1.5",
            "thin_provisioning_support": False,
            "QoS_support": False,
        }
    ]


def test_a_share_that_cannot_be_measured_does_not_hide_the_others(driver, caplog):
    driver.away_later = ("a:/export",)
    pools = driver.get_volume_stats(refresh=True)["pools"]
    assert [pool["pool_name"] for pool in pools] == ["b"]
    assert "stale file handle" in caplog.text


def test_a_driver_says_how_shares_and_pools_belong_together():
    bare = remotefs.RemoteFSPoolMixin()
    for question in (bare._get_pool_name_from_share, bare._get_share_from_pool_name):
        with pytest.raises(NotImplementedError):
            question("a")
