# SPDX-License-Identifier: Apache-2.0
"""The directory driver on a real file system: configuration, names, sizes, snapshots."""

import os
import stat

import pytest

from manila_lite import exception
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, metadata, tree_of

# What an operator can get wrong.


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "no such directory"),
        (lambda path: path.write_text("") and None or path, "not a directory"),
        (lambda path: "relative/path", "absolute"),
        (lambda path: None, "required"),
        (lambda path: "/", "root of the machine"),
    ],
)
def test_a_root_that_cannot_serve_is_one_line_with_option_and_value(
    tmp_path, start_driver, make, reason
):
    value = make(tmp_path / "wrong")

    with pytest.raises(exception.ConfigurationError) as caught:
        start_driver(value or "")

    message = str(caught.value)
    assert message.startswith(f"[alpha] directory_root = {value or ''}")
    assert reason in message
    assert "\n" not in message


def test_a_root_that_is_not_writable_is_named_and_left_alone(
    public_path, start_driver, as_ordinary_user
):
    root = public_path / "root"
    root.mkdir()
    root.chmod(0o555)

    def check():
        with pytest.raises(exception.ConfigurationError, match="directory_root = .*cannot write"):
            start_driver(root)

    as_ordinary_user(check)
    assert list(root.iterdir()) == []


def test_a_root_on_a_read_only_file_system_is_named(mount, start_driver):
    root = mount("-t", "tmpfs", "-o", "ro", "tmpfs")

    with pytest.raises(exception.ConfigurationError, match=r"directory_root.*[Rr]ead-only"):
        start_driver(root)


def test_project_quota_where_there_is_none_is_refused_with_the_reason(root, start_driver):
    with pytest.raises(exception.ConfigurationError, match="directory_enforce_size"):
        start_driver(root, directory_enforce_size="project_quota")


def test_a_root_whose_file_system_is_not_mounted_does_not_look_like_deleted_shares(
    driver, root, share
):
    root.rename(root.with_name("elsewhere"))
    root.mkdir()

    for call in (
        lambda: driver.delete_share(None, share),
        lambda: driver.ensure_share(None, share),
        lambda: driver.create_share(None, models.share()),
    ):
        with pytest.raises(exception.ShareBackendException, match="is missing; .*mounted"):
            call()
    assert driver.ensure_shares(None, [share]) == {}
    assert list(root.iterdir()) == []


# Names.


@pytest.mark.parametrize(
    "name", ["..", "../other", "a/b", "/etc", ".hidden", "a..b", "", "a\0b", "a\n", "x" * 300, "ä"]
)
def test_a_name_that_is_no_name_is_refused_and_nothing_is_touched(driver, root, share, name):
    bad = models.share(name=name)
    before = tree_of(root)

    for call in (
        lambda: driver.create_share(None, bad),
        lambda: driver.delete_share(None, bad),
        lambda: driver.extend_share(bad, 2),
        lambda: driver.update_access(None, bad, [], [], []),
        lambda: driver.create_snapshot(None, models.snapshot(bad)),
        lambda: driver.delete_snapshot(None, models.snapshot(share, name=name)),
        lambda: driver.create_share_from_snapshot(None, bad, models.snapshot(share)),
        lambda: driver.unmanage(bad),
    ):
        with pytest.raises(exception.PathRefused):
            call()

    assert tree_of(root) == before
    assert not (root.parent / "other").exists()


# Shares and their sizes.


def test_a_new_share_has_the_configured_permissions_whatever_the_umask(root, start_driver):
    driver, share = start_driver(root, directory_share_mode="2775"), models.share()
    umask = os.umask(0o077)
    try:
        driver.create_share(None, share)
    finally:
        os.umask(umask)

    assert stat.S_IMODE(data(root, share).stat().st_mode) == 0o2775


def test_the_export_location_is_host_and_path(root, start_driver):
    driver, share = start_driver(root, directory_export_host="files.example"), models.share()

    exports = driver.create_share(None, share)

    assert [export["path"] for export in exports] == [f"files.example:{data(root, share)}"]


def test_a_directory_that_somebody_else_made_is_neither_taken_nor_deleted(driver, root):
    share = models.share()
    data(root, share).mkdir()
    (data(root, share) / "precious").write_text("data")

    for call in (driver.create_share, driver.delete_share):
        with pytest.raises(exception.ShareBackendException, match="not made by this driver"):
            call(None, share)

    assert (data(root, share) / "precious").read_text() == "data"


def test_sizes_are_recorded_in_gib_outside_the_data(driver, root, share):
    driver.extend_share(share, 5)

    assert metadata(root, share)["size"] == 5
    assert list(data(root, share).iterdir()) == []


def test_a_share_that_holds_more_than_the_new_size_is_not_shrunk(driver, root):
    share = models.share(3)
    driver.create_share(None, share)
    with (data(root, share) / "file").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (1 << 30) + 4096)

    with pytest.raises(exception.ShareShrinkingPossibleDataLoss, match=share["id"]):
        driver.shrink_share(share, 1)
    assert metadata(root, share)["size"] == 3

    driver.shrink_share(share, 2)
    assert metadata(root, share)["size"] == 2


def test_holes_do_not_count_as_used_and_hard_links_count_once(driver, root, share):
    with (data(root, share) / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (data(root, share) / "full").write_bytes(os.urandom(8 << 20))
    for number in range(20):
        (data(root, share) / f"link{number}").hardlink_to(data(root, share) / "full")

    [usage] = driver.update_share_usage_size(None, [share])

    assert usage["used_size"] * 1024 == pytest.approx(8, rel=0.05)


@pytest.mark.parametrize("method", ["extend_share", "shrink_share"])
def test_resizing_a_share_that_vanished_says_so(driver, root, method):
    share = models.share()

    with pytest.raises(exception.ShareResourceNotFound, match=share["id"]):
        getattr(driver, method)(share, 1)
    assert not list((root / ".metadata" / "shares").iterdir())


def test_lost_metadata_are_made_anew_when_the_share_is_ensured(driver, root, share):
    (root / ".metadata" / "shares" / f"{share['name']}.json").unlink()

    assert driver.ensure_share(None, share) == driver.create_share(None, share)
    assert metadata(root, share)["size"] == share["size"]


@pytest.mark.parametrize("content", ["", "{", "[1]", "\0" * 50])
def test_damaged_metadata_are_an_error_that_names_the_file(driver, root, share, content):
    file = root / ".metadata" / "shares" / f"{share['name']}.json"
    file.write_text(content)

    for call in (driver.ensure_share, driver.delete_share):
        with pytest.raises(exception.ShareBackendException, match=f"{file.name} is damaged"):
            call(None, share)
    assert data(root, share).is_dir()


def test_access_rules_are_kept_without_keys_and_unknown_types_are_errors(driver, root, share):
    good = models.rule("10.0.0.0/8", access_key="secret")
    user, bad = models.rule("anna", "ro", type="user"), models.rule("x", type="cert")

    update = driver.update_access(None, share, [user, good, bad], [bad], [])

    assert update == {bad["access_id"]: {"state": "error"}}
    assert metadata(root, share)["access"] == [
        {"type": "ip", "to": "10.0.0.0/8", "level": "rw"},
        {"type": "user", "to": "anna", "level": "ro"},
    ]


def test_capacity_is_that_of_the_file_system_and_reservations_are_passed_on(root, start_driver):
    driver = start_driver(root, reserved_share_percentage=7, share_backend_name="files")
    for size in (2, 3):
        driver.create_share(None, models.share(size))

    [pool] = driver.get_share_stats(refresh=True)["pools"]

    file_system = os.statvfs(root)
    total = file_system.f_blocks * file_system.f_frsize / (1 << 30)
    assert pool["total_capacity_gb"] == pytest.approx(total, abs=0.01)
    assert 0 <= pool["free_capacity_gb"] <= pool["total_capacity_gb"]
    assert pool["pool_name"] == "files"
    assert pool["provisioned_capacity_gb"] == 5
    assert pool["size_enforced"] is False
    assert pool["reserved_percentage"] == 7
    assert pool["reserved_snapshot_percentage"] == 7


def test_provisioned_capacity_follows_every_change(driver):
    share = models.share(2)
    seen = []
    for change in (
        lambda: driver.create_share(None, share),
        lambda: driver.extend_share(share, 9),
        lambda: driver.shrink_share(share, 4),
        lambda: driver.delete_share(None, share),
    ):
        change()
        seen.append(driver.get_share_stats(refresh=True)["pools"][0]["provisioned_capacity_gb"])

    assert seen == [2, 9, 4, 0]


# Snapshots.


def test_a_share_smaller_than_its_snapshot_is_refused(driver, root, share):
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    small = models.share(1)

    with pytest.raises(exception.InvalidShare, match="1 GiB are less than the 2 GiB"):
        driver.create_share_from_snapshot(None, small, snapshot)
    assert not data(root, small).exists()


def test_a_snapshot_of_a_share_that_vanished_leaves_nothing(driver, root):
    snapshot = models.snapshot(models.share())

    with pytest.raises(exception.ShareResourceNotFound):
        driver.create_snapshot(None, snapshot)
    assert list((root / "snapshots").iterdir()) == []


@pytest.mark.parametrize("method", ["create_share_from_snapshot", "revert_to_snapshot"])
def test_a_snapshot_that_vanished_is_named_and_nothing_changes(driver, root, share, method):
    (data(root, share) / "file").write_text("content")
    snapshot = models.snapshot(share)
    calls = {
        "create_share_from_snapshot": lambda: driver.create_share_from_snapshot(
            None, models.share(), snapshot
        ),
        "revert_to_snapshot": lambda: driver.revert_to_snapshot(None, snapshot, [], []),
    }
    before = tree_of(root)

    with pytest.raises(exception.SnapshotResourceNotFound, match=snapshot["name"]):
        calls[method]()

    assert tree_of(root) == before


def test_a_snapshot_keeps_holes_as_holes(driver, root, share):
    with (data(root, share) / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"x")
    snapshot = models.snapshot(share)

    driver.create_snapshot(None, snapshot)

    copy = (data(root, snapshot) / "sparse").stat()
    assert copy.st_size == 1 << 30
    assert copy.st_blocks * 512 < 1 << 20


def test_reflinks_make_copies_that_take_no_room(reflinking, start_driver):
    driver, share = start_driver(reflinking), models.share()
    driver.create_share(None, share)
    trees.grow_zoo(data(reflinking, share))
    (data(reflinking, share) / "big").write_bytes(os.urandom(64 << 20))
    os.sync()
    before = os.statvfs(reflinking)
    free = before.f_bavail * before.f_frsize
    snapshot, clone = models.snapshot(share), models.share(9)

    driver.create_snapshot(None, snapshot)
    driver.create_share_from_snapshot(None, clone, snapshot)
    driver.revert_to_snapshot(None, snapshot, [], [])

    os.sync()
    after = os.statvfs(reflinking)
    assert free - after.f_bavail * after.f_frsize < 16 << 20
    assert driver.get_share_stats(refresh=True)["pools"][0]["reflink"] is True
    original = trees.describe(data(reflinking, share))
    assert trees.describe(data(reflinking, snapshot)) == original
    assert trees.describe(data(reflinking, clone)) == original


def test_a_reflinked_copy_does_not_change_with_its_source(reflinking, start_driver):
    driver, share = start_driver(reflinking), models.share()
    driver.create_share(None, share)
    file = data(reflinking, share) / "file"
    file.write_bytes(b"a" * (1 << 20))
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)

    with file.open("r+b") as changed:
        changed.write(b"b" * (1 << 20))

    assert (data(reflinking, snapshot) / "file").read_bytes() == b"a" * (1 << 20)


def test_without_reflinks_the_statistics_say_so(mount, start_driver):
    driver = start_driver(mount("-t", "tmpfs", "tmpfs"))

    assert driver.get_share_stats(refresh=True)["pools"][0]["reflink"] is False
