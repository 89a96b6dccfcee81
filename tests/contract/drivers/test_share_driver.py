# SPDX-License-Identifier: Apache-2.0
"""What every share driver keeps to, whatever its storage is."""

import datetime
import inspect
import json
from pathlib import Path

import pytest

from manila_lite import exception
from manila_lite.share.driver import ShareDriver
from manila_lite.testing import models, trees

SEED = json.loads(
    (Path(__file__).parents[2] / "data" / "seed-interface.json").read_text(encoding="utf-8")
)["classes"]["driver.py"]["ShareDriver"]["methods"]
# get_configured_ip_versions raises only in a driver that says it can do IPv6.
UNSUPPORTED_BY_DEFAULT = sorted(
    name
    for name, method in SEED.items()
    if method["raises_NotImplementedError"] and name != "get_configured_ip_versions"
)


@pytest.fixture
def driver(subject):
    return subject.start()


@pytest.fixture
def share(driver):
    model = models.share(2)
    driver.create_share(None, model)
    return model


@pytest.fixture
def full_share(subject, share):
    if subject.data_of:
        trees.grow_zoo(subject.data_of(share))
    return share


@pytest.fixture
def snapshot(driver, full_share):
    model = models.snapshot(full_share)
    driver.create_snapshot(None, model)
    return model


def assert_same_data(subject, one, other):
    if subject.data_of:
        assert trees.describe(subject.data_of(one)) == trees.describe(subject.data_of(other))


def assert_gone(subject, model):
    if subject.data_of:
        assert not subject.data_of(model).exists()


def assert_nothing_left(subject, *models_left):
    """Only the data of these models lie where data lie, under any name."""
    if subject.data_of:
        kept = {subject.data_of(model) for model in models_left}
        areas = {subject.data_of(models.share()).parent}
        areas.add(subject.data_of(models.snapshot(models.share())).parent)
        assert {path for area in areas for path in area.iterdir()} == kept


def paths(exports):
    exports = [exports] if isinstance(exports, str) else exports
    return [export if isinstance(export, str) else export["path"] for export in exports]


# Shares.


def test_a_new_share_has_export_locations(driver):
    exports = driver.create_share(None, models.share())

    assert paths(exports)
    for export in exports:
        assert set(export) == {"path", "is_admin_only", "metadata"}
        assert export["is_admin_only"] is False


def test_creating_a_share_again_gives_the_same_export_locations(subject, driver, share):
    again = subject.start().create_share(None, share)

    assert again == driver.ensure_share(None, share)


def test_creating_a_share_again_keeps_what_was_written_into_it(subject, driver, full_share):
    if not subject.data_of:
        assert driver.create_share(None, full_share)
        return
    before = trees.describe(subject.data_of(full_share))

    driver.create_share(None, full_share)

    assert trees.describe(subject.data_of(full_share)) == before


def test_two_shares_do_not_share_an_export_location(driver):
    first = driver.create_share(None, models.share())
    second = driver.create_share(None, models.share())

    assert not set(paths(first)) & set(paths(second))


def test_a_deleted_share_leaves_nothing(subject, driver, full_share):
    assert driver.delete_share(None, full_share) is None

    assert_nothing_left(subject)


def test_deleting_a_share_twice_is_no_error(subject, driver, full_share):
    driver.delete_share(None, full_share)

    assert subject.start().delete_share(None, full_share) is None


def test_deleting_a_share_that_never_was_is_no_error(driver):
    assert driver.delete_share(None, models.share()) is None


def test_a_share_can_be_made_again_after_it_was_deleted(subject, driver, full_share):
    driver.delete_share(None, full_share)

    assert paths(driver.create_share(None, full_share))
    if subject.data_of:
        assert list(subject.data_of(full_share).iterdir()) == []


def test_a_share_grows_and_shrinks_any_number_of_times(subject, driver, full_share):
    for size in (5, 5, 3, 3):
        method = driver.extend_share if size == 5 else driver.shrink_share
        assert method(full_share, size) is None

    assert subject.start().ensure_share(None, full_share)


def test_ensuring_shares_answers_for_each_of_them(driver):
    shares = [models.share() for _ in range(3)]
    exports = {share["id"]: driver.create_share(None, share) for share in shares}

    updates = driver.ensure_shares(None, shares)

    assert {key: update["export_locations"] for key, update in updates.items()} == exports


def test_ensuring_shares_twice_changes_nothing(driver, full_share):
    assert driver.ensure_shares(None, [full_share]) == driver.ensure_shares(None, [full_share])


def test_a_share_whose_data_vanished_is_told_from_one_that_is_there(subject, driver, share):
    if not subject.data_of:
        assert driver.ensure_share(None, share)
        return
    subject.data_of(share).rmdir()

    with pytest.raises(exception.ShareResourceNotFound, match=share["id"]):
        driver.ensure_share(None, share)
    assert driver.ensure_shares(None, [share]) == {share["id"]: {"status": "error"}}


# Access rules.


def test_setting_access_rules_twice_gives_the_same_answer(driver, share):
    rules = [models.rule("10.0.0.0/8"), models.rule("10.1.0.1", level="ro")]

    first = driver.update_access(None, share, rules, rules, [])

    assert driver.update_access(None, share, rules, rules, []) == first
    assert not first


def test_denying_a_rule_that_was_never_applied_is_no_error(driver, share):
    assert not driver.update_access(None, share, [], [], [models.rule("10.0.0.1")])


def test_setting_all_rules_needs_no_lists_of_changes(driver, share):
    assert not driver.update_access(None, share, [models.rule("10.0.0.1")], [], [])


# Snapshots.


def test_a_snapshot_has_what_the_share_has(subject, driver, full_share):
    snapshot = models.snapshot(full_share)

    update = driver.create_snapshot(None, snapshot)

    assert update is None or set(update) <= {"provider_location", "size", "export_locations"}
    assert_same_data(subject, full_share, snapshot)


def test_taking_a_snapshot_again_keeps_the_first_one(subject, driver, full_share, snapshot):
    if subject.data_of:
        before = trees.describe(subject.data_of(snapshot))
        (subject.data_of(full_share) / "later").touch()

    update = subject.start().create_snapshot(None, snapshot)

    assert update is None or isinstance(update, dict)
    if subject.data_of:
        assert trees.describe(subject.data_of(snapshot)) == before


def test_a_deleted_snapshot_leaves_the_share_alone(subject, driver, full_share, snapshot):
    driver.delete_snapshot(None, snapshot)

    assert driver.delete_snapshot(None, snapshot) is None
    assert_nothing_left(subject, full_share)


def test_deleting_a_snapshot_that_never_was_is_no_error(driver, share):
    assert driver.delete_snapshot(None, models.snapshot(share)) is None


def test_a_share_from_a_snapshot_has_its_contents_and_may_be_larger(subject, driver, snapshot):
    clone = models.share(7)

    exports = driver.create_share_from_snapshot(None, clone, snapshot)

    assert paths(exports)
    assert_same_data(subject, snapshot, clone)


def test_making_a_share_from_a_snapshot_again_changes_nothing(subject, driver, snapshot):
    clone = models.share(2)
    exports = driver.create_share_from_snapshot(None, clone, snapshot)

    assert subject.start().create_share_from_snapshot(None, clone, snapshot) == exports
    assert_same_data(subject, snapshot, clone)


def test_what_is_written_to_a_clone_does_not_reach_the_snapshot(subject, driver, snapshot):
    clone = models.share(2)
    driver.create_share_from_snapshot(None, clone, snapshot)
    if not subject.data_of:
        assert driver.delete_share(None, clone) is None
        return
    before = trees.describe(subject.data_of(snapshot))

    with (subject.data_of(clone) / "plain").open("r+b") as file:
        file.write(b"other")
    driver.delete_share(None, clone)

    assert trees.describe(subject.data_of(snapshot)) == before


def test_reverting_brings_the_share_back_to_its_snapshot(subject, driver, full_share, snapshot):
    if subject.data_of:
        share_data = subject.data_of(full_share)
        (share_data / "plain").write_text("changed")
        (share_data / "empty").unlink()
        (share_data / "later").touch()

    for _ in range(2):
        assert driver.revert_to_snapshot(None, snapshot, [], []) is None

    assert_same_data(subject, full_share, snapshot)
    assert_nothing_left(subject, full_share, snapshot)


# Reports.


def test_what_the_statistics_claim_the_driver_can_do(subject, driver, full_share):
    stats = driver.get_share_stats(refresh=True)
    snapshot, clone = models.snapshot(full_share), models.share(2)
    claims = {
        "snapshot_support": lambda: driver.create_snapshot(None, snapshot),
        "create_share_from_snapshot_support": (
            lambda: driver.create_share_from_snapshot(None, clone, snapshot)
        ),
        "revert_to_snapshot_support": lambda: driver.revert_to_snapshot(None, snapshot, [], []),
        "mount_snapshot_support": (
            lambda: driver.snapshot_update_access(None, snapshot, [], [], [])
        ),
    }

    for claim, call in claims.items():
        if stats[claim]:
            call()
        else:
            with pytest.raises(NotImplementedError):
                call()

    assert stats["snapshot_support"]


def test_the_statistics_have_what_a_scheduler_reads(driver):
    stats = driver.get_share_stats(refresh=True)

    assert stats["driver_handles_share_servers"] is driver.driver_handles_share_servers
    assert stats["ipv4_support"] or stats["ipv6_support"]
    json.dumps(stats)
    for pool in stats["pools"]:
        assert pool["pool_name"]
        for key in ("total_capacity_gb", "free_capacity_gb"):
            assert pool[key] in ("infinite", "unknown") or pool[key] >= 0
        assert 0 <= pool["reserved_percentage"] <= 100


def test_the_pool_of_a_share_is_the_one_in_its_host(driver):
    assert driver.get_pool(models.share(host="tests@alpha#chosen")) == "chosen"


def test_without_a_pool_in_its_host_a_share_is_in_a_pool_that_is_reported(driver):
    pools = driver.get_share_stats(refresh=True)["pools"]

    assert driver.get_pool(models.share(host="tests@alpha")) in [p["pool_name"] for p in pools]


def test_the_back_end_info_is_the_same_after_a_restart(subject, driver):
    info = driver.get_backend_info(None)

    assert info == subject.start().get_backend_info(None)
    assert json.loads(json.dumps(info)) == info


def test_usage_is_reported_per_share_with_a_time_in_utc(subject, driver, full_share):
    updates = driver.update_share_usage_size(None, [full_share, models.share()])

    assert [update["id"] for update in updates] == ([full_share["id"]] if subject.data_of else [])
    for update in updates:
        assert 0 < float(update["used_size"]) < 1
        assert update["gathered_at"].tzinfo is None
        assert isinstance(update["gathered_at"], datetime.datetime)


# Managing.


def test_a_share_survives_being_unmanaged_and_managed_again(subject, driver, full_share):
    exports = driver.ensure_share(None, full_share)
    if subject.data_of:
        before = trees.describe(subject.data_of(full_share))
    driver.unmanage(full_share)
    known = models.share(export_locations=exports)

    update = driver.manage_existing(known, {})

    assert update["size"] == 1
    assert paths(update["export_locations"]) == paths(driver.ensure_share(None, known))
    if subject.data_of:
        assert trees.describe(subject.data_of(known)) == before


def test_a_snapshot_survives_being_unmanaged_and_managed_again(subject, driver, full_share):
    snapshot = models.snapshot(full_share)
    location = (driver.create_snapshot(None, snapshot) or {}).get("provider_location")
    driver.unmanage_snapshot(snapshot)
    known = models.snapshot(full_share, provider_location=location)

    assert driver.manage_existing_snapshot(known, {})["size"] == 1
    assert_same_data(subject, full_share, known)


# The interface.


@pytest.mark.parametrize("name", UNSUPPORTED_BY_DEFAULT)
def test_what_a_driver_does_not_have_it_does_not_pretend_to_have(driver, name):
    if driver._has_redefined_driver_methods(name):
        own = inspect.signature(getattr(type(driver), name)).parameters
        assert list(own) == list(inspect.signature(getattr(ShareDriver, name)).parameters)
        return
    method = getattr(driver, name)
    required = [
        parameter
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]

    with pytest.raises(NotImplementedError):
        method(*[models.share() for _ in required])
