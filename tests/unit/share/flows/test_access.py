# SPDX-License-Identifier: Apache-2.0
"""update_access: what an API queued, what the driver is asked, and what the rows say then."""

import datetime

import pytest

from manila_lite import exception
from manila_lite.db import access_changes, models
from manila_lite.db.writes import execute_writes
from manila_lite.share import flows
from manila_lite.share.flows import access
from tests.support.access import ShareRules
from tests.support.shares import Crash, Site
from tests.support.statements import count_statements

KEY = "AQBsecretsecret=="


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture
def rules(site, share):
    return ShareRules(site, share)


def asked(site, call=-1):
    """Ids of the rules that update_access was given: all, new ones, ones to remove."""
    calls = [a.arguments for a, (m, _) in zip(site.driver.arguments, site.driver.calls, strict=True)
             if m == "update_access"]  # fmt: skip
    names = ("access_rules", "add_rules", "delete_rules")
    return tuple([rule["access_id"] for rule in calls[call][name]] for name in names)


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


def without_update_access(site, allow=None, deny=None):
    del site.driver.answers["update_access"]
    site.driver.answers.update(allow_access=allow, deny_access=deny)


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


# -- what the driver answers ---------------------------------------------------------------------


def test_the_returned_key_is_kept_and_shown_nowhere(site, rules):
    rule = rules.allow()
    answer(site, {rule: {"access_key": KEY, "state": "active"}})

    operation = rules.update()

    assert rules.row(rule)["access_key"] == KEY
    assert KEY not in repr(operation)
    assert rules.states() == {rule: "active"}


def test_a_key_is_kept_though_the_service_stops_between_two_passes(site, rules):
    rule = rules.allow("10.0.0.1")

    def stop():
        rules.allow("10.0.0.2")
        site.worker.runner.drain()

    meanwhile(site, stop, {rule: {"access_key": KEY, "state": "active"}})
    uuid = site.cast("update_access", share_instance_id=rules.owner["instance_id"])
    site.run()
    site.take_over()
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert set(rules.states().values()) == {"active"}
    assert rules.row(rule)["access_key"] == KEY


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


def write(site, writes):
    with site.database.writer() as connection:
        execute_writes(connection, [writes])


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


# -- what it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "most"), [("queued_to_apply", 25), ("queued_to_deny", 30)])
def test_an_update_of_one_rule_keeps_to_its_number_of_statements(site, rules, state, most):
    rules.allow(state=state)
    site.cast("update_access", share_instance_id=rules.owner["instance_id"])

    with count_statements(site.database) as sent:
        site.run()

    assert 5 < len(sent) <= most, sent
