# SPDX-License-Identifier: Apache-2.0
"""The parts of the btrfs driver that decide without a btrfs."""

import errno
import uuid

import pytest

from manila_lite import exception
from manila_lite.conf import btrfs as options
from manila_lite.share.drivers.btrfs import BtrfsDriver, calls
from manila_lite.share.drivers.btrfs.commands import Commands
from manila_lite.share.drivers.btrfs.quota import QuotaGroups
from manila_lite.share.drivers.directory.paths import Root
from manila_lite.testing import models

FILE_SYSTEM = uuid.UUID(int=7)
GIB = 1 << 30


class Recorder:
    """Takes commands down; ``error`` is what the program writes when it fails."""

    def __init__(self, error=None, output=""):
        self.seen, self.settings = [], []
        self._error, self._output = error, output

    def __call__(self, *command, **settings):
        self.seen.append(" ".join(command))
        self.settings.append(settings)
        if self._error is not None:
            raise exception.ProcessExecutionError(stderr=self._error, exit_code=1)
        return self._output, ""


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda c: c.snapshot("/a", "/b", read_only=True), "subvolume snapshot -r /a /b"),
        (lambda c: c.snapshot("/a", "/b", read_only=False), "subvolume snapshot /a /b"),
        (lambda c: c.delete("/a"), "subvolume delete /a"),
        (lambda c: c.holds_subvolumes("/a"), "subvolume list -o /a"),
        (lambda c: c.limit("/m", 256, GIB), f"qgroup limit {GIB} 0/256 /m"),
        (lambda c: c.limit("/m", 256, None), "qgroup limit none 0/256 /m"),
        (lambda c: c.enable_quota("/m"), "quota enable /m"),
        (lambda c: c.rescan_quota("/m"), "quota rescan /m"),
    ],
)
def test_commands_run_as_root_with_errors_in_english(call, command):
    execute = Recorder()

    call(Commands(execute))

    assert execute.seen == [f"btrfs {command}"]
    assert execute.settings == [{"run_as_root": True, "env": {"LC_ALL": "C"}}]


def test_the_number_of_a_subvolume_is_what_the_program_writes():
    assert Commands(Recorder(output="257\n")).number("/a") == 257


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("ERROR: cannot create subvolume: Disk quota exceeded\n", errno.EDQUOT),
        ("ERROR: Could not destroy subvolume/snapshot: Directory not empty\n", errno.ENOTEMPTY),
        ("WARNING: x\nERROR: cannot snapshot: No space left on device\n\n", errno.ENOSPC),
        ("ERROR: Could not statfs: No such file or directory", errno.ENOENT),
        ("ERROR: unable to limit: Operation not permitted", errno.EPERM),
        ("ERROR: not a btrfs subvolume", errno.EINVAL),
        ("", errno.EINVAL),
        (None, errno.EINVAL),
    ],
)
def test_what_the_program_says_becomes_the_error_of_a_system_call(said, number):
    execute = Recorder(error=said or "")

    with pytest.raises(OSError) as caught:
        Commands(execute).delete("/a")

    assert caught.value.errno == number
    assert caught.value.strerror.startswith("btrfs subvolume delete: ")
    assert "\n" not in caught.value.strerror


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Quota groups of a file system that /sys would show like this."""
    monkeypatch.setattr(calls, "file_system_id", lambda descriptor: FILE_SYSTEM)
    execute = Recorder()
    groups = QuotaGroups(Root(str(tmp_path), "alpha", "btrfs_root"), Commands(execute), tmp_path)
    groups.commands_seen = execute.seen
    return groups


@pytest.fixture
def shown(tmp_path):
    """Write what /sys shows, for the subvolume 256 or for all."""
    directory = tmp_path / str(FILE_SYSTEM) / "qgroups"

    def show(name, text, group="0_256"):
        path = directory / group / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    return show


def test_quotas_are_enabled_where_there_are_none_and_nowhere_else(groups, shown, tmp_path):
    assert "btrfs quota enable" in groups.why_not()
    groups.enable()
    shown("mode", "qgroup", ".")
    groups.enable()

    assert groups.why_not() is None
    assert groups.commands_seen == [f"btrfs quota enable {tmp_path}"]


def test_simple_quotas_are_refused_since_clones_would_count_for_nothing(groups, shown):
    shown("mode", "squota", ".")

    assert "squota" in groups.why_not()


def test_kernels_that_do_not_tell_the_mode_have_one_only(groups, shown):
    shown("enabled", "1", ".")

    assert groups.why_not() is None


def test_a_limit_is_set_only_where_it_is_another_one(groups, shown, tmp_path):
    shown("limit_flags", 1)
    shown("max_referenced", 2 * GIB)

    groups.limit(256, 2)
    groups.limit(256, 3)
    groups.limit(256, None)
    shown("limit_flags", 2)
    groups.limit(256, None)

    assert groups.commands_seen == [
        f"btrfs qgroup limit {3 * GIB} 0/256 {tmp_path}",
        f"btrfs qgroup limit none 0/256 {tmp_path}",
    ]


def test_what_is_used_is_read_and_missing_numbers_are_an_error_that_asks_why(groups, shown):
    shown("referenced", 16384)

    assert groups.used(256) == 16384
    with pytest.raises(exception.ShareBackendException, match="still enabled"):
        groups.used(257)


def test_share_servers_are_not_supported():
    with pytest.raises(exception.ManilaException, match="driver_handles_share_servers"):
        models.driver(BtrfsDriver, options.OPTS, driver_handles_share_servers=True)
