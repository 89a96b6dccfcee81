# SPDX-License-Identifier: Apache-2.0
"""Groups that are made of single shares and snapshots."""

import logging

import pytest

from manila_lite import exception
from manila_lite.share.driver import ShareDriver


class Recording(ShareDriver):
    """Makes and deletes snapshots in memory, and fails where it is told to."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = []
        self.fail_create = self.fail_delete = None
        self.updates = {}

    def create_snapshot(self, context, snapshot, share_server=None):
        self.calls.append(("create", snapshot, share_server))
        if self.fail_create and snapshot["id"] in self.fail_create:
            raise self.fail_create[snapshot["id"]]
        return self.updates.get(snapshot["id"])

    def delete_snapshot(self, context, snapshot, share_server=None):
        self.calls.append(("delete", snapshot, share_server))
        if self.fail_delete and snapshot["id"] in self.fail_delete:
            raise self.fail_delete[snapshot["id"]]

    def create_share_from_snapshot(self, context, share, snapshot, **kwargs):
        self.calls.append(("clone", share["id"], snapshot["id"], kwargs))
        return [f"10.0.0.1:/{share['id']}"]

    def did(self):
        return [(what, snapshot["id"]) for what, snapshot, _ in self.calls]


def member(number):
    return {
        "id": f"m{number}",
        "name": f"share-snapshot-m{number}",
        "share_id": f"s{number}",
        "share_name": f"share-i{number}",
        "share_group_snapshot_id": "gs",
        "provider_location": f"/snapshots/{number}",
        "share": {"id": f"i{number}", "size": number, "share_proto": "NFS"},
    }


def group_snapshot(count=3):
    members = [member(number) for number in range(1, count + 1)]
    return {"id": "gs", "share_group_id": "g", "share_group_snapshot_members": members}


def group(*sources):
    shares = [
        {"id": f"new{i}", "source_share_group_snapshot_member_id": source}
        for i, source in enumerate(sources)
    ]
    return {"id": "g2", "shares": shares}


@pytest.fixture
def recording(make):
    driver = make(Recording)
    driver.get_share_stats(refresh=True)
    return driver


def expected_snapshot(number, provider_location):
    return {
        "snapshot_id": "gs",
        "share_id": f"s{number}",
        "share_instance_id": f"i{number}",
        "id": f"m{number}",
        "share": member(number)["share"],
        "share_name": f"share-i{number}",
        "name": f"share-snapshot-m{number}",
        "size": number,
        "share_size": number,
        "share_proto": "NFS",
        "provider_location": provider_location,
    }


def test_group_itself_needs_nothing_on_the_storage(driver):
    assert driver.create_share_group(None, {"id": "g"}) is None
    assert driver.delete_share_group(None, {"id": "g"}) is None


def test_group_snapshot_is_a_snapshot_of_each_member(recording):
    recording.updates = {"m1": {"provider_location": "/p1"}, "m3": {"size": 3, "id": "own"}}
    result = recording.create_share_group_snapshot(None, group_snapshot(), share_server="srv")
    assert recording.calls == [
        ("create", expected_snapshot(number, None), "srv") for number in (1, 2, 3)
    ]
    assert result == (
        None,
        [{"provider_location": "/p1", "id": "m1"}, {"size": 3, "id": "m3"}],
    )


def test_group_snapshot_is_refused_where_the_statistics_have_no_snapshots(make):
    driver = make(Recording)
    with pytest.raises(exception.ShareGroupSnapshotNotSupported) as caught:
        driver.create_share_group_snapshot(None, group_snapshot())
    assert "Share group g " in caught.value.msg
    assert driver.calls == []


@pytest.mark.parametrize("snapshot", [group_snapshot(0), {"id": "gs", "share_group_id": "g"}])
def test_snapshot_of_an_empty_group_is_empty(recording, caplog, snapshot):
    with caplog.at_level(logging.WARNING):
        assert recording.create_share_group_snapshot(None, snapshot) == (None, None)
    assert "empty" in caplog.text
    assert recording.calls == []


@pytest.mark.parametrize(
    "error", [exception.ShareBackendException(msg="no"), OSError("third-party")], ids=repr
)
@pytest.mark.parametrize(("failing", "undone"), [("m1", []), ("m2", ["m1"]), ("m3", ["m1", "m2"])])
def test_snapshots_made_before_a_failure_are_deleted(recording, error, failing, undone):
    recording.fail_create = {failing: error}
    with pytest.raises(type(error)) as caught:
        recording.create_share_group_snapshot(None, group_snapshot(), share_server="srv")
    assert caught.value is error
    assert [id for what, id in recording.did() if what == "delete"] == undone
    assert {server for _, _, server in recording.calls} == {"srv"}


def test_clean_up_goes_on_after_a_failure_and_raises_it(recording, caplog):
    first = exception.ShareBackendException(msg="cannot delete m1")
    recording.fail_create = {"m3": OSError("full")}
    recording.fail_delete = {"m1": first}
    with pytest.raises(exception.ShareBackendException) as caught, caplog.at_level(logging.ERROR):
        recording.create_share_group_snapshot(None, group_snapshot())
    assert caught.value is first
    assert isinstance(first.__context__, OSError)
    assert recording.did()[-2:] == [("delete", "m1"), ("delete", "m2")]
    assert "Snapshot m1 of share s1, made for a group, could not be deleted" in caplog.text


def test_deleting_a_group_snapshot_deletes_each_member(recording):
    result = recording.delete_share_group_snapshot(None, group_snapshot(2), share_server="srv")
    assert result == (None, None)
    assert recording.calls == [
        ("delete", expected_snapshot(number, f"/snapshots/{number}"), "srv") for number in (1, 2)
    ]


def test_deleting_a_group_snapshot_stops_at_the_first_failure(recording):
    recording.fail_delete = {"m2": exception.ShareSnapshotIsBusy(snapshot_name="m2")}
    with pytest.raises(exception.ShareSnapshotIsBusy):
        recording.delete_share_group_snapshot(None, group_snapshot(3))
    assert recording.did() == [("delete", "m1"), ("delete", "m2")]


@pytest.mark.parametrize(
    ("handles", "kwargs"), [(False, {}), (True, {"share_server": {"id": "srv"}})]
)
def test_group_from_a_snapshot_is_a_share_from_each_member(make, handles, kwargs):
    driver = make(Recording, driver_handles_share_servers=handles)
    result = driver.create_share_group_from_share_group_snapshot(
        None, group("m2", "m1", "m2"), group_snapshot(2), share_server={"id": "srv"}
    )
    assert driver.calls == [
        ("clone", "new0", "m2", kwargs),
        ("clone", "new1", "m1", kwargs),
        ("clone", "new2", "m2", kwargs),
    ]
    assert result == (
        None,
        [{"id": f"new{i}", "export_locations": [f"10.0.0.1:/new{i}"]} for i in range(3)],
    )


def test_group_from_an_empty_snapshot_is_empty(recording):
    result = recording.create_share_group_from_share_group_snapshot(
        None, group(), group_snapshot(0)
    )
    assert (result, recording.calls) == ((None, None), [])


def test_share_without_a_counterpart_is_refused_before_anything_is_made(recording):
    with pytest.raises(exception.InvalidShareGroup) as caught:
        recording.create_share_group_from_share_group_snapshot(
            None, group("m1", "elsewhere"), group_snapshot(1)
        )
    assert "share new1 has no counterpart in share group snapshot gs" in caught.value.msg
    assert recording.calls == []


def test_pairs_hold_the_very_share_and_member(recording):
    shares, snapshot = group("m2"), group_snapshot(2)
    assert recording._collate_share_group_snapshot_info(shares, snapshot) == [
        {"share": shares["shares"][0], "snapshot": snapshot["share_group_snapshot_members"][1]}
    ]
