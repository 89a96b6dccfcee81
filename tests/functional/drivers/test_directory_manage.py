# SPDX-License-Identifier: Apache-2.0
"""Managing directories that the directory driver did not make, and letting go of them."""

import os

import pytest

from manila_lite import exception
from manila_lite.share.drivers.directory import quota
from manila_lite.testing import models, trees
from tests.functional.drivers.helpers import data, metadata, tree_of


@pytest.fixture
def theirs(root, driver):
    """A directory with data under the root that nobody manages."""
    path = root / "projects" / "theirs"
    path.mkdir(parents=True)
    (path / "file").write_bytes(os.urandom(3 << 20))
    return path


def manage(driver, path, model=None, **options):
    return driver.manage_existing(model or models.share(), {"path": str(path), **options})


@pytest.mark.parametrize("form", ["{path}", "host:{path}", "projects/theirs", "{path}/"])
def test_a_directory_under_the_root_becomes_a_share_with_all_its_data(driver, root, theirs, form):
    share, before = models.share(), trees.describe(theirs)

    update = manage(driver, form.format(path=theirs), share)

    assert update["size"] == 1
    assert update["export_locations"] == driver.ensure_share(None, share)
    assert trees.describe(data(root, share)) == before
    assert metadata(root, share)["size"] == 1
    assert not theirs.exists()


def test_the_export_location_names_the_directory_too(driver, root, theirs):
    share = models.share(export_locations=[{"path": f"host:{theirs}", "is_admin_only": False}])

    assert driver.manage_existing(share, {})["size"] == 1
    assert (data(root, share) / "file").exists()


def test_a_share_is_as_large_as_it_was_wished_if_its_data_fit(driver, root, theirs):
    with (theirs / "more").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 30)

    with pytest.raises(exception.ManageInvalidShare, match="2 GiB, which is more than 1"):
        manage(driver, theirs, size="1")
    assert theirs.exists()
    assert manage(driver, theirs, size="7")["size"] == 7


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "/",
        "",
        "..",
        "projects/../../x",
        "projects//theirs",
        "shares",
        "snapshots",
        "shares/.trash~x",
        ".metadata",
        ".metadata/shares",
        "missing",
        "projects/theirs/file",
        "projects/link",
        "projects/link/inner",
        "link up/theirs",
    ],
)
def test_what_is_no_directory_of_its_own_is_refused_and_left(driver, root, theirs, path, tmp_path):
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (root / "projects" / "link").symlink_to(outside)
    (root / "link up").symlink_to("projects")
    before = tree_of(root)

    with pytest.raises(exception.ManageInvalidShare) as caught:
        manage(driver, path)

    assert tree_of(root) == before
    assert (outside / "inner").is_dir()
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL


def test_a_path_that_was_refused_is_named(driver, theirs):
    with pytest.raises(exception.ManageInvalidShare, match=r"link is .*a symbolic link"):
        (theirs.parent / "link").symlink_to(theirs)
        manage(driver, theirs.parent / "link")
    with pytest.raises(exception.ManageInvalidShare, match=r"/etc is outside"):
        manage(driver, "/etc")


def test_a_share_that_is_managed_already_is_not_managed_twice(driver, root, share):
    with pytest.raises(exception.ManageInvalidShare, match="managed already"):
        manage(driver, data(root, share))
    (data(root, share) / "inner").mkdir()
    with pytest.raises(exception.ManageInvalidShare, match="other shares"):
        manage(driver, data(root, share) / "inner")

    assert driver.ensure_share(None, share)


def test_managing_again_after_it_was_done_gives_the_same_answer(driver, theirs):
    share = models.share()

    assert manage(driver, theirs, share) == manage(driver, theirs, share)


def test_nothing_is_managed_over_a_share_that_exists(driver, root, theirs, share):
    with pytest.raises(exception.ManageInvalidShare, match="exists already"):
        manage(driver, theirs, share)

    assert theirs.exists()
    assert list(data(root, share).iterdir()) == []


def test_what_is_mounted_under_the_root_is_not_managed(driver, root, mount):
    point = root / "mounted"
    point.mkdir()
    mount("-t", "tmpfs", "tmpfs", at=point)

    with pytest.raises(exception.ManageInvalidShare, match="another file system"):
        manage(driver, point)


def test_an_unmanaged_share_is_forgotten_and_left(driver, root, share):
    (data(root, share) / "file").write_text("data")

    driver.unmanage(share)
    driver.unmanage(share)

    assert (data(root, share) / "file").read_text() == "data"
    assert not list((root / ".metadata" / "shares").iterdir())
    with pytest.raises(exception.ShareBackendException):
        driver.delete_share(None, share)
    assert (data(root, share) / "file").read_text() == "data"


def test_a_directory_becomes_a_snapshot_and_is_refused_with_the_right_error(
    driver, root, share, theirs
):
    snapshot = models.snapshot(share, provider_location="projects/theirs")
    before = trees.describe(theirs)

    update = driver.manage_existing_snapshot(snapshot, {})

    assert update == {"size": 1, "provider_location": f"snapshots/{snapshot['name']}"}
    assert trees.describe(data(root, snapshot)) == before
    with pytest.raises(exception.ManageInvalidShareSnapshot):
        driver.manage_existing_snapshot(models.snapshot(share), {"path": "/etc"})
    with pytest.raises(exception.ManageInvalidShareSnapshot, match="no directory was given"):
        driver.manage_existing_snapshot(models.snapshot(share), {})


def test_limits_are_set_for_a_managed_share(root, theirs, share, start_driver):
    driver, commands = start_driver(root), []
    driver._limits = quota.ProjectQuota(
        driver._root,
        driver._locks,
        quota.Mount(str(root), "xfs", frozenset({"prjquota"})),
        lambda *command, **kwargs: commands.append((command, kwargs)),
    )

    managed = models.share()
    manage(driver, theirs, managed)

    assert [command[0][3].split()[0] for command in commands] == ["project", "limit"]
    assert data(root, managed).name in commands[0][0][3]
