# SPDX-License-Identifier: Apache-2.0
"""The parts of the directory driver that decide without touching a disk."""

import errno

import pytest

from manila_lite import exception
from manila_lite.conf import directory as options
from manila_lite.share.drivers.directory import DirectoryDriver, access, errors, quota, usage
from manila_lite.share.drivers.directory.paths import Kind, Place, checked_name
from manila_lite.share.drivers.directory.progress import CopyProgress
from manila_lite.testing import models

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 8:1 / /srv rw,relatime shared:2 - xfs /dev/sda1 rw,attr2,prjquota
31 30 8:2 / /srv/with\\040space rw - ext4 /dev/sda2 rw,prjquota
32 22 0:40 / /srvother rw - tmpfs tmpfs rw
"""
XFS = quota.Mount("/srv", "xfs", frozenset({"rw", "prjquota"}))
EXT4 = quota.Mount("/srv", "ext4", frozenset({"rw", "prjquota"}))


@pytest.mark.parametrize("name", ["share-1", "a", "-", "_x", "A.b-c_d", "1" * 200])
def test_a_plain_name_is_a_path_component(name):
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "a/b", "/", "a..b", "a b", "a\n", "é", "~", "1" * 201, None]
)
def test_any_other_name_is_refused_and_named(name):
    with pytest.raises(exception.PathRefused) as caught:
        Place(Kind.SHARE, name)

    assert repr(str(name)[:50])[1:-1] in str(caught.value)
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        ("/srv/shares", "/srv", "xfs"),
        ("/srv", "/srv", "xfs"),
        ("/srv/with space/x", "/srv/with space", "ext4"),
        ("/srvother/x", "/srvother", "tmpfs"),
        ("/srvothers", "/", "ext4"),
    ],
)
def test_the_mount_of_a_path_is_the_nearest_one_above_it(path, point, kind):
    mount = quota.mount_of(path, MOUNTINFO)

    assert (mount.point, mount.type) == (point, kind)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/srv/shares", None),
        ("/home", "mounted without prjquota"),
        ("/srvother", "tmpfs"),
        ("/srv/with space/x", "white space"),
    ],
)
def test_project_quota_is_refused_with_the_reason(path, reason):
    found = quota.why_not(quota.mount_of(path, MOUNTINFO), path)

    assert found is None if reason is None else reason in found


def test_xfs_is_limited_by_commands_of_xfs_quota():
    assert quota.assign_commands(XFS, "/srv/shares/x", 77) == [
        ("xfs_quota", "-x", "-c", "project -s -p /srv/shares/x 77", "/srv")
    ]
    assert quota.limit_command(XFS, 77, 5) == (
        "xfs_quota", "-x", "-c", "limit -p bhard=5g 77", "/srv"
    )  # fmt: skip


def test_ext4_is_limited_in_kib_by_setquota_on_a_project_set_by_chattr():
    assert quota.assign_commands(EXT4, "/srv/shares/x", 77) == [
        ("chattr", "-R", "-p", "77", "/srv/shares/x"),
        ("chattr", "-R", "-f", "+P", "/srv/shares/x"),
    ]
    assert quota.limit_command(EXT4, 77, 5) == (
        "setquota", "-P", "77", "0", "5242880", "0", "0", "/srv"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "gib"), [(0, 1), (1, 1), (1 << 30, 1), ((1 << 30) + 1, 2), (5 << 30, 5)]
)
def test_used_space_is_rounded_up_to_whole_gib_and_is_never_none(size, gib):
    assert usage.whole_gib(size) == gib


def test_kept_rules_do_not_depend_on_their_order():
    rules = [models.rule("10.0.0.2"), models.rule("10.0.0.1", "ro"), models.rule("a", type="user")]

    assert access.kept(rules) == access.kept(rules[::-1])
    assert len(access.kept(rules)) == 3


@pytest.mark.parametrize("wrong", [{"type": "cert"}, {"level": "rwx"}])
def test_rules_that_no_export_could_follow_are_refused_one_by_one(wrong):
    good, bad = models.rule("10.0.0.1"), models.rule("10.0.0.2", **wrong)

    assert access.refused([good, bad]) == {bad["access_id"]: {"state": "error"}}
    assert [rule["to"] for rule in access.kept([good, bad])] == ["10.0.0.1"]


def test_progress_is_known_while_a_copy_runs_and_stays_below_a_hundred():
    progress = CopyProgress()

    with progress.following("share-1", 1000) as count:
        seen = [progress.percent("share-1")]
        for _ in range(3):
            count(400)
            seen.append(progress.percent("share-1"))

    assert seen == [0, 40, 80, 99]
    assert progress.percent("share-1") is None


def test_a_copy_of_nothing_has_progress_too():
    progress = CopyProgress()

    with progress.following("share-1", 0):
        assert progress.percent("share-1") == 99


@pytest.mark.parametrize(
    ("number", "error", "kind"),
    [
        (errno.ENOSPC, exception.ShareBackendFull, exception.ErrorKind.FINAL),
        (errno.EDQUOT, exception.ShareBackendFull, exception.ErrorKind.FINAL),
        (errno.EACCES, exception.ShareBackendException, exception.ErrorKind.FINAL),
        (errno.EIO, exception.BackendBusy, exception.ErrorKind.TRANSIENT),
        (errno.ESTALE, exception.BackendBusy, exception.ErrorKind.TRANSIENT),
    ],
)
def test_an_error_of_the_file_system_says_what_was_done_and_where(number, error, kind):
    with pytest.raises(error) as caught, errors.told_as("copying x", "/", 4096):
        raise OSError(number, "reason", "some\nname\udcff")

    assert type(caught.value) is error
    assert exception.classify(caught.value) is kind
    assert "copying x" in str(caught.value)
    assert "\n" not in str(caught.value)
    if error is exception.ShareBackendFull:
        assert "4096 bytes" in str(caught.value)
    else:
        assert "name\\xff" in str(caught.value)


@pytest.mark.parametrize(("mode", "valid"), [("0770", True), ("2775", True), ("rwx", False)])
def test_permissions_of_new_shares_are_octal_or_refused(mode, valid):
    option = next(opt for opt in options.OPTS if opt.name == "directory_share_mode")

    if valid:
        assert int(option.type(mode), 8) <= 0o7777
    else:
        with pytest.raises(ValueError):
            option.type(mode)


def test_share_servers_are_not_supported():
    with pytest.raises(exception.ManilaException, match="driver_handles_share_servers"):
        models.driver(DirectoryDriver, options.OPTS, driver_handles_share_servers=True)
