# SPDX-License-Identifier: Apache-2.0
"""Updates of access rules that the service starts itself, and rules that go with their share."""

import datetime

import pytest

from manila_lite.db import models
from manila_lite.share import flows
from manila_lite.share.flows import access
from tests.support.access import ShareRules, asked
from tests.support.shares import Crash


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture
def rules(site, share):
    return ShareRules(site, share)


# -- several instances, and the service's own updates ---------------------------------------------


def test_several_instances_are_updated_each_in_its_lane(site, rules):
    other = ShareRules(site, site.add_share("available"))
    first, second = rules.allow(), other.allow()
    ids = [rules.owner["instance_id"], other.owner["instance_id"]]

    operation = site.do("update_access_for_instances", share_instance_ids=[*ids, *ids])

    assert (operation["state"], operation["lane"]) == ("succeeded", "update_access:host@backend")
    assert {**rules.states(), **other.states()} == {first: "active", second: "active"}
    assert site.methods().count("_update_access") == 2


def test_several_instances_are_updated_on_the_server_that_the_cast_names(site, rules):
    rule = rules.allow()
    with site.database.writer() as connection:
        row = {"id": "server", "status": "active", "deleted": "False", "host": "host@backend"}
        connection.execute(models.share_servers.insert(), row)
    key = rules.owner["instance_id"]

    site.do("update_access_for_instances", share_instance_ids=[key], share_server_id="server")

    assert site.driver.argument("update_access", "share_server")["id"] == "server"
    assert rules.states() == {rule: "active"}


def test_several_instances_on_a_server_that_is_gone_end_in_error(site, rules):
    rule = rules.allow()
    key = rules.owner["instance_id"]

    site.do("update_access_for_instances", share_instance_ids=[key], share_server_id="gone")

    assert rules.states() == {rule: "error"}


def test_a_crash_in_between_starts_no_update_twice(site, rules, monkeypatch):
    rules.allow()
    site.cast("update_access_for_instances", share_instance_ids=[rules.owner["instance_id"]])
    record = site.worker.journal.record

    def record_and_crash(new):
        record(new)
        raise Crash()

    monkeypatch.setattr(site.worker.journal, "record", record_and_crash)
    with pytest.raises(Crash):
        site.run()
    site.take_over()
    site.run()

    assert site.methods().count("_update_access") == 1
    assert site.driver.called("update_access") == 1


@pytest.mark.parametrize("state", ["queued_to_apply", "queued_to_deny", "applying", "denying"])
def test_rules_that_nobody_takes_up_are_found(site, rules, state):
    rules.allow(state=state)
    assert flows.reconcile(site.environment, site.worker.journal) == 0

    site.clock.advance(3600)
    assert flows.reconcile(site.environment, site.worker.journal) == 1
    site.run()

    assert set(rules.states().values()) <= {"active"}


@pytest.mark.parametrize("status", ["creating", "deleting", "deferred_deleting", "migrating"])
def test_rules_of_a_share_on_which_something_is_under_way_wait(site, rules, share, status):
    rules.allow()
    site.force(share, status)
    before = site.clock.now() + datetime.timedelta(hours=1)

    with site.database.reader() as connection:
        assert list(access.stuck(connection, "host@backend", before)) == []


def test_rules_go_with_their_share(site, rules, share):
    states = ["active", "error", "queued_to_apply", "denying"]
    found = [rules.allow(f"10.0.0.{n}", state) for n, state in enumerate(states)]
    pair = {"access_id": found[0], "key": "k", "value": "v", "deleted": "False"}
    with site.database.writer() as connection:
        connection.execute(models.share_access_rules_metadata.insert(), pair)
    site.force(share, "deleting")

    site.do("delete_share_instance", share_instance_id=share["instance_id"])

    assert asked(site) == ([], [], found)
    assert (rules.states(), rules.living()) == ({}, set())
    assert site.rows(models.share_access_rules_metadata, deleted="False") == []
