# SPDX-License-Identifier: Apache-2.0
"""Kills from outside, in the middle of long work, and two workers at once."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from manila_lite import exception
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, metadata

# Kills from outside, in the middle of long work.


WORKER = """
    import os, sys
    from pathlib import Path
    from manila_lite.conf import directory
    from manila_lite.share.drivers.directory import DirectoryDriver
    from manila_lite.testing import models

    root, method, arguments, event, count = sys.argv[1:]
    driver = models.driver(DirectoryDriver, directory.OPTS, directory_root=root)
    driver.do_setup(None)
    seen = 0

    def watch(name, _):
        global seen
        seen += name == event
        if name == event and seen == int(count):
            print("half-way", flush=True)
            os.read(0, 1)

    sys.addaudithook(watch)
    getattr(driver, method)(*eval(arguments))
"""


@pytest.fixture
def kill_half_way(root):
    """Run a method in a process of its own and kill it from outside when it is half-way."""

    def kill(method, arguments, event, count):
        command = [sys.executable, "-c", textwrap.dedent(WORKER), str(root), method]
        with subprocess.Popen(
            [*command, repr(arguments), event, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout.readline() == b"half-way\n"
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL

    return kill


def fill_with_files(top, count=200):
    for number in range(count):
        directory = top / f"directory{number % 7}"
        directory.mkdir(exist_ok=True)
        (directory / f"file{number}").write_bytes(os.urandom(3000))


def test_a_snapshot_killed_half_way_is_complete_after_the_repeat(
    driver, root, share, kill_half_way
):
    fill_with_files(data(root, share))
    snapshot = models.snapshot(share)

    kill_half_way("create_snapshot", (None, dict(snapshot, share=dict(share))), "os.utime", 100)

    assert not data(root, snapshot).exists()
    left = [path for path in (root / "snapshots").rglob("file*") if path.is_file()]
    assert 50 < len(left) < 150
    driver.create_snapshot(None, snapshot)
    assert trees.describe(data(root, snapshot)) == trees.describe(data(root, share))
    assert list((root / "snapshots").iterdir()) == [data(root, snapshot)]


def test_a_deletion_killed_half_way_ends_at_the_repeat(driver, root, share, kill_half_way):
    fill_with_files(data(root, share))

    kill_half_way("delete_share", (None, dict(share)), "os.remove", 100)

    assert not data(root, share).exists()
    assert len([path for path in (root / "shares").rglob("file*") if path.is_file()]) > 50
    driver.delete_share(None, share)
    assert list((root / "shares").iterdir()) == []


def test_a_revert_killed_half_way_ends_at_the_repeat(driver, root, share, kill_half_way):
    fill_with_files(data(root, share))
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    (data(root, share) / "later").touch()
    changed = trees.describe(data(root, share))
    arguments = (None, dict(snapshot, share=dict(share)), [], [])

    kill_half_way("revert_to_snapshot", arguments, "os.utime", 100)
    assert trees.describe(data(root, share)) == changed
    kill_half_way("revert_to_snapshot", arguments, "os.remove", 250)
    driver.revert_to_snapshot(None, snapshot, [], [])

    assert trees.describe(data(root, share)) == trees.describe(data(root, snapshot))
    assert list((root / "shares").iterdir()) == [data(root, share)]


def test_a_copy_shows_its_progress_and_its_status(driver, root, share):
    fill_with_files(data(root, share), 20)
    snapshot, clone = models.snapshot(share), models.share(2)
    driver.create_snapshot(None, snapshot)
    seen = []
    add = driver._progress._add

    def look(name, count):
        add(name, count)
        seen.append((driver.copy_progress(name), driver.get_share_status(clone)))

    driver._progress._add = look
    with pytest.raises(exception.ShareResourceNotFound):
        driver.get_share_status(clone)
    exports = driver.create_share_from_snapshot(None, clone, snapshot)

    percents = [percent for percent, _ in seen]
    assert percents == sorted(percents)
    assert percents[0] < 50 <= percents[-1] <= 99
    assert seen[-1][1] == {"status": "creating", "progress": f"{percents[-1]}%"}
    assert driver.copy_progress(clone["name"]) is None
    assert driver.get_share_status(clone) == {"status": "available", "export_locations": exports}


# Two workers.


def test_what_another_worker_is_busy_with_is_left_to_it(driver, root, share, start_driver):
    snapshot, other = models.snapshot(share), start_driver(root)
    driver.create_snapshot(None, snapshot)
    errors = []

    def meddle(*_):
        for call in (
            lambda: other.delete_share(None, share),
            lambda: other.revert_to_snapshot(None, snapshot, [], []),
            lambda: other.delete_snapshot(None, snapshot),
        ):
            with pytest.raises(exception.ManilaException) as caught:
                call()
            errors.append(caught.value)

    (data(root, share) / "file").write_text("content")
    driver._store._exchange = meddle
    driver.revert_to_snapshot(None, snapshot, [], [])

    assert [exception.classify(error) for error in errors[:2]] == [
        exception.ErrorKind.TRANSIENT,
        exception.ErrorKind.TRANSIENT,
    ]
    assert isinstance(errors[2], exception.ShareSnapshotIsBusy)
    assert len(errors) == 3
    assert driver.ensure_share(None, share)


def test_two_shares_can_be_made_from_one_snapshot_at_once(driver, root, share, start_driver):
    (data(root, share) / "file").write_text("content")
    snapshot, first, second = models.snapshot(share), models.share(2), models.share(2)
    driver.create_snapshot(None, snapshot)
    add, other = driver._progress._add, start_driver(root)

    def look(name, count):
        add(name, count)
        other.create_share_from_snapshot(None, second, snapshot)

    driver._progress._add = look
    driver.create_share_from_snapshot(None, first, snapshot)

    original = trees.describe(data(root, snapshot))
    assert trees.describe(data(root, first)) == original
    assert trees.describe(data(root, second)) == original


def test_a_snapshot_that_another_worker_makes_may_be_deleted_later(
    driver, root, share, start_driver
):
    (data(root, share) / "file").write_text("content")
    snapshot, other, errors = models.snapshot(share), start_driver(root), []
    add = driver._progress._add

    def look(name, count):
        add(name, count)
        with pytest.raises(exception.BackendBusy) as caught:
            other.delete_snapshot(None, snapshot)
        errors.append(exception.classify(caught.value))

    driver._progress._add = look
    driver.create_snapshot(None, snapshot)

    assert errors == [exception.ErrorKind.TRANSIENT]
    assert other.delete_snapshot(None, snapshot) is None


def test_no_change_of_the_metadata_is_lost_between_workers(root, share, start_driver):
    rules = [models.rule("10.0.0.1")]
    wrong = []

    def resize():
        driver = start_driver(root)
        for size in range(1, 51):
            driver.extend_share(share, size)
            if metadata(root, share)["size"] != size:
                wrong.append(size)

    def allow():
        driver = start_driver(root)
        for number in range(50):
            driver.update_access(None, share, rules if number % 2 else [], [], [])
            if len(metadata(root, share)["access"]) != number % 2:
                wrong.append(number)

    threads = [threading.Thread(target=target) for target in (resize, allow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert metadata(root, share)["size"] == 50
    assert len(metadata(root, share)["access"]) == 1
