# SPDX-License-Identifier: Apache-2.0
"""snapshot_update_access: who may mount a snapshot."""

import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share import flows
from tests.support.access import SnapshotRules


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture
def snapshot(site, share):
    site.driver.answers["snapshot_update_access"] = None
    return site.add_snapshot(share, "available")


@pytest.fixture
def rules(site, snapshot):
    return SnapshotRules(site, snapshot)


def asked(site):
    names = ("access_rules", "add_rules", "delete_rules")
    lists = [site.driver.argument("snapshot_update_access", name) for name in names]
    return tuple([rule["access_id"] for rule in found] for found in lists)


def test_a_queued_rule_becomes_active_and_a_denied_one_is_gone(site, rules):
    kept, new = rules.allow("10.0.0.1", "active"), rules.allow("10.0.0.2")
    old, bad = rules.allow("10.0.0.3", "queued_to_deny"), rules.allow("10.0.0.4", "error")

    assert rules.update()["state"] == "succeeded"

    assert asked(site) == ([kept, new], [new], [old])
    assert rules.states() == {kept: "active", new: "active", bad: "error"}
    assert rules.living() == {kept, new, bad}


def test_the_driver_gets_the_snapshot_and_rules_that_read_only(site, rules, snapshot, share):
    rules.allow("alice", access_type="user")

    rules.update()

    given = site.driver.argument("snapshot_update_access", "snapshot")
    assert (given.id, given.snapshot_id) == (snapshot["instance_id"], snapshot["snapshot_id"])
    assert given.share_name == f"share-{share['instance_id']}"
    assert given["share"]["id"] == share["instance_id"]
    [rule] = site.driver.argument("snapshot_update_access", "add_rules")
    assert (rule["access_type"], rule["access_to"], rule["access_level"]) == ("user", "alice", "ro")
    assert site.driver.argument("snapshot_update_access", "share_server") is None


@pytest.mark.parametrize(
    "error",
    [exception.InvalidSnapshotAccess(reason="no"), NotImplementedError(), RuntimeError("no")],
)
def test_an_error_puts_all_that_was_under_way_into_error_and_the_user_is_told(
    site, rules, snapshot, error
):
    new, old = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny")
    site.driver.answers["snapshot_update_access"] = error

    assert rules.update()["state"] == "failed"

    assert rules.states() == {new: "error", old: "error"}
    assert site.messages(snapshot["snapshot_id"]) == [("010", "001")]


def test_a_rule_that_comes_meanwhile_is_the_next_passs(site, rules):
    first, later = rules.allow("10.0.0.1"), []

    def update(*args, **kwargs):
        if not later:
            later.append(rules.allow("10.0.0.2"))

    site.driver.answers["snapshot_update_access"] = update

    rules.update()

    assert asked(site) == ([first, *later], later, [])
    assert set(rules.states().values()) == {"active"}


def test_after_a_crash_the_driver_is_asked_once_more(site, rules, snapshot):
    new, old = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny")

    uuid = site.crash_in(
        "snapshot_update_access", on="snapshot_update_access",
        snapshot_instance_id=snapshot["instance_id"],
    )  # fmt: skip
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert asked(site) == ([new], [new], [old])
    assert rules.states() == {new: "active"}


def test_nothing_queued_and_no_snapshot_are_nothing_to_do(site, rules):
    assert "queued" in rules.update()["result"]
    with site.database.writer() as connection:
        connection.execute(models.share_snapshot_instances.update().values(deleted="gone"))
    assert "deleted" in rules.update()["result"]
    assert site.driver.calls == []


def test_a_snapshot_whose_share_is_gone_fails_clearly(site, rules, share):
    rule = rules.allow()
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="gone"))

    operation = rules.update()

    assert share["share_id"] in operation["error"]
    assert rules.states() == {rule: "error"}


def test_updates_run_in_the_lane_of_the_share(site, rules, share):
    assert rules.update()["lane"] == f"share:{share['share_id']}"


@pytest.mark.parametrize("state", ["queued_to_apply", "queued_to_deny", "applying", "denying"])
def test_rules_that_nobody_takes_up_are_found(site, rules, state):
    rules.allow(state=state)
    assert flows.reconcile(site.environment, site.worker.journal) == 0

    site.clock.advance(3600)
    assert flows.reconcile(site.environment, site.worker.journal) == 1
    site.run()

    assert set(rules.states().values()) <= {"active"}
