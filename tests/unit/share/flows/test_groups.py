# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support import groups
from tests.support.shares import HOST, PROJECT, Turns
from tests.support.statements import count_statements


@pytest.fixture(autouse=True)
def driver(site):
    groups.use(site, groups.GroupDriver)
    return site.driver


def create(site, group_id, seconds=0):
    return site.do("create_share_group", seconds=seconds, share_group_id=group_id)


def delete(site, group_id):
    return site.do("delete_share_group", share_group_id=group_id)


def status(site, group_id):
    return groups.group_row(site, group_id)["status"]


@pytest.fixture
def source(site):
    """A group snapshot of two shares."""
    group_id = groups.add_group(site)
    for _ in range(2):
        groups.add_member(site, group_id)
    return groups.add_snapshot(site, group_id, "available")


FROM_SNAPSHOT = "create_share_group_from_share_group_snapshot"


# -- create ------------------------------------------------------------------------------------


def test_a_new_group_becomes_available_with_what_the_back_end_says_of_itself(site):
    group_id = groups.add_group(site, "creating")
    site.driver._stats = {"share_group_stats": {"consistent_snapshot_support": "pool"}}

    operation = create(site, group_id)

    row = groups.group_row(site, group_id)
    assert (operation["state"], row["status"]) == ("succeeded", "available")
    assert row["consistent_snapshot_support"] == "pool"
    assert row["availability_zone_id"] == site.environment.zone_id()
    assert operation["lane"] == f"share_group:{group_id}"


def test_the_driver_gets_the_group_as_manila_gives_it(site):
    group_id = groups.add_group(site, "creating", name="db", share_type_ids=["type"])

    create(site, group_id)

    given = site.driver.argument("create_share_group", "share_group_dict")
    assert (given["id"], given["host"], given["name"]) == (group_id, HOST, "db")
    assert [mapping["share_type_id"] for mapping in given["share_types"]] == ["type"]
    assert (given["shares"], given["status"], given["project_id"]) == ([], "creating", PROJECT)
    assert site.driver.argument("create_share_group", "share_server") is None


def test_the_update_of_the_group_is_kept_and_unknown_keys_are_not(site):
    group_id = groups.add_group(site, "creating")
    site.driver.answers["create_share_group"] = {
        "name": "named by the storage", "consistent_snapshot_support": "host", "host": "elsewhere",
        "colour": "blue", "project_id": "thief",
    }  # fmt: skip

    create(site, group_id)

    row = groups.group_row(site, group_id)
    assert (row["name"], row["consistent_snapshot_support"]) == ("named by the storage", "host")
    assert (row["host"], row["project_id"]) == (f"{HOST}#pool", PROJECT)


def test_a_driver_may_say_that_the_group_is_in_error(site):
    group_id = groups.add_group(site, "creating")
    site.driver.answers["create_share_group"] = {"status": "error"}

    assert create(site, group_id)["state"] == "succeeded"
    assert status(site, group_id) == "error"


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ({"status": "deleting"}, "status 'deleting'"),
        ({"consistent_snapshot_support": "galaxy"}, "consistent_snapshot_support is 'galaxy'"),
        ({"name": "n" * 256}, "name has more than 255"),
        ("done", "returned 'done'"),
        ((None, 3), "returned 3 as updates of its members"),
        ((3, None), "returned 3 as its update"),
        ((None, ["x"]), "returned 'x' as update of a member"),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error_that_names_it(site, answer, named):
    group_id = groups.add_group(site, "creating")
    site.driver.answers["create_share_group"] = answer

    operation = create(site, group_id)

    assert (operation["state"], status(site, group_id)) == ("failed", "error")
    assert named in operation["error"]


def test_a_failed_creation_leaves_an_error_and_a_message(site):
    group_id = groups.add_group(site, "creating")
    site.driver._stats = {"share_group_stats": {"consistent_snapshot_support": "pool"}}
    site.driver.answers["create_share_group"] = exception.ShareBackendException(msg="no")

    assert create(site, group_id)["state"] == "failed"

    row = groups.group_row(site, group_id)
    assert (row["status"], row["consistent_snapshot_support"]) == ("error", "pool")
    assert site.messages(group_id) == [("002", "001")]


def test_a_back_end_that_is_busy_is_asked_again(site):
    group_id = groups.add_group(site, "creating")
    site.driver.answers["create_share_group"] = Turns([exception.BackendBusy(reason="x"), None])

    assert create(site, group_id, seconds=60)["state"] == "succeeded"
    assert site.driver.called("create_share_group") == 2


def test_an_operators_retry_makes_it(site):
    group_id = groups.add_group(site, "creating")
    site.driver.answers["create_share_group"] = exception.ShareBackendException(msg="no")
    operation = create(site, group_id)
    site.driver.answers["create_share_group"] = None

    site.retry(operation["uuid"])

    assert status(site, group_id) == "available"


@pytest.mark.parametrize("state", ["available", "deleting"])
def test_a_group_that_is_not_to_be_made_is_left_alone(site, state):
    group_id = groups.add_group(site, state)

    assert state in create(site, group_id)["result"]
    assert site.driver.calls == []


def test_a_group_of_a_share_network_is_refused_without_share_servers(site):
    group_id = groups.add_group(site, "creating", columns={"share_network_id": "net"})

    operation = create(site, group_id)

    assert (operation["state"], status(site, group_id)) == ("failed", "error")
    assert "driver_handles_share_servers" in operation["error"]
    assert site.messages(group_id) == [("002", "003")]
    assert site.driver.calls == []


def test_a_creation_in_doubt_is_repeated(site):
    group_id = groups.add_group(site, "creating")

    uuid = site.crash_in("create_share_group", "create_share_group", share_group_id=group_id)
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert status(site, group_id) == "available"


# -- create from a group snapshot --------------------------------------------------------------


def made(site, group_id, **more):
    return [
        {"id": share["id"], "export_locations": [{"path": f"/{share['id']}"}], **more}
        for share in groups.shares(site, group_id)
    ]


def test_a_group_from_a_snapshot_brings_its_shares(site, source):
    group_id = groups.add_copy(site, source)
    site.driver.answers[FROM_SNAPSHOT] = ({"description": "copy"}, made(site, group_id))

    assert create(site, group_id)["state"] == "succeeded"

    shares = groups.shares(site, group_id)
    assert [share["status"] for share in shares] == ["available"] * 2
    assert [share["progress"] for share in shares] == ["100%"] * 2
    assert all(share["launched_at"] is not None for share in shares)
    assert [s["export_location"] for s in shares] == [f"/{s['id']}" for s in shares]
    assert groups.group_row(site, group_id)["description"] == "copy"
    assert status(site, group_id) == "available"


def test_the_driver_gets_shares_and_the_members_that_they_are_made_from(site, source):
    group_id = groups.add_copy(site, source)

    create(site, group_id)

    group = site.driver.argument(FROM_SNAPSHOT, "share_group_dict")
    snapshot = site.driver.argument(FROM_SNAPSHOT, "share_group_snapshot_dict")
    members = {member["id"]: member for member in snapshot["share_group_snapshot_members"]}
    wanted = [share["source_share_group_snapshot_member_id"] for share in group["shares"]]
    assert sorted(wanted) == sorted(members)
    for share in group["shares"]:
        assert share["share_group_id"] == group_id
        assert share["name"] == f"share-{share['id']}"
    for member in members.values():
        assert member["share"]["id"] == member["share_instance_id"] == member["share_id"]
        assert member["name"] == f"share-snapshot-{member['id']}"
        assert (member["size"], member["share_proto"]) == (5, "NFS")


def test_the_seeds_default_makes_each_share_from_its_member(site, source):
    groups.use(site, type(site.driver).__mro__[1])
    group_id = groups.add_copy(site, source)
    pairs = []

    def from_snapshot(context, share, snapshot):
        pairs.append((share["source_share_group_snapshot_member_id"], snapshot["id"]))
        return [f"/{share['id']}"]

    site.driver.answers["create_share_from_snapshot"] = from_snapshot

    assert create(site, group_id)["state"] == "succeeded"

    assert len(pairs) == 2
    assert all(wanted == given for wanted, given in pairs)
    shares = groups.shares(site, group_id)
    assert [s["export_location"] for s in shares] == [f"/{s['id']}" for s in shares]


@pytest.mark.parametrize("form", ["the seed's default", "update"])
def test_shares_that_are_copied_in_the_background_are_waited_for(site, source, form):
    group_id = groups.add_copy(site, source)
    updates = made(site, group_id, status="creating_from_snapshot")
    if form != "update":
        updates = [
            {"id": update["id"], "export_locations": {"status": "creating_from_snapshot"}}
            for update in updates
        ]
    site.driver.answers[FROM_SNAPSHOT] = (None, updates)
    site.driver.answers["get_share_status"] = {"status": "creating_from_snapshot"}

    operation = create(site, group_id)
    assert operation["state"] == "waiting"
    assert status(site, group_id) == "creating"
    assert "creating_from_snapshot" in [s["status"] for s in groups.shares(site, group_id)]

    site.driver.answers["get_share_status"] = {
        "status": "available", "export_locations": [{"path": "/copy"}],
    }  # fmt: skip
    site.run(seconds=5)

    shares = groups.shares(site, group_id)
    assert [(s["status"], s["export_location"]) for s in shares] == [("available", "/copy")] * 2
    assert status(site, group_id) == "available"
    assert site.driver.called(FROM_SNAPSHOT) == 1


def test_a_copy_that_fails_fails_the_group_and_its_shares(site, source):
    group_id = groups.add_copy(site, source)
    site.driver.answers[FROM_SNAPSHOT] = (
        None, made(site, group_id, status="creating_from_snapshot"),
    )  # fmt: skip
    site.driver.answers["get_share_status"] = {"status": "error"}

    operation = create(site, group_id)

    assert (operation["state"], status(site, group_id)) == ("failed", "error")
    assert [s["status"] for s in groups.shares(site, group_id)] == ["error"] * 2


def test_a_failed_creation_puts_its_shares_into_error_with_messages(site, source):
    group_id = groups.add_copy(site, source)
    site.driver.answers[FROM_SNAPSHOT] = exception.InvalidShareGroup(reason="no")

    assert create(site, group_id)["state"] == "failed"

    shares = groups.shares(site, group_id)
    assert status(site, group_id) == "error"
    assert [share["status"] for share in shares] == ["error"] * 2
    assert site.messages(group_id) == [("002", "001")]
    assert [site.messages(s["share_id"]) for s in shares] == [[("002", "017")]] * 2


def test_a_retry_takes_its_shares_up_again(site, source):
    group_id = groups.add_copy(site, source)
    site.driver.answers[FROM_SNAPSHOT] = exception.InvalidShareGroup(reason="no")
    operation = create(site, group_id)
    site.driver.answers[FROM_SNAPSHOT] = (None, made(site, group_id))

    site.retry(operation["uuid"])

    assert status(site, group_id) == "available"
    assert [share["status"] for share in groups.shares(site, group_id)] == ["available"] * 2


def test_an_update_of_a_strange_share_is_refused(site, source):
    group_id = groups.add_copy(site, source)
    site.driver.answers[FROM_SNAPSHOT] = (None, [{"id": "stranger", "export_locations": []}])

    operation = create(site, group_id)

    assert (operation["state"], status(site, group_id)) == ("failed", "error")
    assert "'stranger'" in operation["error"]


@pytest.mark.parametrize("state", ["creating", "deleting", "error"])
def test_a_snapshot_that_is_not_available_is_no_source(site, source, state):
    group_id = groups.add_copy(site, source)
    with site.database.writer() as connection:
        connection.execute(models.share_group_snapshots.update().values(status=state))

    operation = create(site, group_id)

    assert (operation["state"], status(site, group_id)) == ("failed", "error")
    assert f"is {state}" in operation["error"]
    assert site.driver.calls == []


def test_a_creation_in_doubt_whose_shares_are_all_there_is_not_repeated(site, source):
    group_id = groups.add_copy(site, source)
    uuid = site.crash_in("create_share_group", FROM_SNAPSHOT, share_group_id=group_id)
    site.driver.answers["ensure_share"] = lambda context, share, **rest: [f"/{share['id']}"]
    calls = site.driver.called(FROM_SNAPSHOT)

    site.run()

    shares = groups.shares(site, group_id)
    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.called(FROM_SNAPSHOT) == calls
    assert [s["export_location"] for s in shares] == [f"/{s['id']}" for s in shares]


def test_a_creation_in_doubt_of_which_a_share_is_missing_is_repeated(site, source):
    group_id = groups.add_copy(site, source)
    uuid = site.crash_in("create_share_group", FROM_SNAPSHOT, share_group_id=group_id)
    site.driver.answers["ensure_share"] = Turns(
        [["/first"], exception.ShareResourceNotFound(share_id="x")]
    )
    site.driver.answers[FROM_SNAPSHOT] = (None, made(site, group_id))

    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert [share["status"] for share in groups.shares(site, group_id)] == ["available"] * 2


def test_a_share_that_was_taken_away_meanwhile_stays_away(site, source):
    group_id = groups.add_copy(site, source)
    updates = made(site, group_id)
    taken = updates[0]["id"]

    def and_meanwhile(*args, **kwargs):
        with site.database.writer() as connection:
            table = models.share_instances
            connection.execute(table.update().where(table.c.id == taken).values(status="deleting"))
        return None, updates

    site.driver.answers[FROM_SNAPSHOT] = and_meanwhile

    assert create(site, group_id)["state"] == "succeeded"
    assert site.rows(models.share_instances, id=taken)[0]["status"] == "deleting"


# -- delete ------------------------------------------------------------------------------------


def test_a_deleted_group_is_gone_with_what_hangs_on_it(site):
    group_id = groups.add_group(site, "deleting", share_type_ids=["type"])
    before = site.rows(models.quota_usages, resource="share_groups")[0]["in_use"]

    assert delete(site, group_id)["state"] == "succeeded"

    row = groups.group_row(site, group_id)
    assert (row["deleted"], row["status"]) == (group_id, "deleted")
    mapping = site.rows(models.share_group_share_type_mappings)[0]
    assert mapping["deleted"] == mapping["id"]
    # As in Manila, the usage is the API's.
    assert site.rows(models.quota_usages, resource="share_groups")[0]["in_use"] == before == 1


def test_a_failed_deletion_leaves_an_error_from_which_it_can_be_deleted_again(site):
    group_id = groups.add_group(site, "deleting")
    site.driver.answers["delete_share_group"] = Turns([exception.ShareBackendException(msg="no")])

    assert delete(site, group_id)["state"] == "failed"
    assert status(site, group_id) == "error"
    assert site.messages(group_id) == [("007", "001")]

    site.driver.answers["delete_share_group"] = None
    assert delete(site, group_id)["state"] == "succeeded"
    assert status(site, group_id) == "deleted"


def test_a_group_with_shares_or_snapshots_is_not_deleted(site, source):
    group_id = groups.snapshot_row(site, source)["share_group_id"]

    operation = delete(site, group_id)

    assert (operation["state"], site.driver.calls) == ("failed", [])
    assert "2 shares" in operation["error"]


def test_a_group_with_snapshots_is_not_deleted(site):
    group_id = groups.add_group(site)
    groups.add_snapshot(site, group_id, "available")

    operation = delete(site, group_id)

    assert "1 snapshots" in operation["error"]
    assert site.driver.calls == []


def test_a_group_that_is_deleted_needs_nothing(site):
    group_id = groups.add_group(site, "deleting")
    delete(site, group_id)

    assert "already deleted" in delete(site, group_id)["result"]
    assert site.driver.called("delete_share_group") == 1


def test_a_share_in_a_group_is_made_with_the_group_in_it(site):
    group_id = groups.add_group(site)
    share = groups.add_member(site, group_id, "creating")

    site.do(
        "create_share_instance", share_instance_id=share["instance_id"],
        request_spec={"share_id": share["share_id"]}, filter_properties={},
    )  # fmt: skip

    assert site.driver.argument("create_share", "share")["share_group_id"] == group_id


# -- what it costs -----------------------------------------------------------------------------


def cost(site, method, **arguments):
    uuid = site.cast(method, **arguments)
    with count_statements(site.database) as sent:
        site.run()
    assert site.operation(uuid)["state"] == "succeeded"
    return len(sent)


def test_groups_keep_to_their_number_of_statements(site, source):
    site.environment.zone_id()
    empty = groups.add_group(site, "creating")
    copy = groups.add_copy(site, source)
    site.driver.answers[FROM_SNAPSHOT] = (None, made(site, copy))

    assert 5 < cost(site, "create_share_group", share_group_id=empty) <= 16
    # Two shares, each with an export location of its own.
    assert 5 < cost(site, "create_share_group", share_group_id=copy) <= 30
    assert 5 < cost(site, "delete_share_group", share_group_id=empty) <= 21
