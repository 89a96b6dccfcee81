# SPDX-License-Identifier: Apache-2.0
"""A call that was killed anywhere may be repeated, and ends as if it had run once.

Each test kills the call before its first change of the storage, before its second, and so on; a
driver without storage is killed nowhere, and then the last line is what is tested.
"""

import functools

import pytest

from manila_lite import exception
from manila_lite.testing import kills, models, trees


@pytest.fixture
def every_kill(subject):
    """Commands count too: what they do cannot be seen from here."""
    changes = kills.CHANGES | kills.COMMANDS
    return functools.partial(kills.every_kill, changes=changes, step=subject.kill_step)


@pytest.fixture
def driver(subject):
    return subject.start()


@pytest.fixture
def share(subject, driver):
    model = models.share(2)
    driver.create_share(None, model)
    if subject.data_of:
        fill(subject.data_of(model))
    return model


@pytest.fixture
def snapshot(driver, share):
    model = models.snapshot(share)
    driver.create_snapshot(None, model)
    return model


def fill(top):
    """Few entries: each adds some points at which the call is killed."""
    (top / "inner").mkdir()
    (top / "inner" / "file").write_bytes(b"content" * 1000)
    (top / "linked").hardlink_to(top / "inner" / "file")
    (top / "link").symlink_to("inner")


def described(subject, model):
    return trees.describe(subject.data_of(model))


def exists(subject, model):
    return subject.data_of(model).exists()


def entries(subject, model):
    return sorted(path.name for path in subject.data_of(model).parent.iterdir())


def test_a_driver_with_data_is_killed_at_many_points(subject, every_kill, driver, share):
    snapshot = models.snapshot(share)
    points = 0

    for number in every_kill(lambda: subject.start().create_snapshot(None, snapshot)):
        subject.start().delete_snapshot(None, snapshot)
        points = number

    assert points > subject.fewest_kills if subject.data_of else points == 0


def test_creating_a_share(subject, every_kill):
    share = models.share()

    for _ in every_kill(lambda: subject.start().create_share(None, share)):
        after = subject.start()
        assert after.create_share(None, share) == after.ensure_share(None, share)
        assert entries(subject, share) == [share["name"]]
        after.delete_share(None, share)

    assert subject.start().ensure_share(None, share)


def test_deleting_a_share(subject, every_kill, driver, share):
    for _ in every_kill(lambda: subject.start().delete_share(None, share)):
        after = subject.start()
        after.delete_share(None, share)
        assert entries(subject, share) == []
        after.create_share(None, share)
        fill(subject.data_of(share))

    assert driver.delete_share(None, share) is None
    if subject.data_of:
        assert entries(subject, share) == []


def test_deleting_a_share_leaves_no_half_of_it_under_its_name(subject, every_kill, driver, share):
    whole = described(subject, share) if subject.data_of else None

    for _ in every_kill(lambda: subject.start().delete_share(None, share)):
        assert not exists(subject, share) or described(subject, share) == whole
        after = subject.start()
        after.delete_share(None, share)
        after.create_share(None, share)
        fill(subject.data_of(share))
        whole = described(subject, share)

    assert subject.data_of is None or not exists(subject, share)


def test_taking_a_snapshot(subject, every_kill, driver, share):
    snapshot = models.snapshot(share)

    for _ in every_kill(lambda: subject.start().create_snapshot(None, snapshot)):
        assert not exists(subject, snapshot) or (
            described(subject, snapshot) == described(subject, share)
        )
        after = subject.start()
        after.create_snapshot(None, snapshot)
        assert described(subject, snapshot) == described(subject, share)
        assert entries(subject, snapshot) == [snapshot["name"]]
        after.delete_snapshot(None, snapshot)

    assert driver.delete_snapshot(None, snapshot) is None


def test_making_a_share_from_a_snapshot(subject, every_kill, driver, share, snapshot):
    clone = models.share(3)

    for _ in every_kill(lambda: subject.start().create_share_from_snapshot(None, clone, snapshot)):
        assert not exists(subject, clone) or described(subject, clone) == described(subject, share)
        after = subject.start()
        exports = after.create_share_from_snapshot(None, clone, snapshot)
        assert after.ensure_share(None, clone) == exports
        assert described(subject, clone) == described(subject, share)
        assert entries(subject, clone) == sorted([clone["name"], share["name"]])
        after.delete_share(None, clone)

    assert subject.start().ensure_share(None, clone)


def test_deleting_a_share_whose_copy_was_killed(subject, every_kill, driver, share, snapshot):
    clone = models.share(3)

    for _ in every_kill(lambda: subject.start().create_share_from_snapshot(None, clone, snapshot)):
        after = subject.start()
        after.delete_share(None, clone)
        assert entries(subject, clone) == [share["name"]]
        with pytest.raises(exception.ShareResourceNotFound):
            after.ensure_share(None, clone)

    assert subject.start().delete_share(None, clone) is None


def test_reverting_a_share(subject, every_kill, driver, share, snapshot):
    if subject.data_of:
        (subject.data_of(share) / "later").write_text("new")
        changed = described(subject, share)

    for _ in every_kill(lambda: subject.start().revert_to_snapshot(None, snapshot, [], [])):
        after = subject.start()
        assert after.ensure_share(None, share)
        assert described(subject, share) in (changed, described(subject, snapshot))
        after.revert_to_snapshot(None, snapshot, [], [])
        assert described(subject, share) == described(subject, snapshot)
        assert entries(subject, share) == [share["name"]]
        (subject.data_of(share) / "later").write_text("new")
        changed = described(subject, share)

    assert driver.revert_to_snapshot(None, snapshot, [], []) is None
    if subject.data_of:
        assert described(subject, share) == described(subject, snapshot)


@pytest.mark.parametrize("method", ["extend_share", "shrink_share"])
def test_changing_a_size(subject, every_kill, driver, share, method):
    before = driver.ensure_share(None, share)

    for _ in every_kill(lambda: getattr(subject.start(), method)(share, 2)):
        after = subject.start()
        getattr(after, method)(share, 2)
        assert after.ensure_share(None, share) == before

    assert getattr(driver, method)(share, 2) is None


def test_changing_access_rules(subject, every_kill, driver, share):
    rules = [models.rule("10.0.0.1")]

    for _ in every_kill(lambda: subject.start().update_access(None, share, rules, rules, [])):
        assert not subject.start().update_access(None, share, rules, rules, [])

    assert not driver.update_access(None, share, rules, rules, [])


def test_managing_a_share(subject, every_kill, driver, share):
    known = models.share()
    driver.unmanage(share)

    def manage():
        return subject.start().manage_existing(known, {"path": f"shares/{share['name']}"})

    for _ in every_kill(manage):
        assert manage()["size"] == 1
        assert entries(subject, known) == [known["name"]]
        subject.data_of(known).rename(subject.data_of(share))
        driver.unmanage(known)

    assert manage()["size"] == 1
