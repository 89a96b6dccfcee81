# SPDX-License-Identifier: Apache-2.0
"""update_access: what an API queued, what the driver is asked, and what the rows say then."""

import pytest

from manila_lite.db import models
from tests.support.access import ShareRules, asked
from tests.support.shares import Site
from tests.support.statements import count_statements


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture
def rules(site, share):
    return ShareRules(site, share)


def answer(site, value):
    site.driver.answers["update_access"] = value


def meanwhile(site, work, value=None):
    """Have the driver's first call do what an API does meanwhile, and return value."""
    done = []

    def update_access(*args, **kwargs):
        if not done:
            done.append(True)
            work()
            if isinstance(value, BaseException):
                raise value
            return value
        return None

    answer(site, update_access)


# -- what is queued ------------------------------------------------------------------------------


def test_a_queued_rule_becomes_active(site, rules):
    old, new = rules.allow("10.0.0.1", "active"), rules.allow("10.0.0.2")

    assert rules.update()["state"] == "succeeded"

    assert asked(site) == ([old, new], [new], [])
    assert rules.states() == {old: "active", new: "active"}
    assert rules.status() == "active"


def test_the_driver_is_given_what_the_rule_says(site, rules, share):
    rules.allow("10.0.0.2", access_level="ro")

    rules.update()

    [rule] = site.driver.argument("update_access", "add_rules")
    assert (rule["access_type"], rule["access_to"], rule["access_level"]) == (
        "ip",
        "10.0.0.2",
        "ro",
    )
    assert site.driver.argument("update_access", "share")["id"] == share["instance_id"]
    assert site.driver.argument("update_access", "share_server") is None


def test_a_denied_rule_is_gone_with_its_row(site, rules):
    old, kept = rules.allow("10.0.0.1", "queued_to_deny"), rules.allow("10.0.0.2", "active")
    pair = {"access_id": old, "key": "k", "value": "v", "deleted": "False"}
    with site.database.writer() as connection:
        connection.execute(models.share_access_rules_metadata.insert(), pair)

    rules.update()

    assert asked(site) == ([kept], [], [old])
    assert (rules.states(), rules.living()) == ({kept: "active"}, {kept})
    [mapping] = site.rows(models.share_instance_access_map, access_id=old)
    assert (mapping["state"], mapping["deleted"]) == ("deleted", mapping["id"])
    assert mapping["deleted_at"] is not None
    [pair] = site.rows(models.share_access_rules_metadata)
    assert pair["deleted"] == str(pair["id"])


def test_a_rule_that_another_instance_has_keeps_its_row(site, rules, share):
    other = site.add_share("available")
    rule = rules.allow(state="queued_to_deny")
    rules.map(rule, "active", other["instance_id"])

    rules.update()

    assert (rules.states(), rules.living()) == ({}, {rule})


def test_rows_show_what_is_under_way_while_the_driver_works(site, rules):
    new, old = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny")
    seen = []
    meanwhile(site, lambda: seen.append((rules.states(), rules.status())))

    rules.update()

    assert seen == [({new: "applying", old: "denying"}, "syncing")]


def test_a_rule_that_was_left_under_way_is_sent_as_new_and_as_removed(site, rules):
    new, old = rules.allow("10.0.0.1", "applying"), rules.allow("10.0.0.2", "denying")

    rules.update()

    assert asked(site) == ([new], [new], [old])
    assert rules.states() == {new: "active"}


def test_a_rule_in_error_is_not_sent_and_can_be_denied(site, rules):
    bad, good = rules.allow("10.0.0.1", "error"), rules.allow("10.0.0.2")

    rules.update()
    assert asked(site) == ([good], [good], [])
    assert (rules.states(), rules.status()) == ({bad: "error", good: "active"}, "error")

    rules.set(bad, "queued_to_deny")
    rules.update()
    assert asked(site) == ([good], [], [bad])
    assert (rules.states(), rules.status()) == ({good: "active"}, "active")


def test_a_rule_without_a_mapping_on_the_instance_is_none_of_its_rules(site, rules, share):
    other = site.add_share("available")
    rules.allow("10.0.0.9", instance_id=other["instance_id"])
    mine = rules.allow("10.0.0.1")

    rules.update()

    assert asked(site) == ([mine], [mine], [])


def test_nothing_queued_is_nothing_to_do(site, rules):
    rules.allow(state="active")

    operation = rules.update()

    assert "no access rule is queued" in operation["result"]
    assert site.driver.calls == []


def test_a_status_that_an_api_set_too_late_is_put_right(site, rules):
    rules.allow(state="active")
    rules.set_status("syncing")

    rules.update()

    assert (rules.status(), site.driver.calls) == ("active", [])


def test_a_rule_in_error_is_no_reason_to_ask_the_driver(site, rules):
    """The casts of ten rules, one of which is refused, make one call and not ten."""
    rules.allow("10.0.0.1", "active")
    rules.allow("10.0.0.2", "error")
    rules.set_status("error")

    assert "no access rule is queued" in rules.update()["result"]

    assert (rules.status(), site.driver.calls) == ("error", [])


def test_a_failure_that_no_rule_shows_is_made_up_for_by_the_next_update(site, rules):
    rule = rules.allow(state="active")
    rules.set_status("error")

    rules.update()

    assert asked(site) == ([rule], [], [])
    assert rules.status() == "active"


def test_a_deleted_instance_has_nothing_to_update(site, share, rules):
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="gone"))

    assert "deleted" in rules.update()["result"]
    assert site.driver.calls == []


def test_an_unknown_share_server_puts_the_rules_into_error(site, rules):
    rule = rules.allow()
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(share_server_id="lost"))

    operation = rules.update()

    assert (operation["state"], rules.states()) == ("failed", {rule: "error"})
    assert "lost" in operation["error"]


def test_rules_that_are_queued_while_a_share_is_made_are_applied_after_it(site):
    share = site.add_share("creating")
    rules = ShareRules(site, share)
    rule = rules.allow()
    spec = {"share_id": share["share_id"], "share_properties": {}}
    key = share["instance_id"]
    site.cast("create_share_instance", share_instance_id=key, request_spec=spec,
              filter_properties={})  # fmt: skip
    site.cast("update_access", share_instance_id=key)
    site.run()

    assert [name for name, _ in site.driver.calls] == ["create_share", "update_access"]
    assert rules.states() == {rule: "active"}


# -- what an API does meanwhile ------------------------------------------------------------------


def test_a_rule_that_comes_meanwhile_is_the_next_passs(site, rules):
    first = rules.allow("10.0.0.1")
    later = []
    meanwhile(site, lambda: later.append(rules.allow("10.0.0.2")))

    rules.update()

    assert asked(site, 0) == ([first], [first], [])
    assert asked(site, 1) == ([first, *later], later, [])
    assert set(rules.states().values()) == {"active"}
    assert rules.status() == "active"


def test_a_rule_that_is_denied_while_it_is_applied_goes_in_the_next_pass(site, rules):
    rule = rules.allow()
    meanwhile(site, lambda: rules.set(rule, "queued_to_deny"), {rule: {"state": "active"}})

    rules.update()

    assert asked(site, 1) == ([], [], [rule])
    assert (rules.states(), rules.living()) == ({}, set())


def test_a_rule_that_somebody_else_is_denying_is_not_taken_for_denied(site, rules):
    ours, theirs = rules.allow("10.0.0.1", "queued_to_deny"), rules.allow("10.0.0.2", "active")
    meanwhile(site, lambda: rules.set(theirs, "denying"))

    rules.update()

    assert (rules.states(), rules.living()) == ({theirs: "denying"}, {theirs})
    assert ours not in rules.living()


def test_a_rule_that_is_queued_while_an_update_fails_is_its_own_casts(site, rules):
    bad = rules.allow("10.0.0.1")
    later = []
    meanwhile(site, lambda: later.append(rules.allow("10.0.0.2")), RuntimeError("no"))

    rules.update()
    assert rules.states() == {bad: "error", later[0]: "queued_to_apply"}
    assert rules.status() == "syncing"

    rules.update()
    assert rules.states() == {bad: "error", later[0]: "active"}


def test_the_second_of_two_casts_finds_nothing_left_to_do(site, rules):
    rules.allow("10.0.0.1")
    rules.allow("10.0.0.2")
    key = rules.owner["instance_id"]
    for _ in range(2):
        site.cast("update_access", share_instance_id=key)
    site.run()

    assert site.driver.called("update_access") == 1


def test_passes_end_even_if_the_api_never_does(site, rules, monkeypatch):
    monkeypatch.setattr("manila_lite.share.flows.access_passes.MOST_PASSES", 3)
    rules.allow()
    answer(site, lambda *args, **kwargs: rules.allow() and None)

    assert rules.update()["state"] == "succeeded"

    assert site.driver.called("update_access") == 3
    assert sorted(rules.states().values()) == ["active"] * 3 + ["queued_to_apply"]
    assert rules.status() == "syncing"


def test_a_key_is_kept_though_the_service_stops_between_two_passes(site, rules):
    rule = rules.allow("10.0.0.1")

    def stop():
        rules.allow("10.0.0.2")
        site.worker.runner.drain()

    meanwhile(site, stop, {rule: {"access_key": "secret", "state": "active"}})
    uuid = site.cast("update_access", share_instance_id=rules.owner["instance_id"])
    site.run()
    site.take_over()
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert set(rules.states().values()) == {"active"}
    assert rules.row(rule)["access_key"] == "secret"


# -- after a crash -------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_after_a_crash_the_driver_is_asked_once_more(policy):
    site = Site(policy=policy)
    share = site.add_share("available")
    rules = ShareRules(site, share)
    new, old = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny")

    uuid = site.crash_in(
        "update_access", on="update_access", share_instance_id=share["instance_id"]
    )
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert asked(site) == ([new], [new], [old])
    assert rules.states() == {new: "active"}


# -- what it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "most"), [("queued_to_apply", 25), ("queued_to_deny", 30)])
def test_an_update_of_one_rule_keeps_to_its_number_of_statements(site, rules, state, most):
    rules.allow(state=state)
    site.cast("update_access", share_instance_id=rules.owner["instance_id"])

    with count_statements(site.database) as sent:
        site.run()

    assert 5 < len(sent) <= most, sent
