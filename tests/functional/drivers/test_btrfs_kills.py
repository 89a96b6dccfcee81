# SPDX-License-Identifier: Apache-2.0
"""The btrfs driver killed in the middle of a command, which goes on; and several workers at once.

A kill between commands is in the contract suite.
"""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import tenacity

from manila_lite import exception
from manila_lite.testing import kills, models, trees
from tests.functional.drivers.helpers import data, metadata

WORKER = """
    import sys
    from manila_lite import process
    from manila_lite.conf import btrfs
    from manila_lite.share.drivers.btrfs import BtrfsDriver
    from manila_lite.testing import models

    root, fifo, held, method, arguments = sys.argv[1:]

    def execute(*command, **settings):
        if " ".join(command).startswith(held):
            waiting = 'read go < "$0"; "$@"; echo done > "$0"'
            command = ("sh", "-c", waiting, fifo, *command)
        return process.execute(*command, **settings)

    driver = models.driver(BtrfsDriver, btrfs.OPTS, btrfs_root=root)
    driver.do_setup(None)
    driver.set_execute(execute)
    getattr(driver, method)(*eval(arguments))
"""


@pytest.fixture
def root(btrfs_root):
    return btrfs_root


@pytest.fixture
def driver(start_btrfs, root):
    return start_btrfs(root)


@pytest.fixture
def full_share(root, share):
    (data(root, share) / "file").write_bytes(os.urandom(100_000))
    return share


@pytest.fixture
def kill_in(root, tmp_path):
    """Kill a method while a command of its runs; returns what lets that command go on to its end.

    The command has begun when the service dies, and does nothing until it is let go.
    """

    def kill(held, method, *arguments):
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        command = [sys.executable, "-c", textwrap.dedent(WORKER), str(root), str(fifo), held]
        with subprocess.Popen([*command, method, repr(arguments)]) as service:
            go = open_for_reader(fifo)
            service.send_signal(signal.SIGKILL)
            assert service.wait() == -signal.SIGKILL
        stack.callback(go.close)

        def let_go():
            go.write("go\n")
            go.close()
            assert fifo.read_text() == "done\n"

        return let_go

    with contextlib.ExitStack() as stack:
        yield kill


def open_for_reader(fifo):
    """Open a FIFO for writing once somebody reads it."""
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(OSError),
        stop=tenacity.stop_after_delay(60),
        wait=tenacity.wait_fixed(0.02),
        reraise=True,
    ):
        with attempt:
            return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "w")


def plain(model):
    """A model as its text can be read again."""
    return {key: plain(value) if key == "share" else value for key, value in model.items()}


def assert_only(root, start_btrfs, *left):
    """A new start clears up; then nothing else lies where data lie."""
    start_btrfs(root)
    found = {path for area in ("shares", "snapshots") for path in (root / area).iterdir()}
    assert found == {data(root, model) for model in left}


def test_a_share_whose_making_outlives_the_service(driver, root, kill_in, start_btrfs):
    share = models.share(2)
    let_go = kill_in("btrfs subvolume create", "create_share", None, plain(share))

    exports = driver.create_share(None, share)
    (data(root, share) / "file").write_text("written after the repeat")
    let_go()

    assert driver.ensure_share(None, share) == exports
    assert (data(root, share) / "file").read_text() == "written after the repeat"
    assert_only(root, start_btrfs, share)


def test_a_snapshot_whose_making_outlives_the_service(
    driver, root, full_share, kill_in, start_btrfs
):
    snapshot, before = models.snapshot(full_share), trees.describe(data(root, full_share))
    let_go = kill_in("btrfs subvolume snapshot", "create_snapshot", None, plain(snapshot))

    driver.create_snapshot(None, snapshot)
    (data(root, full_share) / "file").write_text("changed after the repeat")
    let_go()

    assert trees.describe(data(root, snapshot)) == before
    assert_only(root, start_btrfs, full_share, snapshot)


def test_a_revert_whose_clone_outlives_the_service(driver, root, full_share, kill_in, start_btrfs):
    snapshot, before = models.snapshot(full_share), trees.describe(data(root, full_share))
    driver.create_snapshot(None, snapshot)
    (data(root, full_share) / "file").write_text("changed")
    arguments = (None, plain(snapshot), [], [])
    let_go = kill_in("btrfs subvolume snapshot", "revert_to_snapshot", *arguments)

    driver.revert_to_snapshot(None, snapshot, [], [])
    let_go()

    assert trees.describe(data(root, full_share)) == before
    assert_only(root, start_btrfs, full_share, snapshot)


def test_a_share_that_is_made_again_outlives_its_first_deletion(
    driver, root, full_share, kill_in, start_btrfs
):
    let_go = kill_in("btrfs subvolume delete", "delete_share", None, plain(full_share))

    driver.delete_share(None, full_share)
    driver.create_share(None, full_share)
    (data(root, full_share) / "file").write_text("new")
    let_go()

    assert (data(root, full_share) / "file").read_text() == "new"
    assert_only(root, start_btrfs, full_share)


def test_a_share_whose_limit_was_under_way_is_extended_by_the_repeat(
    driver, root, full_share, kill_in
):
    let_go = kill_in("btrfs qgroup limit", "extend_share", plain(full_share), 3)

    assert metadata(root, full_share)["size"] == 2
    driver.extend_share(full_share, 3)
    let_go()

    assert metadata(root, full_share)["size"] == 3
    number = driver._store.number(driver._existing(full_share))
    assert driver._groups.limit_of(number) == 3 << 30


def test_what_a_service_is_at_work_on_is_not_cleared_up_by_the_start_of_another(
    driver, root, full_share, start_btrfs
):
    snapshot, snapshotting = models.snapshot(full_share), driver._commands.snapshot
    seen = []

    def snapshot_and_start(source, target, **kwargs):
        snapshotting(source, target, **kwargs)
        start_btrfs(root)
        seen.append(os.path.isdir(target))

    driver._commands.snapshot = snapshot_and_start
    driver.create_snapshot(None, snapshot)

    assert seen == [True]
    assert data(root, snapshot).is_dir()


# What the contract suite does not kill.


def every_kill(call):
    return kills.every_kill(call, changes=kills.COMMANDS | kills.CHANGES)


def test_deleting_a_snapshot(driver, root, full_share, start_btrfs):
    snapshot = models.snapshot(full_share)
    driver.create_snapshot(None, snapshot)

    for _ in every_kill(lambda: driver.delete_snapshot(None, snapshot)):
        start_btrfs(root).delete_snapshot(None, snapshot)
        assert os.listdir(root / "snapshots") == []
        assert os.listdir(root / ".metadata" / "snapshots") == []
        driver.create_snapshot(None, snapshot)

    assert os.listdir(root / "snapshots") == []


def test_managing_a_snapshot(driver, root, full_share):
    path, snapshot = root / "theirs", models.snapshot(full_share)
    take = ["btrfs", "subvolume", "snapshot", "-r", str(data(root, full_share)), str(path)]
    before = trees.describe(data(root, full_share))

    def manage():
        return driver.manage_existing_snapshot(snapshot, {"path": "theirs"})

    subprocess.run(take, check=True, capture_output=True)
    for _ in every_kill(manage):
        assert manage()["size"] == 1
        assert trees.describe(data(root, snapshot)) == before
        assert read_only(data(root, snapshot))
        driver.delete_snapshot(None, snapshot)
        subprocess.run(take, check=True, capture_output=True)

    assert trees.describe(data(root, snapshot)) == before
    assert read_only(data(root, snapshot))
    assert not path.exists()


def read_only(path):
    shown = subprocess.run(
        ["btrfs", "property", "get", "-ts", path, "ro"], check=True, capture_output=True, text=True
    )
    return shown.stdout == "ro=true\n"


def test_letting_clients_reach_a_snapshot(driver, root, full_share):
    snapshot, rule = models.snapshot(full_share), models.rule("10.0.0.1")
    driver.create_snapshot(None, snapshot)

    def let_in():
        driver.snapshot_update_access(None, snapshot, [rule], [rule], [])

    for _ in every_kill(let_in):
        let_in()
        assert [kept["to"] for kept in metadata(root, snapshot)["access"]] == ["10.0.0.1"]
        driver.snapshot_update_access(None, snapshot, [], [], [rule])

    assert len(metadata(root, snapshot)["access"]) == 1


def test_ensuring_a_share_whose_limit_is_gone(driver, root, full_share):
    number = driver._store.number(driver._existing(full_share))

    for _ in every_kill(lambda: driver.ensure_share(None, full_share)):
        driver._groups.limit(number, None)

    assert driver._groups.limit_of(number) == 2 << 30


# Several workers.


def test_what_another_worker_is_busy_with_is_left_to_it(driver, root, full_share, start_btrfs):
    snapshot, other = models.snapshot(full_share), start_btrfs(root)
    driver.create_snapshot(None, snapshot)
    kinds, snapshotting = [], driver._commands.snapshot

    def meddle(source, target, **kwargs):
        for call in (
            lambda: other.delete_share(None, full_share),
            lambda: other.extend_share(full_share, 5),
            lambda: other.shrink_share(full_share, 1),
            lambda: other.revert_to_snapshot(None, snapshot, [], []),
        ):
            with pytest.raises(exception.ManilaException) as caught:
                call()
            kinds.append(exception.classify(caught.value))
        with pytest.raises(exception.ShareSnapshotIsBusy):
            other.delete_snapshot(None, snapshot)
        assert other.ensure_share(None, full_share)
        snapshotting(source, target, **kwargs)

    driver._commands.snapshot = meddle
    driver.revert_to_snapshot(None, snapshot, [], [])

    assert kinds == [exception.ErrorKind.TRANSIENT] * 4
    assert metadata(root, full_share)["size"] == 2


def test_shares_are_made_and_deleted_side_by_side(root, start_btrfs):
    drivers = [start_btrfs(root) for _ in range(2)]
    barrier = threading.Barrier(4)

    def live(number):
        driver, share, clone = drivers[number % 2], models.share(1), models.share(2)
        barrier.wait(30)
        driver.create_share(None, share)
        (data(root, share) / "file").write_text(share["id"])
        snapshot = models.snapshot(share)
        driver.create_snapshot(None, snapshot)
        driver.create_share_from_snapshot(None, clone, snapshot)
        (data(root, share) / "file").write_text("changed")
        driver.revert_to_snapshot(None, snapshot, [], [])
        driver.extend_share(share, 3)
        found = [(data(root, model) / "file").read_text() for model in (share, clone, snapshot)]
        driver.delete_snapshot(None, snapshot)
        driver.delete_share(None, share)
        driver.delete_share(None, clone)
        return found == [share["id"]] * 3

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(live, range(4)))
    assert os.listdir(root / "shares") == os.listdir(root / "snapshots") == []
