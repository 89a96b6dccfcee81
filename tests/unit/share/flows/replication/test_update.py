# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.share import flows

GRACE = 61


def poll(site):
    count = flows.update_replicas(site.environment, site.worker.journal)
    site.run()
    return count


def resync(site, replica):
    return site.on("update_share_replica", replica)


@pytest.mark.parametrize("told", ["in_sync", "out_of_sync", "error"])
def test_the_state_is_what_the_driver_says(site, replica, told):
    site.driver.answers["update_replica_state"] = told
    assert resync(site, replica)["state"] == "succeeded"
    assert site.state(replica) == ("available", told)


@pytest.mark.parametrize("told", [None, "splendid", "active"])
def test_anything_else_leaves_the_state(site, active, told):
    replica = site.add_replica(active, replica_state="out_of_sync")
    site.driver.answers["update_replica_state"] = told
    resync(site, replica)
    assert site.state(replica) == ("available", "out_of_sync")


def test_an_error_puts_replica_and_state_into_error(site, replica):
    site.driver.answers["update_replica_state"] = RuntimeError("broken")
    assert resync(site, replica)["state"] == "failed"
    assert site.state(replica) == ("error", "error")
    assert site.messages(replica["instance_id"]) == [("005", "001")]


def test_the_status_of_a_replica_in_error_is_the_administrators(site, active):
    replica = site.add_replica(active, "error", "error")
    resync(site, replica)
    assert site.state(replica) == ("error", "in_sync")


def test_the_active_replica_is_not_asked_about(site, active):
    assert "is active" in resync(site, active)["result"]
    assert site.driver.called("update_replica_state") == 0


def test_the_timer_asks_about_the_replicas_of_this_back_end_that_are_not_active(site, active):
    here = site.add_replica(active)
    site.add_replica(active, host="elsewhere@backend#pool")
    site.add_replica(active, "creating", "out_of_sync")
    site.add_replica(active, "error_deleting", "error_deleting")
    assert poll(site) == 1
    assert site.driver.calls == [("update_replica_state", here["instance_id"])]


def test_a_failure_of_the_timer_is_no_failed_operation_and_told_once(site, replica):
    site.driver.answers["update_replica_state"] = RuntimeError("broken")
    poll(site)
    site.clock.advance(300)
    poll(site)
    assert {row["state"] for row in site.operations()} == {"succeeded"}
    assert site.state(replica) == ("error", "error")
    assert len(site.messages(replica["instance_id"])) == 1


def test_questions_do_not_pile_up(site, replica):
    site.elsewhere(replica)
    site.cast(
        "promote_share_replica", share_replica_id=replica["instance_id"],
        share_id=replica["share_id"],
    )  # fmt: skip
    site.run()
    assert poll(site) == 0


# -- reconcile ---------------------------------------------------------------------------------


def reconcile(site):
    site.clock.advance(GRACE)
    found = flows.reconcile(site.environment, site.worker.journal)
    site.run()
    return found


def test_an_abandoned_creation_goes_into_error(site, active):
    replica = site.add_replica(active, "creating", "out_of_sync")
    assert reconcile(site) == 1
    assert site.state(replica) == ("error", "error")


def test_an_abandoned_deletion_is_carried_out(site, active):
    replica = site.add_replica(active, "deleting")
    assert reconcile(site) == 1
    assert site.driver.called("delete_replica") == 1
    assert site.instance(replica)["deleted"] == replica["instance_id"]


def test_an_abandoned_promotion_goes_into_error_and_touches_nothing(site, active):
    replica = site.add_replica(active, "replication_change")
    reconcile(site)
    assert site.state(replica) == ("error", "in_sync")
    assert site.state(active) == ("available", "active")
    assert site.driver.calls == []


def test_a_promotion_that_the_rows_show_is_at_its_end(site, active):
    replica = site.add_replica(active, "replication_change", "active")
    reconcile(site)
    assert site.state(replica) == ("available", "active")


def test_snapshots_on_replicas_are_no_snapshots_of_their_own(site, active, replica):
    snapshot = site.add_snapshot(active, "available")
    copy = site.add_snapshot_instance(snapshot, replica, "creating")
    assert reconcile(site) == 0
    assert site.snapshot_instance(copy)["status"] == "creating"


# -- the first replica -------------------------------------------------------------------------


def test_a_new_share_that_can_have_replicas_is_its_active_one(site):
    share = site.add_share()
    site.set_type(share, "dr")
    site.do(
        "create_share_instance", share_instance_id=share["instance_id"], filter_properties={},
        request_spec={"share_id": share["share_id"]},
    )  # fmt: skip
    assert site.state(share) == ("available", "active")
