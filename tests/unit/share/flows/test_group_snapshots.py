# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share.flows import group_snapshots
from tests.support import groups
from tests.support.shares import RecordingDriver, Turns
from tests.support.statements import count_statements


@pytest.fixture(autouse=True)
def driver(site):
    groups.use(site, groups.GroupDriver)
    return site.driver


@pytest.fixture
def group_id(site):
    """A group of two shares."""
    group_id = groups.add_group(site)
    for _ in range(2):
        groups.add_member(site, group_id)
    return group_id


def create(site, snapshot_id, seconds=0):
    method = "create_share_group_snapshot"
    return site.do(method, seconds=seconds, share_group_snapshot_id=snapshot_id)


def delete(site, snapshot_id):
    return site.do("delete_share_group_snapshot", share_group_snapshot_id=snapshot_id)


def status(site, snapshot_id):
    return groups.snapshot_row(site, snapshot_id)["status"]


def statuses(site, snapshot_id):
    return [member["status"] for member in groups.members(site, snapshot_id)]


def use_the_seeds_default(site):
    groups.use(site, RecordingDriver)
    site.driver.get_share_stats(refresh=True)


# -- create ------------------------------------------------------------------------------------


def test_a_new_group_snapshot_becomes_available_with_its_members(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)

    operation = create(site, snapshot_id)

    assert (operation["state"], status(site, snapshot_id)) == ("succeeded", "available")
    assert operation["lane"] == f"share_group:{group_id}"
    assert statuses(site, snapshot_id) == ["available"] * 2
    assert [m["progress"] for m in groups.members(site, snapshot_id)] == ["100%"] * 2


def test_the_driver_gets_the_members_as_manila_gives_them(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)

    create(site, snapshot_id)

    given = site.driver.argument("create_share_group_snapshot", "snap_dict")
    assert (given["id"], given["share_group_id"]) == (snapshot_id, group_id)
    assert given["share_group"]["id"] == group_id
    for member in given["share_group_snapshot_members"]:
        assert member["share_group_snapshot_id"] == snapshot_id
        assert member["share_id"] == member["share"]["id"] == member["share_instance_id"]
        assert member["share"]["share_group_id"] == group_id
        assert member["share_name"] == f"share-{member['share_instance_id']}"
        assert member["name"] == f"share-snapshot-{member['id']}"
        assert (member["share_type_id"], member["size"]) == ("type", 5)
        assert (member["status"], member["provider_location"]) == ("creating", None)


def test_updates_are_kept_and_unknown_keys_are_not(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)
    first, second = groups.members(site, snapshot_id)
    updates = [
        {"id": first["id"], "provider_location": "vol@1", "size": "7", "export_locations": ["/x"],
         "share_proto": "CIFS", "colour": "blue"},
        {"provider_location": "nobody's"},
        {"id": second["id"], "status": "error"},
    ]  # fmt: skip
    site.driver.answers["create_share_group_snapshot"] = ({"name": "monday"}, updates)

    assert create(site, snapshot_id)["state"] == "succeeded"

    first, second = groups.members(site, snapshot_id)
    assert (first["provider_location"], first["size"], first["share_proto"]) == ("vol@1", 7, "NFS")
    assert (first["status"], second["status"]) == ("available", "error")
    assert second["provider_location"] is None
    assert groups.snapshot_row(site, snapshot_id)["name"] == "monday"
    assert site.rows(models.share_snapshot_instance_export_locations) == []


@pytest.mark.parametrize(
    ("update", "named"),
    [
        ({"id": "stranger"}, "'stranger'"),
        ({"status": "deleting"}, "status 'deleting'"),
        ({"size": "large"}, "size is 'large'"),
        ({"provider_location": "p" * 256}, "provider_location has more than 255"),
    ],
)
def test_an_update_that_makes_no_sense_is_an_error_that_names_it(site, group_id, update, named):
    snapshot_id = groups.add_snapshot(site, group_id)
    update = {"id": groups.members(site, snapshot_id)[0]["id"], **update}
    site.driver.answers["create_share_group_snapshot"] = (None, [update])

    operation = create(site, snapshot_id)

    assert (operation["state"], status(site, snapshot_id)) == ("failed", "error")
    assert named in operation["error"]


def test_a_failed_creation_leaves_errors_and_a_message_about_the_group(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)
    site.driver.answers["create_share_group_snapshot"] = exception.ShareBackendException(msg="no")

    assert create(site, snapshot_id)["state"] == "failed"

    assert status(site, snapshot_id) == "error"
    assert statuses(site, snapshot_id) == ["error"] * 2
    assert site.messages(group_id) == [("002", "001")]


def test_the_seeds_default_takes_a_snapshot_of_each_share(site, group_id):
    use_the_seeds_default(site)
    snapshot_id = groups.add_snapshot(site, group_id)
    site.driver.answers["create_snapshot"] = lambda context, snapshot, **rest: {
        "provider_location": f"at/{snapshot['id']}"
    }

    assert create(site, snapshot_id)["state"] == "succeeded"

    members = groups.members(site, snapshot_id)
    assert site.driver.called("create_snapshot") == 2
    assert [m["provider_location"] for m in members] == [f"at/{m['id']}" for m in members]


def test_the_seeds_default_cleans_up_after_a_failure(site, group_id):
    use_the_seeds_default(site)
    snapshot_id = groups.add_snapshot(site, group_id)
    failure = exception.ShareBackendException(msg="full")
    site.driver.answers["create_snapshot"] = Turns([None, failure])

    operation = create(site, snapshot_id)

    assert operation["state"] == "failed"
    assert [name for name, _ in site.driver.calls] == ["create_snapshot"] * 2 + ["delete_snapshot"]
    assert statuses(site, snapshot_id) == ["error"] * 2


def test_a_driver_without_snapshots_refuses(site, group_id):
    use_the_seeds_default(site)
    site.driver._stats["snapshot_support"] = False
    snapshot_id = groups.add_snapshot(site, group_id)

    operation = create(site, snapshot_id)

    assert group_id in operation["error"]
    assert status(site, snapshot_id) == "error"


def test_statistics_are_asked_for_before_the_first_report(site, group_id):
    groups.use(site, RecordingDriver)
    snapshot_id = groups.add_snapshot(site, group_id)

    assert create(site, snapshot_id)["state"] == "succeeded"


def test_operations_on_the_shares_are_waited_for(site, group_id):
    share = groups.add_member(site, group_id, "extending")
    snapshot_id = groups.add_snapshot(site, group_id)

    operation = create(site, snapshot_id)
    assert (operation["state"], site.driver.calls) == ("waiting", [])
    assert operation["progress"] == f"share {share['share_id']} is extending"

    site.force(share, "available")
    site.run(seconds=10)
    assert status(site, snapshot_id) == "available"


def test_a_share_that_never_comes_to_rest_is_not_waited_for_for_ever(site, group_id):
    groups.add_member(site, group_id, "extending")
    snapshot_id = groups.add_snapshot(site, group_id)
    operation = create(site, snapshot_id)

    site.clock.advance(group_snapshots.PATIENCE)
    site.run()

    assert site.operation(operation["uuid"])["state"] == "failed"
    assert status(site, snapshot_id) == "error"


def test_a_share_that_is_gone_is_named(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)
    [member, _] = groups.members(site, snapshot_id)
    with site.database.writer() as connection:
        table = models.share_instances
        gone = table.update().where(table.c.id == member["share_instance_id"])
        connection.execute(gone.values(deleted=member["share_instance_id"]))

    operation = create(site, snapshot_id)

    assert member["share_instance_id"] in operation["error"]
    assert site.driver.calls == []


def test_operations_of_a_group_run_one_after_the_other(site, group_id):
    first, second = (groups.add_snapshot(site, group_id) for _ in range(2))
    groups.add_member(site, group_id, "extending")
    third = groups.add_snapshot(site, group_id)
    for snapshot_id in (third, first, second):
        site.cast("create_share_group_snapshot", share_group_snapshot_id=snapshot_id)

    site.run(seconds=5)

    assert site.driver.calls == []
    assert site.unfinished() == 3


def test_a_snapshot_of_an_empty_group_is_empty(site):
    snapshot_id = groups.add_snapshot(site, groups.add_group(site))

    assert create(site, snapshot_id)["state"] == "succeeded"
    assert status(site, snapshot_id) == "available"


def test_a_creation_in_doubt_is_repeated(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)
    method = "create_share_group_snapshot"

    uuid = site.crash_in(method, method, share_group_snapshot_id=snapshot_id)
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert statuses(site, snapshot_id) == ["available"] * 2


def test_an_operators_retry_makes_it(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)
    site.driver.answers["create_share_group_snapshot"] = exception.ShareBackendException(msg="no")
    operation = create(site, snapshot_id)
    site.driver.answers["create_share_group_snapshot"] = None, None

    site.retry(operation["uuid"])

    assert status(site, snapshot_id) == "available"
    assert statuses(site, snapshot_id) == ["available"] * 2


@pytest.mark.parametrize("state", ["available", "deleting"])
def test_a_snapshot_that_is_not_to_be_made_is_left_alone(site, group_id, state):
    snapshot_id = groups.add_snapshot(site, group_id, state)

    assert state in create(site, snapshot_id)["result"]
    assert site.driver.calls == []


# -- delete ------------------------------------------------------------------------------------


def begin_deletion(site, snapshot_id):
    """What the API does: it leaves the members as they are."""
    with site.database.writer() as connection:
        table = models.share_group_snapshots
        connection.execute(
            table.update().where(table.c.id == snapshot_id).values(status="deleting")
        )


def test_a_deleted_group_snapshot_is_gone_with_its_members(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "available")
    begin_deletion(site, snapshot_id)

    assert delete(site, snapshot_id)["state"] == "succeeded"

    assert groups.snapshot_row(site, snapshot_id)["deleted"] == snapshot_id
    members = groups.members(site, snapshot_id)
    assert [(m["deleted"], m["status"]) for m in members] == [(m["id"], "deleted") for m in members]
    given = site.driver.argument("delete_share_group_snapshot", "snap_dict")
    assert len(given["share_group_snapshot_members"]) == 2
    assert "already deleted" in delete(site, snapshot_id)["result"]


def test_a_failed_deletion_leaves_errors_from_which_it_can_be_deleted_again(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "available")
    begin_deletion(site, snapshot_id)
    site.driver.answers["delete_share_group_snapshot"] = exception.ShareSnapshotIsBusy(
        snapshot_name="s"
    )

    assert delete(site, snapshot_id)["state"] == "failed"
    assert status(site, snapshot_id) == "error"
    assert statuses(site, snapshot_id) == ["error_deleting"] * 2
    assert site.messages(group_id) == [("007", "001")]

    site.driver.answers["delete_share_group_snapshot"] = None, None
    assert delete(site, snapshot_id)["state"] == "succeeded"


def test_a_group_snapshot_that_the_storage_does_not_have_is_deleted(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "deleting")
    site.driver.answers["delete_share_group_snapshot"] = exception.SnapshotResourceNotFound(
        name="s"
    )

    assert delete(site, snapshot_id)["state"] == "succeeded"


def test_the_seeds_default_deletes_each_and_goes_on_where_one_is_gone(site, group_id):
    use_the_seeds_default(site)
    snapshot_id = groups.add_snapshot(site, group_id, "deleting")
    gone = exception.ShareSnapshotResourceNotFound(snapshot_id="s")
    site.driver.answers["delete_snapshot"] = Turns([gone, None])

    assert delete(site, snapshot_id)["state"] == "succeeded"
    assert site.driver.called("delete_snapshot") == 2


def test_a_member_whose_share_is_gone_goes_without_the_driver(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "deleting")
    [member, _] = groups.members(site, snapshot_id)
    with site.database.writer() as connection:
        table = models.share_instances
        gone = table.update().where(table.c.id == member["share_instance_id"])
        connection.execute(gone.values(deleted=member["share_instance_id"]))

    assert delete(site, snapshot_id)["state"] == "succeeded"

    given = site.driver.argument("delete_share_group_snapshot", "snap_dict")
    assert member["id"] not in [m["id"] for m in given["share_group_snapshot_members"]]
    assert statuses(site, snapshot_id) == ["deleted"] * 2


def test_a_deletion_in_doubt_is_repeated(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id, "deleting")
    method = "delete_share_group_snapshot"

    uuid = site.crash_in(method, method, share_group_snapshot_id=snapshot_id)
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert statuses(site, snapshot_id) == ["deleted"] * 2


# -- what it costs -----------------------------------------------------------------------------


def cost(site, method, **arguments):
    uuid = site.cast(method, **arguments)
    with count_statements(site.database) as sent:
        site.run()
    assert site.operation(uuid)["state"] == "succeeded"
    return len(sent)


def test_group_snapshots_keep_to_their_number_of_statements(site, group_id):
    snapshot_id = groups.add_snapshot(site, group_id)
    ours = {"share_group_snapshot_id": snapshot_id}

    assert 5 < cost(site, "create_share_group_snapshot", **ours) <= 23
    begin_deletion(site, snapshot_id)
    assert 5 < cost(site, "delete_share_group_snapshot", **ours) <= 26
