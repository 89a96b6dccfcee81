# SPDX-License-Identifier: Apache-2.0
"""The btrfs driver on a real btrfs: configuration, sizes, snapshots, what is counted."""

import errno
import os
import stat
import subprocess

import pytest

from manila_lite import exception
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, metadata, tree_of

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def root(btrfs_root):
    return btrfs_root


@pytest.fixture
def driver(start_btrfs, root):
    return start_btrfs(root)


@pytest.fixture
def snapshot(driver, share):
    model = models.snapshot(share)
    driver.create_snapshot(None, model)
    return model


def reserve(path, size):
    """Let a file take so many bytes, without writing them."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def write(path, size):
    """Write for real, to the disk; raises what the file system says."""
    with path.open("wb", buffering=0) as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())


def assert_full(path, size=32 * MIB):
    with pytest.raises(OSError) as caught:
        write(path, size)
    assert caught.value.errno == errno.EDQUOT


# What an operator can get wrong.


def test_a_root_on_another_file_system_is_one_line_with_option_and_value(tmp_path, start_btrfs):
    with pytest.raises(exception.ConfigurationError) as caught:
        start_btrfs(tmp_path)

    assert str(caught.value).startswith(f"[alpha] btrfs_root = {tmp_path}")
    assert "not on btrfs" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_quotas_are_enabled_where_they_were_off(driver, root, start_btrfs):
    subprocess.run(["btrfs", "quota", "disable", str(root)], check=True)
    with pytest.raises(exception.ConfigurationError, match="btrfs quota enable"):
        driver.check_for_setup_error()

    start_btrfs(root)

    assert driver.check_for_setup_error() is None


def test_a_service_that_may_not_enable_quotas_says_so(driver, root, start_btrfs, monkeypatch):
    subprocess.run(["btrfs", "quota", "disable", str(root)], check=True)

    def refuse(*_, **__):
        raise exception.ProcessExecutionError(stderr="ERROR: quota: Operation not permitted")

    with pytest.raises(exception.ConfigurationError, match="btrfs_root.*not permitted"):
        start_btrfs(root, execute=refuse)
    start_btrfs(root)


def test_shares_get_their_limits_back_after_quotas_were_off(driver, root, share, start_btrfs):
    subprocess.run(["btrfs", "quota", "disable", str(root)], check=True)
    again = start_btrfs(root)
    reserve(data(root, share) / "most", 2 * GIB - 20 * MIB)

    again.ensure_shares(None, [share])

    assert_full(data(root, share) / "rest")


def test_the_statistics_say_what_btrfs_can_do(driver, share):
    stats = driver.get_share_stats(refresh=True)

    assert stats["mount_snapshot_support"] and stats["size_enforced"] and stats["reflink"]
    (pool,) = stats["pools"]
    assert pool["provisioned_capacity_gb"] == 2
    assert 60 < pool["total_capacity_gb"] < 65
    assert 0 < pool["free_capacity_gb"] <= pool["total_capacity_gb"]


# Sizes.


def test_a_share_has_the_permissions_that_were_configured(root, start_btrfs):
    driver, share = start_btrfs(root, btrfs_share_mode="2750"), models.share()
    driver.create_share(None, share)

    assert stat.S_IMODE(data(root, share).stat().st_mode) == 0o2750


def test_nothing_can_be_written_beyond_the_size_of_a_share(driver, root):
    share = models.share(1)
    driver.create_share(None, share)
    reserve(data(root, share) / "most", GIB - 20 * MIB)

    write(data(root, share) / "fits", 10 * MIB)

    assert_full(data(root, share) / "does not")


def test_an_extended_share_has_room_at_once_though_it_was_full(driver, root):
    share = models.share(1)
    driver.create_share(None, share)
    reserve(data(root, share) / "most", GIB - 20 * MIB)
    assert_full(data(root, share) / "more")

    driver.extend_share(share, 2)

    write(data(root, share) / "more", 32 * MIB)
    assert metadata(root, share)["size"] == 2


def test_a_share_is_not_shrunk_below_what_it_uses(driver, root, share):
    reserve(data(root, share) / "file", GIB + 20 * MIB)

    with pytest.raises(exception.ShareShrinkingPossibleDataLoss, match=share["id"]):
        driver.shrink_share(share, 1)

    write(data(root, share) / "more", 32 * MIB)
    assert metadata(root, share)["size"] == 2
    (data(root, share) / "file").unlink()
    driver.shrink_share(share, 1)
    reserve(data(root, share) / "most", GIB - 120 * MIB)
    assert_full(data(root, share) / "rest", 128 * MIB)


def test_what_is_written_while_a_share_shrinks_is_not_lost(driver, root, share, monkeypatch):
    limit = driver._commands.limit

    def write_first(mount, number, size):
        if size == GIB:
            reserve(data(root, share) / "late", GIB + 20 * MIB)
        limit(mount, number, size)

    monkeypatch.setattr(driver._commands, "limit", write_first)
    with pytest.raises(exception.ShareShrinkingPossibleDataLoss):
        driver.shrink_share(share, 1)

    write(data(root, share) / "more", 32 * MIB)
    assert metadata(root, share)["size"] == 2


def test_usage_is_what_btrfs_counts(driver, root, share):
    write(data(root, share) / "file", 30 * MIB)
    snapshot, clone = models.snapshot(share), models.share(2)
    driver.create_snapshot(None, snapshot)
    driver.create_share_from_snapshot(None, clone, snapshot)
    write(data(root, clone) / "more", 10 * MIB)

    updates = driver.update_share_usage_size(None, [share, clone, models.share()])

    used = {update["id"]: round(update["used_size"] * 1024) for update in updates}
    assert used == {share["id"]: 30, clone["id"]: 40}


def test_while_btrfs_counts_anew_nothing_is_shrunk_and_no_usage_told(
    driver, root, share, monkeypatch
):
    asked = []
    monkeypatch.setattr(driver._commands, "rescan_quota", asked.append)
    inconsistent = driver._groups._directory() / "inconsistent"
    read = type(inconsistent).read_text
    monkeypatch.setattr(
        type(inconsistent),
        "read_text",
        lambda path, **kwargs: "1\n" if path == inconsistent else read(path, **kwargs),
    )

    with pytest.raises(exception.BackendBusy) as caught:
        driver.shrink_share(share, 1)

    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT
    assert asked == [str(root)]
    assert driver.update_share_usage_size(None, [share]) == []


# Snapshots and clones.


def test_nobody_can_write_to_a_snapshot(root, snapshot):
    with pytest.raises(OSError) as caught:
        (data(root, snapshot) / "file").touch()

    assert caught.value.errno == errno.EROFS


def test_a_clone_has_a_size_of_its_own_and_may_be_larger(driver, root):
    share, clone = models.share(1), models.share(2)
    driver.create_share(None, share)
    reserve(data(root, share) / "most", GIB - 20 * MIB)
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)

    driver.create_share_from_snapshot(None, clone, snapshot)

    write(data(root, clone) / "more", 32 * MIB)
    assert_full(data(root, share) / "more")
    with pytest.raises(exception.InvalidShare, match="0 GiB are less than the 1 GiB"):
        driver.create_share_from_snapshot(None, models.share(0), snapshot)


def test_a_clone_outlives_the_share_and_the_snapshot_it_was_made_from(driver, root, share):
    write(data(root, share) / "file", 5 * MIB)
    before = trees.describe(data(root, share))
    snapshot, clone = models.snapshot(share), models.share(2)
    driver.create_snapshot(None, snapshot)
    driver.create_share_from_snapshot(None, clone, snapshot)

    driver.delete_snapshot(None, snapshot)
    driver.delete_share(None, share)

    assert trees.describe(data(root, clone)) == before


def test_a_revert_keeps_the_path_and_the_size_and_brings_the_bytes_back(driver, root):
    share = models.share(1)
    exports = driver.create_share(None, share)
    write(data(root, share) / "file", 5 * MIB)
    before = trees.describe(data(root, share))
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    (data(root, share) / "file").write_bytes(b"other")
    reserve(data(root, share) / "most", GIB - 20 * MIB)

    driver.revert_to_snapshot(None, snapshot, [], [])

    assert driver.ensure_share(None, share) == exports
    assert trees.describe(data(root, share)) == before
    assert trees.describe(data(root, snapshot)) == before
    reserve(data(root, share) / "most", GIB - 20 * MIB)
    assert_full(data(root, share) / "more")


def test_a_reverted_share_has_the_size_of_its_snapshot_again(driver, root):
    share = models.share(1)
    driver.create_share(None, share)
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    driver.extend_share(share, 3)

    driver.revert_to_snapshot(None, snapshot, [], [])

    assert metadata(root, share)["size"] == metadata(root, share)["limit"] == 1
    reserve(data(root, share) / "most", GIB - 20 * MIB)
    assert_full(data(root, share) / "more")


def test_a_share_that_is_full_has_snapshots_and_can_be_deleted(driver, root):
    share = models.share(1)
    driver.create_share(None, share)
    reserve(data(root, share) / "most", GIB - 10 * MIB)
    assert_full(data(root, share) / "rest")
    snapshot = models.snapshot(share)

    driver.create_snapshot(None, snapshot)
    driver.revert_to_snapshot(None, snapshot, [], [])
    driver.delete_share(None, share)

    assert (data(root, snapshot) / "most").stat().st_size == GIB - 10 * MIB
    assert os.listdir(root / "shares") == []


def test_a_snapshot_has_an_export_location_and_rules_that_read(driver, root, share):
    snapshot = models.snapshot(share)
    update = driver.create_snapshot(None, snapshot)
    rules = [models.rule("10.0.0.1"), models.rule("10.0.0.2", level=None)]

    for _ in range(2):
        assert driver.snapshot_update_access(None, snapshot, rules, rules, []) is None

    (location,) = update["export_locations"]
    assert location["path"].endswith(f":{root}/snapshots/{snapshot['name']}")
    assert [(rule["to"], rule["level"]) for rule in metadata(root, snapshot)["access"]] == [
        ("10.0.0.1", "ro"),
        ("10.0.0.2", "ro"),
    ]


def test_a_rule_that_no_export_can_follow_lets_no_new_one_in(driver, root, share, snapshot):
    old, new = models.rule("10.0.0.1"), models.rule("10.0.0.2")
    driver.snapshot_update_access(None, snapshot, [old], [old], [])
    wrong = models.rule("a", type="cert")

    with pytest.raises(exception.InvalidSnapshotAccess, match="cert"):
        driver.snapshot_update_access(None, snapshot, [old, new, wrong], [new, wrong], [])

    assert [rule["to"] for rule in metadata(root, snapshot)["access"]] == ["10.0.0.1"]


def test_rules_of_a_snapshot_that_is_gone_are_an_error(driver, share):
    with pytest.raises(exception.SnapshotResourceNotFound):
        driver.snapshot_update_access(None, models.snapshot(share), [], [], [])


# Room.


def test_a_disk_without_room_is_an_error_with_names_and_leaves_nothing(driver, root, share):
    before = tree_of(root)

    def refuse(*_, **__):
        raise exception.ProcessExecutionError(stderr="ERROR: cannot: No space left on device")

    driver.set_execute(refuse)
    with pytest.raises(exception.ShareBackendFull, match=str(root)) as caught:
        driver.create_share(None, models.share())

    assert exception.classify(caught.value) is exception.ErrorKind.FINAL
    assert tree_of(root) == before


def test_a_file_system_that_was_unmounted_is_no_share_that_is_gone(driver, root, share):
    (root / "shares").rename(root / "elsewhere")
    try:
        with pytest.raises(exception.ShareBackendException, match="btrfs_root mounted"):
            driver.ensure_share(None, share)
        assert driver.ensure_shares(None, [share]) == {}
    finally:
        (root / "elsewhere").rename(root / "shares")
