# SPDX-License-Identifier: Apache-2.0
"""The directory driver under the daemon: casts become files, and rows say where they are."""

import os

import pytest

from manila_lite import states
from manila_lite.db import messages
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import BETA
from tests.functional.service.rows import SIZE

GIB = 1 << 30


@pytest.fixture
def do(do_recorded):
    return do_recorded


@pytest.fixture
def path_of(service):
    """Where the data of a share or of a snapshot lie: the only directory of that name."""

    def find(resource):
        found = [path for path in service.root.rglob(resource.name) if path.is_dir()]
        return found[0] if found else None

    return find


def exported(rows, share):
    """The path of the share's one export location, without the host."""
    (location,) = rows.exports(share)
    host, _, path = location.partition(":")
    assert host == "files.example.org"
    return path


def test_a_created_share_is_a_directory_that_its_export_location_names(do, rows, service):
    share = rows.share(BETA)
    assert do("create_share_instance", share)["state"] == "succeeded"
    path = exported(rows, share)
    assert os.path.isdir(path)
    assert os.listdir(path) == []
    assert path.startswith(f"{service.root}/")


def test_a_share_from_a_snapshot_holds_what_the_share_held_then(do, rows):
    origin = rows.share(BETA)
    do("create_share_instance", origin)
    path = exported(rows, origin)
    with open(f"{path}/file", "w", encoding="utf-8") as file:
        file.write("then")
    snapshot = rows.snapshot(origin)
    assert do("create_snapshot", snapshot)["state"] == "succeeded"
    with open(f"{path}/file", "w", encoding="utf-8") as file:
        file.write("now")
    share = rows.share(BETA, of=snapshot)
    operation = do("create_share_instance", share, snapshot_id=snapshot.snapshot_id)
    assert operation["state"] == "succeeded"
    with open(f"{exported(rows, share)}/file", encoding="utf-8") as file:
        assert file.read() == "then"


def test_a_deleted_snapshot_and_a_deleted_share_leave_no_file(do, rows, service, path_of):
    share = rows.share(BETA)
    do("create_share_instance", share)
    snapshot = rows.snapshot(share)
    do("create_snapshot", snapshot)
    assert path_of(snapshot) is not None
    rows.begin(snapshot, states.DELETING)
    assert do("delete_snapshot", snapshot)["state"] == "succeeded"
    assert path_of(snapshot) is None
    assert path_of(share) is not None
    rows.begin(share, states.DELETING)
    assert do("delete_share_instance", share)["state"] == "succeeded"
    assert not [path for path in service.root.rglob("*") if share.instance_id in path.name]


def test_a_share_is_extended_and_shrunk_in_the_rows(do, rows):
    share = rows.share(BETA)
    do("create_share_instance", share)
    rows.begin(share, states.EXTENDING)
    reserved = rows.reserve(share, 1)
    do("extend_share", share, new_size=SIZE + 1, reservations=reserved)
    assert (rows.status(share), rows.of_share(share)["size"]) == (states.AVAILABLE, SIZE + 1)
    rows.begin(share, states.SHRINKING)
    do("shrink_share", share, new_size=1)
    assert (rows.status(share), rows.of_share(share)["size"]) == (states.AVAILABLE, 1)


def test_a_share_that_holds_more_is_not_shrunk(do, rows):
    share = rows.share(BETA)
    do("create_share_instance", share)
    name = f"{exported(rows, share)}/large"
    try:
        with open(name, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, GIB + 4096)
    except OSError as error:
        pytest.skip(f"there is no room for a file of 1 GiB: {error}")
    rows.begin(share, states.SHRINKING)
    do("shrink_share", share, new_size=1)
    assert rows.status(share) == states.SHRINKING_POSSIBLE_DATA_LOSS_ERROR
    assert rows.of_share(share)["size"] == SIZE
    assert os.path.getsize(name) == GIB + 4096
    detail = messages.DETAIL_DRIVER_REFUSED_SHRINK
    expected = [(share.project_id, messages.ACTION_SHRINK, detail)]
    assert rows.messages(share.share_id) == expected
    os.truncate(name, 0)


def test_a_share_whose_directory_vanished_cannot_be_extended_and_says_why(do, rows):
    share = rows.share(BETA)
    do("create_share_instance", share)
    os.rmdir(exported(rows, share))
    rows.begin(share, states.EXTENDING)
    operation = do("extend_share", share, new_size=SIZE + 1, reservations=[])
    assert rows.status(share) == states.EXTENDING_ERROR
    assert operation["error"].startswith("The storage back end does not have share")


def test_a_share_whose_directory_vanished_can_be_deleted(do, rows):
    share = rows.share(BETA)
    do("create_share_instance", share)
    os.rmdir(exported(rows, share))
    rows.begin(share, states.DELETING)
    assert do("delete_share_instance", share)["state"] == "succeeded"
    assert rows.instance(share)["deleted"] == share.instance_id


def test_a_deferred_deletion_takes_the_files_away_later_and_those_of_no_other_share(do, rows):
    doomed, other = rows.share(BETA), rows.share(BETA)
    for share in (doomed, other):
        do("create_share_instance", share)
    path = exported(rows, doomed)
    rows.begin(doomed, states.DELETING)
    do("delete_share_instance", doomed, deferred_delete=True)
    poll(lambda: rows.instance(doomed)["deleted"] == doomed.instance_id, "the deferred deletion")
    assert not os.path.exists(path)
    assert os.path.isdir(exported(rows, other))
