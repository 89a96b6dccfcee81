# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.support.replicas import ReplicatingDriver


@pytest.fixture
def chosen(site, active):
    return site.add_replica(active, "replication_change")


def promote(site, replica, **arguments):
    return site.on("promote_share_replica", replica, **arguments)


def read_only(site, replica):
    return bool(site.instance(replica)["cast_rules_to_readonly"])


def test_the_two_change_places_where_the_driver_says_nothing(site, active, chosen):
    assert promote(site, chosen)["state"] == "succeeded"
    assert site.state(chosen) == ("available", "active")
    assert site.state(active) == ("available", "out_of_sync")
    assert (read_only(site, chosen), read_only(site, active)) == (False, True)


def test_what_the_driver_says_of_the_replicas_counts(site, active, chosen):
    site.driver.answers["promote_replica"] = [
        {"id": chosen["instance_id"], "replica_state": "active", "access_rules_status": "error",
         "export_locations": ["10.0.0.9:/new"]},
        {"id": active["instance_id"], "replica_state": "in_sync"},
    ]  # fmt: skip
    promote(site, chosen)
    assert site.state(chosen) == ("available", "active")
    assert site.state(active) == ("available", "in_sync")
    assert site.exports(chosen) == ["10.0.0.9:/new"]
    assert site.instance(chosen)["access_rules_status"] == "error"


def test_only_replicas_of_readable_shares_become_read_only(site, active, chosen):
    site.set_type(active, "dr")
    promote(site, chosen)
    assert read_only(site, active) is False


def test_a_promotion_that_fails_puts_all_replicas_into_error(site, active, chosen):
    third = site.add_replica(active)
    site.driver.answers["promote_replica"] = RuntimeError("broken")
    assert promote(site, chosen)["state"] == "failed"
    assert site.state(active) == ("error", "active")
    assert site.state(chosen) == ("error", "in_sync")
    assert site.state(third) == ("error", "in_sync")
    assert site.messages(third["instance_id"]) == [("004", "001")]


@pytest.mark.parametrize("answer", ["text", [{"id": "stranger"}], [7], {"id": "x"}])
def test_an_answer_that_is_none_fails(site, active, chosen, answer):
    site.driver.answers["promote_replica"] = answer
    assert "could not be acted on" in promote(site, chosen)["error"]
    assert site.state(chosen) == ("error", "in_sync")


def test_without_an_active_replica_the_driver_is_not_asked(site, active, chosen):
    site.set_state(active, "out_of_sync")
    assert "no replica whose replica_state is 'active'" in promote(site, chosen)["error"]
    assert site.state(chosen) == ("error", "in_sync")
    assert site.state(active) == ("available", "out_of_sync")
    assert site.messages(chosen["instance_id"]) == [("004", "006")]


def test_a_failed_promotion_can_be_tried_again(site, active, chosen):
    site.driver.answers["promote_replica"] = RuntimeError("broken")
    uuid = promote(site, chosen)["uuid"]
    site.driver.answers["promote_replica"] = None
    site.retry(uuid)
    assert site.state(chosen) == ("available", "active")


def test_the_active_replica_is_not_promoted(site, active):
    site.force(active, "replication_change")
    assert "active one" in promote(site, active)["result"]
    assert site.state(active) == ("available", "active")


def test_snapshots_under_way_on_the_old_active_replica_are_in_error(site, active, chosen):
    made = site.add_snapshot(active, "creating")
    kept = site.add_snapshot(active, "available")
    promote(site, chosen)
    assert site.snapshot_instance(made)["status"] == "error"
    assert site.snapshot_instance(kept)["status"] == "available"


def test_the_time_to_wait_is_for_drivers_that_know_of_it(site, chosen, monkeypatch):
    given = []

    def promote_replica(self, *args, share_server=None, quiesce_wait_time=None):
        given.append(quiesce_wait_time)

    monkeypatch.setattr(ReplicatingDriver, "promote_replica", promote_replica)
    assert promote(site, chosen, quiesce_wait_time=30)["state"] == "succeeded"
    assert given == [30]


def test_a_driver_of_the_interface_is_not_told_the_time_to_wait(site, chosen, monkeypatch):
    given = []

    def promote_replica(self, context, replica_list, replica, access_rules, share_server=None):
        given.append(replica["id"])

    monkeypatch.setattr(ReplicatingDriver, "promote_replica", promote_replica)
    assert promote(site, chosen, quiesce_wait_time=30)["state"] == "succeeded"
    assert given == [chosen["instance_id"]]


def test_a_crash_in_the_driver_ends_with_one_active_replica(site, active, chosen):
    uuid = site.crash_in(
        "promote_share_replica", "promote_replica", share_replica_id=chosen["instance_id"],
        share_id=chosen["share_id"],
    )  # fmt: skip
    site.run(1)
    assert site.operation(uuid)["state"] == "succeeded"
    assert (site.state(chosen)[1], site.state(active)[1]) == ("active", "out_of_sync")


def test_a_turn_that_was_taken_away_is_waited_for_again(site, chosen):
    holder = site.elsewhere(chosen)
    uuid = promote(site, chosen)["uuid"]
    site.finish(holder)

    def die(*args, **kwargs):
        raise site.Crash()

    site.driver.answers["promote_replica"] = die
    with pytest.raises(site.Crash):
        site.run(3)
    site.take_over()
    holder = site.take_turn_away(chosen)
    site.driver.answers["promote_replica"] = None
    site.run()
    assert site.operation(uuid)["state"] == "waiting"
    site.finish(holder)
    site.run(15)
    assert site.operation(uuid)["state"] == "succeeded"
