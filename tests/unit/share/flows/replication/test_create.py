# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.db import models

ERROR = ("error", "error")


@pytest.fixture
def new(site, active):
    return site.add_replica(active, "creating", "out_of_sync")


def create(site, replica, **options):
    return site.on(
        "create_share_replica", replica, request_spec={}, filter_properties={}, **options
    )


def rules_of(site, replica):
    table = models.share_instance_access_map
    found = site.rows(table, share_instance_id=replica["instance_id"], deleted="False")
    return {row["access_id"]: row["state"] for row in found}


def test_a_replica_gets_what_the_driver_says_of_it(site, new):
    site.driver.answers["create_replica"] = {
        "export_locations": ["10.0.0.9:/copy"], "replica_state": "in_sync",
        "access_rules_status": "in_sync",
    }  # fmt: skip
    assert create(site, new)["state"] == "succeeded"
    assert site.state(new) == ("available", "in_sync")
    assert site.exports(new) == ["10.0.0.9:/copy"]
    assert site.instance(new)["progress"] == "100%"


@pytest.mark.parametrize("answer", [None, {}])
def test_a_replica_of_which_the_driver_says_nothing_is_out_of_sync(site, new, answer):
    site.driver.answers["create_replica"] = answer
    create(site, new)
    assert site.state(new) == ("available", "out_of_sync")


def test_the_driver_gets_all_replicas_and_which_is_active(site, active, new):
    create(site, new)
    given = site.driver.argument("create_replica", "replica_list")
    assert {one["id"]: one["replica_state"] for one in given} == {
        active["instance_id"]: "active", new["instance_id"]: "out_of_sync",
    }  # fmt: skip


def test_a_new_replica_obeys_the_rules_of_its_share(site, active, new):
    rule = site.add_rule(active)
    create(site, new)
    given = site.driver.argument("create_replica", "access_rules")
    assert [one["access_to"] for one in given] == ["10.0.0.2"]
    assert rules_of(site, new) == {rule: "active"}
    assert site.instance(new)["access_rules_status"] == "active"


def test_rules_that_the_driver_could_not_apply_are_in_error(site, active, new):
    rule = site.add_rule(active)
    site.driver.answers["create_replica"] = {"access_rules_status": "error"}
    create(site, new)
    assert rules_of(site, new) == {rule: "error"}
    assert site.instance(new)["access_rules_status"] == "error"
    assert site.state(new)[0] == "available"


@pytest.mark.parametrize(
    "answer", [RuntimeError("broken"), "no dict", {"replica_state": "splendid"}]
)
def test_a_creation_that_fails_is_error_in_all_three(site, active, new, answer):
    rule = site.add_rule(active)
    site.driver.answers["create_replica"] = answer
    assert create(site, new)["state"] == "failed"
    assert site.state(new) == ERROR
    assert rules_of(site, new) == {rule: "error"}
    assert site.instance(new)["access_rules_status"] == "error"
    assert site.messages(new["instance_id"]) == [("002", "001")]
    assert site.state(active) == ("available", "active")


@pytest.mark.parametrize("change", [{"status": "error"}, {"replica_state": "out_of_sync"}])
def test_without_an_active_replica_that_is_available_there_is_nothing_to_copy(
    site, active, new, change
):
    table = models.share_instances
    with site.database.writer() as connection:
        connection.execute(
            table.update().where(table.c.id == active["instance_id"]).values(**change)
        )
    done = create(site, new)
    assert "no replica whose replica_state is 'active'" in done["error"]
    assert site.state(new) == ERROR
    assert site.messages(new["instance_id"]) == [("002", "005")]
    assert site.driver.called("create_replica") == 0


def test_a_retry_of_a_failed_creation_makes_the_replica(site, active, new):
    site.add_rule(active)
    site.driver.answers["create_replica"] = RuntimeError("broken")
    uuid = create(site, new)["uuid"]
    site.driver.answers["create_replica"] = {"replica_state": "in_sync"}
    site.retry(uuid)
    assert site.state(new) == ("available", "in_sync")
    assert site.instance(new)["access_rules_status"] == "active"


@pytest.mark.parametrize("states", [
    (["available", "available"], True), (["available", "creating"], False),
    (["error", "available"], False),
])  # fmt: skip
def test_the_driver_gets_snapshots_whose_aggregate_status_is_available(site, active, new, states):
    (first, second), there = states
    other = site.add_replica(active)
    snapshot = site.add_snapshot(active, first)
    site.add_snapshot_instance(snapshot, other, second)
    site.add_snapshot_instance(snapshot, new, "creating")
    create(site, new)
    pairs = site.driver.argument("create_replica", "replica_snapshots")
    on = [
        (one["active_replica_snapshot"]["share_instance_id"],
         one["share_replica_snapshot"]["share_instance_id"]) for one in pairs
    ]  # fmt: skip
    assert on == ([(active["instance_id"], new["instance_id"])] if there else [])


def test_a_replica_that_is_there_is_not_made_again(site, replica):
    assert "available" in create(site, replica)["result"]
    assert site.driver.called("create_replica") == 0


@pytest.mark.parametrize("alive", [True, False])
def test_only_one_back_end_changes_the_set_at_a_time(site, new, alive):
    holder = site.elsewhere(new, alive)
    uuid = create(site, new)["uuid"]
    if alive:
        assert site.driver.called("create_replica") == 0
        assert site.operation(uuid)["state"] == "waiting"
        site.finish(holder)
        site.run(3)
    assert site.operation(uuid)["state"] == "succeeded"
    assert site.state(new) == ("available", "in_sync")


def test_a_crash_in_the_driver_ends_with_a_replica(site, active, new):
    site.add_rule(active)
    uuid = site.crash_in(
        "create_share_replica", "create_replica", share_replica_id=new["instance_id"],
        share_id=new["share_id"], request_spec={}, filter_properties={},
    )  # fmt: skip
    site.run(1)
    assert site.operation(uuid)["state"] == "succeeded"
    assert site.state(new) == ("available", "in_sync")
    assert list(rules_of(site, new).values()) == ["active"]
