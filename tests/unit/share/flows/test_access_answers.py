# SPDX-License-Identifier: Apache-2.0
"""update_access: what drivers of each kind are asked, and what their answers mean."""

import pytest

from manila_lite import exception
from manila_lite.db import access_changes
from manila_lite.db.writes import execute_writes
from tests.support.access import ShareRules, asked

KEY = "AQBsecretsecret=="


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture
def rules(site, share):
    return ShareRules(site, share)


def answer(site, value):
    site.driver.answers["update_access"] = value


def without_update_access(site, allow=None, deny=None):
    del site.driver.answers["update_access"]
    site.driver.answers.update(allow_access=allow, deny_access=deny)


def write(site, writes):
    with site.database.writer() as connection:
        execute_writes(connection, [writes])


# -- what the driver answers ---------------------------------------------------------------------


def test_the_returned_key_is_kept_and_shown_nowhere(site, rules):
    rule = rules.allow()
    answer(site, {rule: {"access_key": KEY, "state": "active"}})

    operation = rules.update()

    assert rules.row(rule)["access_key"] == KEY
    assert KEY not in repr(operation)
    assert rules.states() == {rule: "active"}


def test_a_returned_state_of_error_is_that_rules_alone_and_the_user_is_told(site, rules, share):
    bad, good, old = (
        rules.allow("10.0.0.1"),
        rules.allow("10.0.0.2"),
        rules.allow("10.0.0.3", "active"),
    )
    answer(site, {bad: {"state": "error"}, old: {"state": "error"}, good: {"state": "active"}})

    operation = rules.update()

    assert operation["state"] == "succeeded"
    assert rules.states() == {bad: "error", good: "active", old: "error"}
    assert rules.status() == "error"
    assert site.messages(share["share_id"]) == [("010", "001")]


@pytest.mark.parametrize(
    "update", ["error", {"state": "queued"}, {"access_key": 7}, {"access_key": "k" * 256}]
)
def test_an_update_that_means_nothing_puts_its_rule_into_error(site, rules, update):
    bad, good = rules.allow("10.0.0.1"), rules.allow("10.0.0.2")
    answer(site, {bad: update})

    rules.update()

    assert rules.states() == {bad: "error", good: "active"}
    assert rules.row(bad)["access_key"] is None


def test_an_update_of_a_rule_that_was_not_sent_changes_nothing(site, rules):
    gone, good = rules.allow("10.0.0.1", "queued_to_deny"), rules.allow("10.0.0.2")
    answer(site, {gone: {"state": "error"}, "unknown": {"access_key": KEY}})

    rules.update()

    assert (rules.states(), rules.living()) == ({good: "active"}, {good})


def test_an_answer_that_is_no_dictionary_fails_and_is_not_quoted(site, rules):
    rule = rules.allow()
    answer(site, [KEY])

    operation = rules.update()

    assert (operation["state"], rules.states()) == ("failed", {rule: "error"})
    assert "list" in operation["error"]
    assert KEY not in repr(operation)


@pytest.mark.parametrize(
    "error",
    [
        exception.InvalidShareAccess(reason="no"),
        exception.ShareBackendException(msg="broken"),
        exception.ShareResourceNotFound(share_id="x"),
        RuntimeError("no"),
        KeyError("no"),
    ],
)
def test_an_error_puts_all_that_was_under_way_into_error(site, rules, share, error):
    new, old, kept = (
        rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny"),
        rules.allow("10.0.0.3", "active"),
    )  # fmt: skip
    answer(site, error)

    operation = rules.update()

    assert operation["state"] == "failed"
    assert rules.states() == {new: "error", old: "error", kept: "active"}
    assert rules.status() == "error"
    assert site.messages(share["share_id"]) == [("010", "001")]


def test_a_back_end_that_is_busy_is_asked_again(site, rules):
    rule = rules.allow()
    busy = [exception.BackendBusy("later"), exception.BackendBusy("later")]

    def update_access(*args, **kwargs):
        if busy:
            raise busy.pop()

    answer(site, update_access)
    key = rules.owner["instance_id"]
    operation = site.do("update_access", share_instance_id=key, seconds=60)

    assert (operation["state"], rules.states()) == ("succeeded", {rule: "active"})
    assert site.driver.called("update_access") == 3


def test_an_operators_retry_makes_the_storage_agree(site, rules):
    bad, good = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "active")
    answer(site, RuntimeError("no"))
    uuid = rules.update()["uuid"]
    answer(site, None)

    site.retry(uuid)

    assert asked(site) == ([good], [], [])
    assert rules.states() == {bad: "error", good: "active"}


def test_a_cancelled_update_leaves_no_rule_under_way(site, rules):
    rule = rules.allow()
    answer(site, exception.BackendBusy("later"))
    uuid = site.cast("update_access", share_instance_id=rules.owner["instance_id"])
    site.run()

    site.cancel(uuid)

    assert (site.operation(uuid)["state"], rules.states()) == ("cancelled", {rule: "error"})


# -- changed levels, and read-only casts ---------------------------------------------------------


def test_a_changed_rule_makes_the_storage_agree_with_all(site, rules):
    rule, gone = (
        rules.allow(state="queued_to_update", access_level="ro"),
        rules.allow(state="queued_to_deny"),
    )

    rules.update()

    assert asked(site) == ([rule], [], [])
    assert rules.states() == {rule: "active"}
    assert gone not in rules.living()


def test_a_driver_that_takes_changed_rules_is_given_them(site, rules):
    rule, new, gone = (
        rules.allow("10.0.0.1", "queued_to_update"), rules.allow("10.0.0.2"),
        rules.allow("10.0.0.3", "queued_to_deny"),
    )  # fmt: skip
    given = []

    def update_access(
        context, share, access_rules, add_rules, delete_rules, update_rules, share_server=None
    ):
        lists = (access_rules, add_rules, delete_rules, update_rules)
        given.append([[rule["access_id"] for rule in rules] for rules in lists])

    site.driver.update_access = update_access

    rules.update()

    assert given == [[[rule, new], [new], [gone], [rule]]]
    assert rules.states() == {rule: "active", new: "active"}


def test_rules_of_a_read_only_instance_are_all_read_only(site, rules, share):
    first, second = rules.allow("10.0.0.1", "active"), rules.allow("10.0.0.2")
    gone = rules.allow("10.0.0.3", "queued_to_deny")
    write(site, access_changes.read_only(share["instance_id"], True, site.clock.now()))
    rules.set(gone, "queued_to_deny")

    rules.update()

    assert asked(site) == ([first, second], [], [])
    sent = site.driver.argument("update_access", "access_rules")
    assert {rule["access_level"] for rule in sent} == {"ro"}
    assert rules.states() == {first: "active", second: "active"}
    assert rules.row(first)["access_level"] == "rw"
    assert gone not in rules.living()


def test_rules_can_be_made_as_they_say_again(site, rules, share):
    rule = rules.allow(state="active")
    write(site, access_changes.read_only(share["instance_id"], True, site.clock.now()))
    assert (rules.states(), rules.status()) == ({rule: "queued_to_update"}, "syncing")
    rules.update()

    write(site, access_changes.read_only(share["instance_id"], False, site.clock.now()))
    rules.update()

    assert asked(site) == ([rule], [], [])
    assert site.driver.argument("update_access", "access_rules")[0]["access_level"] == "rw"


# -- drivers with allow_access and deny_access only ----------------------------------------------


def one_by_one(site):
    """(method, rule's id) of the calls of allow_access and deny_access, in order."""
    return [
        (method, arguments.arguments["access"]["access_id"])
        for arguments, (method, _) in zip(site.driver.arguments, site.driver.calls, strict=True)
        if method != "update_access"
    ]


def test_a_driver_without_update_access_is_served_rule_by_rule(site, rules):
    new, old = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny")
    rules.allow("10.0.0.3", "active")
    without_update_access(site)

    assert rules.update()["state"] == "succeeded"

    assert one_by_one(site) == [("deny_access", old), ("allow_access", new)]
    assert set(rules.states().values()) == {"active"}


def test_the_key_of_allow_access_is_kept(site, rules):
    rule = rules.allow()
    without_update_access(site, allow=KEY)

    operation = rules.update()

    assert rules.row(rule)["access_key"] == KEY
    assert KEY not in repr(operation)


def test_a_rule_that_is_there_already_is_as_good_as_made(site, rules):
    rule = rules.allow()
    error = exception.ShareAccessExists(access_type="ip", access="10.0.0.2")
    without_update_access(site, allow=error)

    rules.update()

    assert rules.states() == {rule: "active"}


def test_a_rule_that_is_refused_leaves_the_others_alone(site, rules, share):
    bad, good = rules.allow("10.0.0.1"), rules.allow("10.0.0.2")
    old, older = (
        rules.allow("10.0.0.3", "queued_to_deny"),
        rules.allow("10.0.0.4", "queued_to_deny"),
    )

    def refuse(context, share, access, share_server=None):
        if access["access_id"] in (bad, old):
            raise exception.InvalidShareAccess(reason="no")

    without_update_access(site, allow=refuse, deny=refuse)

    rules.update()

    assert rules.states() == {bad: "error", good: "active", old: "error"}
    assert rules.status() == "error"
    assert older not in rules.living()
    assert site.messages(share["share_id"]) == [("010", "001")]


def test_one_by_one_too_a_busy_back_end_is_asked_again(site, rules):
    rule = rules.allow()
    busy = [exception.BackendBusy("later")]

    def allow(*args, **kwargs):
        if busy:
            raise busy.pop()

    without_update_access(site, allow=allow)
    site.do("update_access", share_instance_id=rules.owner["instance_id"], seconds=30)

    assert one_by_one(site) == [("allow_access", rule)] * 2
    assert rules.states() == {rule: "active"}


def test_a_share_that_is_not_on_the_storage_has_no_rule_to_deny(site, rules):
    rules.allow(state="queued_to_deny")
    without_update_access(site, deny=exception.ShareResourceNotFound(share_id="x"))

    rules.update()

    assert (rules.states(), rules.living()) == ({}, set())


def test_a_driver_without_any_access_rules_refuses_them_and_lets_them_go(site, rules):
    bad, old = rules.allow("10.0.0.1"), rules.allow("10.0.0.2", "queued_to_deny")
    del site.driver.answers["update_access"]

    rules.update()

    assert rules.states() == {bad: "error"}
    assert rules.living() == {bad}
    assert old not in rules.living()


def test_one_by_one_a_changed_rule_is_taken_away_first(site, rules):
    rule, stays = rules.allow(state="queued_to_update"), rules.allow(state="active")
    without_update_access(site)

    rules.update()

    assert one_by_one(site) == [("deny_access", rule), ("allow_access", rule)]
    assert rules.states() == {rule: "active", stays: "active"}


def test_one_by_one_a_read_only_instance_has_all_its_rules_made_anew(site, rules, share):
    rule = rules.allow(state="active")
    gone = rules.allow(state="active")
    write(site, access_changes.read_only(share["instance_id"], True, site.clock.now()))
    rules.set(gone, "queued_to_deny")
    without_update_access(site)

    rules.update()

    assert one_by_one(site) == [
        ("deny_access", gone), ("deny_access", rule), ("allow_access", rule)
    ]  # fmt: skip
    assert site.driver.argument("allow_access", "access")["access_level"] == "ro"


def test_one_by_one_the_storage_is_made_to_agree_by_allowing_all(site, rules):
    good = rules.allow(state="active")
    rules.set_status("error")
    without_update_access(site)

    rules.update()

    assert one_by_one(site) == [("allow_access", good)]
    assert rules.status() == "active"
