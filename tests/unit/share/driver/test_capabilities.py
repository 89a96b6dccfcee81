# SPDX-License-Identifier: Apache-2.0
"""What a driver tells the scheduler."""

import json
import logging
from pathlib import Path

import pytest

from manila_lite import exception
from manila_lite.share.driver import ShareDriver

WIRE = (
    Path(__file__).parents[3] / "data" / "wire" / "update_service_capabilities.to-schedulers.json"
)

SEED_DEFAULTS = {
    "share_backend_name": "Generic_NFS",
    "driver_handles_share_servers": False,
    "vendor_name": "Open Source",
    "driver_version": "1.0",
    "storage_protocol": None,
    "total_capacity_gb": "unknown",
    "free_capacity_gb": "unknown",
    "reserved_percentage": 0,
    "qos": False,
    "pools": None,
    "snapshot_support": False,
    "create_share_from_snapshot_support": False,
    "revert_to_snapshot_support": False,
    "mount_snapshot_support": False,
    "replication_domain": None,
    "filter_function": None,
    "goodness_function": None,
    "share_group_stats": {"consistent_snapshot_support": None},
    "ipv4_support": True,
    "ipv6_support": False,
}


class SnapshotDriver(ShareDriver):
    def create_snapshot(self, context, snapshot, share_server=None):
        return None

    def delete_snapshot(self, context, snapshot, share_server=None):
        return None


class CloneDriver(SnapshotDriver):
    def create_share_from_snapshot(self, context, share, snapshot, share_server=None):
        return []


class OnlyCloneDriver(ShareDriver):
    def create_share_from_snapshot(self, context, share, snapshot, share_server=None):
        return []


class FunctionDriver(ShareDriver):
    def get_default_filter_function(self):
        return "driver's filter"

    def get_default_goodness_function(self):
        return "driver's goodness"


class IPv6Driver(ShareDriver):
    versions: object = [4, 6]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ipv6_implemented = True

    def get_configured_ip_versions(self):
        return self.versions


@pytest.mark.parametrize(("key", "value"), SEED_DEFAULTS.items())
def test_statistics_have_the_contracts_defaults(driver, key, value):
    assert driver.get_share_stats(refresh=True)[key] == value


def test_statistics_have_every_key_that_schedulers_get(driver):
    sent = json.loads(WIRE.read_text())["oslo.message"]["args"]["capabilities"]
    missing = set(sent) - set(driver.get_share_stats(refresh=True))
    assert missing == {"driver_name"}  # a driver's own


def test_statistics_of_the_base_have_no_key_beside(driver):
    sent = json.loads(WIRE.read_text())["oslo.message"]["args"]["capabilities"]
    assert set(driver.get_share_stats(refresh=True)) <= set(sent)


def test_statistics_are_measured_only_on_request(driver):
    first = driver.get_share_stats(refresh=True)
    assert driver.get_share_stats() is first
    assert driver.get_share_stats(refresh=True) is not first


def test_data_of_the_driver_replaces_defaults_and_adds_keys(driver):
    driver._update_share_stats({"vendor_name": "ACME", "free_capacity_gb": 7, "extra": 1})
    stats = driver.get_share_stats()
    assert (stats["vendor_name"], stats["free_capacity_gb"], stats["extra"]) == ("ACME", 7, 1)
    assert stats["total_capacity_gb"] == "unknown"


@pytest.mark.parametrize(
    ("data", "support"),
    [
        (None, None),
        ({}, None),
        ({"share_group_stats": {}}, None),
        ({"share_group_stats": None}, None),
        ({"share_group_stats": {"consistent_snapshot_support": "pool", "other": 1}}, "pool"),
        ({"share_group_stats": {"consistent_snapshot_support": "host"}}, "host"),
    ],
)
def test_group_statistics_have_one_key(driver, data, support):
    driver._update_share_stats(data)
    assert driver.get_share_stats()["share_group_stats"] == {"consistent_snapshot_support": support}


@pytest.mark.parametrize(
    ("cls", "snapshots", "clones"),
    [
        (ShareDriver, False, False),
        (SnapshotDriver, True, False),
        (CloneDriver, True, True),
        (OnlyCloneDriver, False, False),
    ],
)
def test_support_for_snapshots_follows_what_is_redefined(make, cls, snapshots, clones):
    driver = make(cls)
    stats = driver.get_share_stats(refresh=True)
    assert (driver.snapshots_are_supported, stats["snapshot_support"]) == (snapshots, snapshots)
    assert driver.creating_shares_from_snapshots_is_supported is clones
    assert stats["create_share_from_snapshot_support"] is clones


def test_driver_can_say_itself_whether_it_supports_snapshots(make):
    driver = make(CloneDriver)
    driver._snapshots_are_supported = False
    assert driver.snapshots_are_supported is False
    assert driver.creating_shares_from_snapshots_is_supported is False


@pytest.mark.parametrize(
    ("own", "default", "name"),
    [("A", "D", "A"), (None, "D", "D"), ("", "D", "D"), (None, None, "Generic_NFS")],
)
def test_back_end_name_falls_back(conf, make, own, default, name):
    conf.set_override("share_backend_name", default)
    driver = make(share_backend_name=own) if own is not None else make()
    assert driver.get_share_stats(refresh=True)["share_backend_name"] == name


def test_pools_are_reported_where_there_are_some(driver):
    driver.pools = [{"pool_name": "p"}]
    assert driver.get_share_stats(refresh=True)["pools"] == [{"pool_name": "p"}]


@pytest.mark.parametrize("name", ShareDriver._REPORTED)
def test_flag_that_a_driver_sets_is_reported(driver, name):
    setattr(driver, name, "set")
    assert driver.get_share_stats(refresh=True)[name] == "set"


@pytest.mark.parametrize("which", ["filter", "goodness"])
@pytest.mark.parametrize(
    ("cls", "own", "default", "answer"),
    [
        (ShareDriver, None, None, None),
        (ShareDriver, "own", "default", "own"),
        (ShareDriver, None, "default", "default"),
        (ShareDriver, "", "default", "default"),
        (FunctionDriver, None, None, "driver's {}"),
        (FunctionDriver, None, "default", "default"),
        (FunctionDriver, "own", None, "own"),
        (FunctionDriver, "", "", "driver's {}"),
    ],
)
def test_functions_come_from_section_then_default_then_driver(
    conf, make, which, cls, own, default, answer
):
    if default is not None:
        conf.set_override(f"{which}_function", default)
    driver = make(cls, **({f"{which}_function": own} if own is not None else {}))
    wanted = answer and answer.format(which)
    assert getattr(driver, f"get_{which}_function")() == wanted
    assert driver.get_share_stats(refresh=True)[f"{which}_function"] == wanted


@pytest.mark.parametrize("ratio", [1.0, 1.5, 20.0])
def test_over_subscription_of_at_least_one_is_accepted(make, ratio):
    assert make(max_over_subscription_ratio=ratio).check_for_setup_error() is None


@pytest.mark.parametrize("ratio", [0.0, 0.99, -1.0])
def test_over_subscription_below_one_is_refused(make, ratio):
    driver = make(max_over_subscription_ratio=ratio)
    with pytest.raises(exception.InvalidParameterValue, match=f"not '{ratio}'"):
        driver.check_for_setup_error()


def test_driver_has_nothing_to_set_up_by_default(driver):
    assert driver.do_setup(None) is None


@pytest.mark.parametrize(
    ("versions", "ipv4", "ipv6"),
    [([4], True, False), ([6], False, True), ({4, 6}, True, True), ((6, 4), True, True)],
)
def test_ip_versions_are_the_drivers_without_share_servers(make, versions, ipv4, ipv6):
    driver = make(IPv6Driver)
    driver.versions = versions
    data = driver.add_ip_version_capability({"share_backend_name": "alpha"})
    assert (data["ipv4_support"], data["ipv6_support"]) == (ipv4, ipv6)
    assert driver.ip_versions == set(versions)


@pytest.mark.parametrize(
    ("versions", "network4", "network6", "common"),
    [
        ([4, 6], True, False, {4}),
        ([4, 6], True, True, {4, 6}),
        ([4, 6], False, True, {6}),
        ([4], False, True, set()),
    ],
)
def test_ip_versions_are_those_of_driver_and_network_with_share_servers(
    conf, make, versions, network4, network6, common
):
    conf.set_override("network_plugin_ipv4_enabled", network4)
    conf.set_override("network_plugin_ipv6_enabled", network6)
    driver = make(IPv6Driver, driver_handles_share_servers=True)
    driver.versions = versions
    stats = driver.get_share_stats(refresh=True)
    assert {v for v in (4, 6) if stats[f"ipv{v}_support"]} == common


@pytest.mark.parametrize(
    ("cls_versions", "handles", "words"),
    [([], False, "neither over IPv4 nor over IPv6"), ([6], True, "no IP version in common")],
)
def test_back_end_without_an_ip_version_is_an_error_in_the_log(
    make, caplog, cls_versions, handles, words
):
    driver = make(IPv6Driver, driver_handles_share_servers=handles)
    driver.versions = cls_versions
    with caplog.at_level(logging.ERROR):
        driver.add_ip_version_capability({"share_backend_name": "alpha"})
    assert words in caplog.text


def test_driver_that_promises_ipv6_has_to_say_which_versions_it_serves(driver):
    assert driver.get_configured_ip_versions() == [4]
    driver.ipv6_implemented = True
    with pytest.raises(NotImplementedError):
        driver.get_configured_ip_versions()
