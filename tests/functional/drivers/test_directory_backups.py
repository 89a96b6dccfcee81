# SPDX-License-Identifier: Apache-2.0
"""Backups by the directory driver: byte by byte, whatever dies, and never in the way."""

import threading
import uuid

import pytest

from manila_lite import exception
from manila_lite.conf import directory
from manila_lite.db.records import Record
from manila_lite.share.drivers.directory import DirectoryDriver
from manila_lite.share.drivers.directory.filedata import DataCopier
from manila_lite.testing import kills, models, trees

DONE = {"total_progress": "100"}


@pytest.fixture
def roots(tmp_path):
    for name in ("root", "backups"):
        (tmp_path / name).mkdir()
    return tmp_path


def start(roots, **options):
    """A driver as a process has it that has just started."""
    options = {"directory_backup_root": str(roots / "backups"), **options}
    driver = models.driver(
        DirectoryDriver, directory.OPTS, directory_root=str(roots / "root"), **options
    )
    driver.do_setup(None)
    driver.check_for_setup_error()
    return driver


@pytest.fixture
def driver(roots):
    return start(roots)


@pytest.fixture
def share(driver, roots):
    model = models.share(2)
    driver.create_share(None, model)
    trees.grow_zoo(data_of(roots, model))
    return model


def new_backup(of):
    identity = str(uuid.uuid4())
    return Record(
        id=identity, name=f"share-backup-{identity}", share_id=of["share_id"], size=of["size"],
        status="creating", progress="0", restore_progress="0",
    )  # fmt: skip


def data_of(roots, model):
    if "restore_progress" in model:
        return roots / "backups" / "backups" / model["name"]
    return roots / "root" / "shares" / model["name"]


def follow(ask, *models_):
    while ask(None, *models_) != DONE:
        pass


def make(driver, share):
    backup = new_backup(share)
    driver.create_backup(None, share, backup)
    follow(driver.create_backup_continue, share, backup)
    return backup


def restore(driver, backup, share):
    driver.restore_backup(None, backup, share)
    follow(driver.restore_backup_continue, backup, share)


@pytest.fixture
def held(monkeypatch):
    """Copies stand still before the data of their first file; returns (reached, go)."""
    reached, go = threading.Event(), threading.Event()
    copy = DataCopier.copy

    def wait(self, source, target, progress):
        reached.set()
        assert go.wait(30)
        copy(self, source, target, progress)

    monkeypatch.setattr(DataCopier, "copy", wait)
    yield reached, go
    go.set()


def test_a_backup_is_the_share_byte_by_byte(driver, roots, share):
    backup = make(driver, share)

    assert trees.describe(data_of(roots, backup)) == trees.describe(data_of(roots, share))
    assert driver.create_backup_continue(None, share, backup) == DONE


def test_a_share_is_set_back_to_its_backup(driver, roots, share):
    then = trees.describe(data_of(roots, share))
    backup = make(driver, share)
    (data_of(roots, share) / "later").write_bytes(b"later")

    restore(driver, backup, share)

    assert trees.describe(data_of(roots, share)) == then
    assert trees.describe(data_of(roots, backup)) == then
    assert sorted(path.name for path in data_of(roots, share).parent.iterdir()) == [share["name"]]


def test_the_same_backup_is_restored_as_often_as_asked(driver, roots, share):
    then = trees.describe(data_of(roots, share))
    backup = make(driver, share)
    for _ in range(2):
        (data_of(roots, share) / "later").write_bytes(b"later")
        restore(driver, backup, share)
        assert trees.describe(data_of(roots, share)) == then


def test_a_backup_outlives_its_share_and_is_restored_into_another_one(driver, roots, share):
    then = trees.describe(data_of(roots, share))
    backup = make(driver, share)
    driver.delete_share(None, share)
    other = models.share(3)
    driver.create_share(None, other)

    restore(driver, backup, other)

    assert driver.restore_to_target_support
    assert trees.describe(data_of(roots, other)) == then


def test_a_deleted_backup_leaves_nothing(driver, roots, share):
    backup = make(driver, share)

    for _ in range(2):
        driver.delete_backup(None, backup, None)

    left = [path for path in (roots / "backups").rglob("*") if backup["name"] in path.name]
    assert left == []
    with pytest.raises(exception.ShareBackupNotFound):
        driver.create_backup_continue(None, share, backup)


def test_while_a_copy_goes_on_its_progress_is_told(driver, share, held):
    reached, go = held
    backup = new_backup(share)
    driver.create_backup(None, share, backup)

    assert driver.create_backup_continue(None, share, backup) == {"total_progress": "0"}
    assert reached.is_set()
    with pytest.raises(exception.BackendBusy):
        driver.delete_share(None, share)
    go.set()
    follow(driver.create_backup_continue, share, backup)


def test_a_backup_that_is_being_made_can_be_deleted(driver, roots, share, held):
    reached, go = held
    backup = new_backup(share)
    driver.create_backup(None, share, backup)
    driver.create_backup_continue(None, share, backup)
    assert reached.wait(30)
    threading.Timer(0.1, go.set).start()

    driver.delete_backup(None, backup, share)

    assert not data_of(roots, backup).exists()
    driver.delete_share(None, share)


def test_a_backup_that_is_being_restored_is_not_deleted(driver, roots, share, held):
    reached, go = held
    go.set()
    backup = make(driver, share)
    go.clear()
    reached.clear()
    driver.restore_backup(None, backup, share)
    driver.restore_backup_continue(None, backup, share)
    assert reached.wait(30)

    with pytest.raises(exception.BackendBusy):
        driver.delete_backup(None, backup, share)

    go.set()
    follow(driver.restore_backup_continue, backup, share)
    assert data_of(roots, backup).exists()


def test_a_copy_that_fails_says_why_and_is_begun_again(driver, roots, share, monkeypatch):
    backup = new_backup(share)
    driver.create_backup(None, share, backup)
    with monkeypatch.context() as patch:
        patch.setattr("os.statvfs", lambda path: type("Full", (), {"f_bavail": 0, "f_frsize": 1}))
        with pytest.raises(exception.ShareBackendFull, match=str(roots / "backups")):
            follow(driver.create_backup_continue, share, backup)

    follow(driver.create_backup_continue, share, backup)

    assert trees.describe(data_of(roots, backup)) == trees.describe(data_of(roots, share))


def test_a_backup_of_a_share_that_is_gone_and_into_a_smaller_one(driver, share):
    backup = make(driver, share)
    small = models.share(1)
    driver.create_share(None, small)
    with pytest.raises(exception.InvalidShare, match="1 GiB are less than the 2 GiB"):
        driver.restore_backup(None, backup, small)
    with pytest.raises(exception.ShareResourceNotFound):
        driver.create_backup(None, models.share(1), new_backup(share))
    with pytest.raises(exception.ShareBackupNotFound):
        driver.restore_backup(None, new_backup(share), share)


def small_tree(top):
    """Few entries: each adds some points at which the call is killed."""
    (top / "inner").mkdir()
    (top / "inner" / "file").write_bytes(b"content" * 1000)
    (top / "linked").hardlink_to(top / "inner" / "file")


@pytest.fixture
def small(driver, roots):
    model = models.share(1)
    driver.create_share(None, model)
    small_tree(data_of(roots, model))
    return model


def test_a_backup_that_was_killed_anywhere_is_made_by_the_next_process(roots, driver, small):
    backup, killed = new_backup(small), 0
    driver.create_backup(None, small, backup)

    for _ in kills.every_kill(lambda: follow(start(roots).create_backup_continue, small, backup)):
        killed += 1
        after = start(roots)
        follow(after.create_backup_continue, small, backup)
        assert trees.describe(data_of(roots, backup)) == trees.describe(data_of(roots, small))
        after.delete_backup(None, backup, small)
        after.create_backup(None, small, backup)

    assert killed > 20


def test_a_restoration_that_was_killed_anywhere_leaves_the_old_data_or_the_new(
    roots, driver, small
):
    then = trees.describe(data_of(roots, small))
    backup, killed = make(driver, small), 0
    (data_of(roots, small) / "later").write_bytes(b"later")
    now = trees.describe(data_of(roots, small))
    driver.restore_backup(None, backup, small)

    for _ in kills.every_kill(lambda: follow(start(roots).restore_backup_continue, backup, small)):
        killed += 1
        assert trees.describe(data_of(roots, small)) in (then, now)
        follow(start(roots).restore_backup_continue, backup, small)
        assert trees.describe(data_of(roots, small)) == then
        (data_of(roots, small) / "later").write_bytes(b"later")
        now = trees.describe(data_of(roots, small))
        driver.restore_backup(None, backup, small)

    assert killed > 20


def test_without_a_root_for_them_there_are_no_backups(roots):
    driver = start(roots, directory_backup_root=None)
    with pytest.raises(NotImplementedError, match="directory_backup_root"):
        driver.create_backup(None, models.share(1), new_backup(models.share(1)))


@pytest.mark.parametrize("place", ["root", "root/inside", ".", "absent"])
def test_a_root_that_cannot_serve_is_refused(roots, place):
    (roots / "root" / "inside").mkdir()
    with pytest.raises(exception.ConfigurationError, match="directory_backup_root"):
        start(roots, directory_backup_root=str(roots / place))
