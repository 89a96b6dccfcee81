# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a share with replicas; here the active replica is on this back end."""

import pytest

from manila_lite import exception
from manila_lite.db import models, quotas
from manila_lite.share import flows

HERE = "host@backend#pool"
GRACE = 61


@pytest.fixture
def active(site):
    return site.add_active(HERE)


@pytest.fixture
def passive(site, active):
    return site.add_replica(active, host="elsewhere@backend#pool")


def both(site, active, passive, status):
    first = site.add_snapshot(active, status)
    return first, site.add_snapshot_instance(first, passive, status)


@pytest.fixture
def creating(site, active, passive):
    return both(site, active, passive, "creating")


@pytest.fixture
def deleting(site, active, passive):
    return both(site, active, passive, "deleting")


def ask(site, method, active, snapshot, **arguments):
    return site.do(
        method, share_id=active["share_id"], snapshot_id=snapshot["snapshot_id"], **arguments
    )


def create(site, active, pair):
    return ask(site, "create_replicated_snapshot", active, pair[0])


def delete(site, active, pair, **arguments):
    return ask(site, "delete_replicated_snapshot", active, pair[0], **arguments)


def statuses(site, pair):
    return [site.snapshot_instance(one)["status"] for one in pair]


def told(pair, *statuses, **more):
    return [
        {"id": one["instance_id"], "status": status, **more}
        for one, status in zip(pair, statuses, strict=False)
    ]


# -- create ------------------------------------------------------------------------------------


def test_what_the_driver_confirms_is_available_and_the_rest_still_creating(site, active, creating):
    site.driver.answers["create_replicated_snapshot"] = told(
        creating, "available", "creating", provider_location="/there"
    )
    assert create(site, active, creating)["state"] == "succeeded"
    assert statuses(site, creating) == ["available", "creating"]
    first = site.snapshot_instance(creating[0])
    assert (first["progress"], first["provider_location"]) == ("100%", "/there")


def test_the_driver_gets_all_replicas_and_all_instances(site, active, creating):
    create(site, active, creating)
    given = site.driver.argument("create_replicated_snapshot", "replica_snapshots")
    assert {one["id"] for one in given} == {one["instance_id"] for one in creating}
    assert len(site.driver.argument("create_replicated_snapshot", "replica_list")) == 2


@pytest.mark.parametrize("answer", [RuntimeError("broken"), "text", [{"id": "stranger"}], [7]])
def test_a_creation_that_fails_puts_all_instances_into_error(site, active, creating, answer):
    site.driver.answers["create_replicated_snapshot"] = answer
    assert create(site, active, creating)["state"] == "failed"
    assert statuses(site, creating) == ["error", "error"]
    assert site.messages(creating[0]["snapshot_id"]) == [("002", "001")]


def test_a_retry_of_a_failed_creation_makes_the_snapshot(site, active, creating):
    site.driver.answers["create_replicated_snapshot"] = RuntimeError("broken")
    uuid = create(site, active, creating)["uuid"]
    site.driver.answers["create_replicated_snapshot"] = told(creating, "available", "available")
    site.retry(uuid)
    assert statuses(site, creating) == ["available", "available"]


def test_without_an_active_replica_the_snapshot_is_in_error(site, active, creating):
    site.set_state(active, "out_of_sync")
    assert "no replica whose replica_state is 'active'" in create(site, active, creating)["error"]
    assert statuses(site, creating) == ["error", "error"]


def test_a_crash_in_the_driver_ends_with_the_snapshot(site, active, creating):
    site.driver.answers["create_replicated_snapshot"] = told(creating, "available", "available")
    site.crash_in(
        "create_replicated_snapshot", "create_replicated_snapshot",
        share_id=active["share_id"], snapshot_id=creating[0]["snapshot_id"],
    )  # fmt: skip
    site.run(1)
    assert statuses(site, creating) == ["available", "available"]


# -- delete ------------------------------------------------------------------------------------


def usage(site):
    return site.usage(quotas.SNAPSHOTS)


def test_the_snapshot_goes_with_its_last_instance(site, active, deleting):
    site.driver.answers["delete_replicated_snapshot"] = told(deleting, "deleted", "deleted")
    assert delete(site, active, deleting)["state"] == "succeeded"
    assert statuses(site, deleting) == ["deleted", "deleted"]
    key = deleting[0]["snapshot_id"]
    assert site.rows(models.share_snapshots, id=key)[0]["deleted"] == key
    assert usage(site) == (0, 0)


def test_what_the_driver_does_not_confirm_is_still_deleting(site, active, deleting):
    site.driver.answers["delete_replicated_snapshot"] = told(deleting, "deleted")
    delete(site, active, deleting)
    assert statuses(site, deleting) == ["deleted", "deleting"]
    key = deleting[0]["snapshot_id"]
    assert site.rows(models.share_snapshots, id=key)[0]["deleted"] == "False"
    assert usage(site) == (1, 1)


def test_a_deletion_that_fails_puts_all_instances_into_error_deleting(site, active, deleting):
    site.driver.answers["delete_replicated_snapshot"] = RuntimeError("broken")
    assert delete(site, active, deleting)["state"] == "failed"
    assert statuses(site, deleting) == ["error_deleting", "error_deleting"]
    assert site.messages(deleting[0]["snapshot_id"]) == [("007", "001")]


def test_a_forced_deletion_goes_on_after_an_error(site, active, deleting):
    site.driver.answers["delete_replicated_snapshot"] = RuntimeError("broken")
    assert delete(site, active, deleting, force=True)["state"] == "succeeded"
    assert statuses(site, deleting) == ["deleted", "deleted"]
    assert usage(site) == (0, 0)


def test_an_abandoned_deletion_is_carried_out_on_all_replicas(site, active, deleting):
    site.driver.answers["delete_replicated_snapshot"] = told(deleting, "deleted", "deleted")
    site.clock.advance(GRACE)
    flows.reconcile(site.environment, site.worker.journal)
    site.run()
    assert statuses(site, deleting) == ["deleted", "deleted"]
    assert site.driver.called("delete_snapshot") == 0


def test_a_snapshot_of_a_share_with_one_replica_is_one_like_any_other(site, active):
    snapshot = site.add_snapshot(active, "deleting")
    site.clock.advance(GRACE)
    flows.reconcile(site.environment, site.worker.journal)
    site.run()
    assert site.driver.called("delete_snapshot") == 1
    assert site.snapshot_instance(snapshot)["status"] == "deleted"


# -- on the other replicas ---------------------------------------------------------------------


@pytest.fixture
def here(site):
    """A replica on this back end, whose active one is elsewhere; and that one."""
    source = site.add_active()
    return site.add_replica(source), source


def poll(site, answer, here, status="creating", first="available"):
    replica, source = here
    snapshot = site.add_snapshot(source, first)
    copy = site.add_snapshot_instance(snapshot, replica, status)
    site.driver.answers["update_replicated_snapshot"] = answer
    # Asked about the replica in this round, and about its snapshots in the next.
    site.set_state(replica, "error_deleting")
    assert flows.update_replicas(site.environment, site.worker.journal) == 1
    site.run()
    return snapshot, copy


GONE = exception.SnapshotResourceNotFound(name="x")


@pytest.mark.parametrize(("status", "answer", "left"), [
    ("creating", {"status": "available"}, "available"),
    ("creating", {"status": "creating", "progress": "50%"}, "creating"),
    ("creating", None, "creating"),
    ("creating", {"status": "error"}, "error"),
    ("creating", RuntimeError("broken"), "error"),
    ("creating", GONE, "error"),
    ("creating", "text", "error"),
    ("deleting", GONE, "deleted"),
    ("deleting", {"status": "deleted"}, "deleted"),
    ("deleting", {"status": "deleting"}, "deleting"),
    ("deleting", RuntimeError("broken"), "error"),
])  # fmt: skip
def test_a_snapshot_on_a_replica_is_what_the_driver_says(site, here, status, answer, left):
    snapshot, copy = poll(site, answer, here, status)
    assert site.snapshot_instance(copy)["status"] == left
    assert site.snapshot_instance(snapshot)["status"] == "available"


def test_progress_is_shown(site, here):
    _, copy = poll(site, {"status": "creating", "progress": "50%"}, here)
    assert site.snapshot_instance(copy)["progress"] == "50%"


def test_snapshots_of_the_active_replica_are_not_asked_about(site, active, creating):
    assert flows.update_replicas(site.environment, site.worker.journal) == 0


# -- revert ------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicated", [True, False])
def test_a_share_with_replicas_is_reverted_on_its_active_one(site, active, replicated):
    snapshot = site.add_snapshot(active, "restoring")
    if replicated:
        other = site.add_replica(active, host="elsewhere@backend#pool")
        site.add_snapshot_instance(snapshot, other, "available")
    site.force(active, "reverting")
    site.add_rule(active)
    done = site.do("revert_to_snapshot", snapshot_id=snapshot["snapshot_id"], reservations=None)
    assert done["state"] == "succeeded"
    assert site.status(active) == "available"
    assert site.snapshot_instance(snapshot)["status"] == "available"
    assert site.driver.called("revert_to_snapshot") == (not replicated)
    assert site.driver.called("revert_to_replicated_snapshot") == replicated
    if replicated:
        given = site.driver.argument("revert_to_replicated_snapshot", "active_replica")
        assert given["id"] == active["instance_id"]
        rules = site.driver.argument("revert_to_replicated_snapshot", "share_access_rules")
        assert len(rules) == 1
        taken = site.driver.argument("revert_to_replicated_snapshot", "replica_snapshots")
        assert len(taken) == 2
