# SPDX-License-Identifier: Apache-2.0
"""Access rules on each database: what each change replaces, and what it leaves alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from manila_lite.db import access, access_changes
from manila_lite.db.writes import execute_writes
from tests.contract.repositories.conftest import NOW
from tests.support.access import ShareRules, SnapshotRules
from tests.support.shares import HOST

STATES = (
    "queued_to_apply", "queued_to_deny", "queued_to_update",
    "applying", "denying", "updating", "active", "error",
)  # fmt: skip


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture(params=["share", "snapshot"])
def rules(request, site, share):
    """The rules of a share instance, or of a snapshot instance."""
    if request.param == "share":
        return ShareRules(site, share)
    return SnapshotRules(site, site.add_snapshot(share, "available"))


@pytest.fixture
def changes(rules):
    found = access_changes.OF_SHARE if isinstance(rules, ShareRules) else access_changes.OF_SNAPSHOT
    key = rules.owner["instance_id"]

    def of(name, **options):
        return getattr(found, name)(key, NOW, **options)

    return of


@pytest.fixture
def each(rules):
    """{state: id of a rule in that state}; a rule of another instance is in each state as well."""
    other = SnapshotRules if isinstance(rules, SnapshotRules) else ShareRules
    site = rules.site
    neighbour = site.add_share("available")
    if other is SnapshotRules:
        neighbour = site.add_snapshot(neighbour, "available")
    rules.neighbour = other(site, neighbour)
    for state in STATES:
        rules.neighbour.allow("10.0.0.1", state)
    return {state: rules.allow("10.0.0.1", state) for state in STATES}


def by_old_state(rules, each):
    found = rules.states()
    return {state: found.get(rule) for state, rule in each.items()}


def unchanged(rules):
    return sorted(rules.neighbour.states().values()) == sorted(STATES)


def test_what_is_queued_begins(rules, changes, each, write):
    write(changes("begin"))

    began = {"queued_to_apply": "applying", "queued_to_deny": "denying",
             "queued_to_update": "updating"}  # fmt: skip
    assert by_old_state(rules, each) == {state: began.get(state, state) for state in STATES}
    assert unchanged(rules)


def test_what_is_under_way_fails(rules, changes, each, write):
    write(changes("failed"))

    failed = dict.fromkeys(("applying", "denying", "updating"), "error")
    assert by_old_state(rules, each) == {state: failed.get(state, state) for state in STATES}
    assert unchanged(rules)


def test_what_is_under_way_settles(rules, changes, each, write):
    write(changes("settled", denied=[each["denying"]]))

    settled = {"applying": "active", "updating": "active", "denying": None}
    assert by_old_state(rules, each) == {state: settled.get(state, state) for state in STATES}
    assert rules.living() - rules.neighbour.living() == set()
    assert each["denying"] not in rules.living()
    assert unchanged(rules)


def test_what_is_refused_ends_in_error_whether_it_was_to_come_or_to_go(rules, changes, each, write):
    write(changes("settled", refused=each.values()))

    refused = dict.fromkeys(("applying", "updating", "denying", "active"), "error")
    assert by_old_state(rules, each) == {state: refused.get(state, state) for state in STATES}
    assert unchanged(rules)


def test_all_that_is_or_is_to_be_can_be_queued_for_a_change(rules, changes, each, write):
    write(changes("queued_to_update"))

    again = dict.fromkeys(("applying", "updating", "active"), "queued_to_update")
    assert by_old_state(rules, each) == {state: again.get(state, state) for state in STATES}
    assert unchanged(rules)


def test_all_can_be_queued_for_denial(rules, changes, each, write):
    write(changes("queued_to_deny"))

    kept = {"denying": "denying"}
    assert by_old_state(rules, each) == {
        state: kept.get(state, "queued_to_deny") for state in STATES
    }
    assert unchanged(rules)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], "active"),
        (["active"], "active"),
        (["active", "error"], "error"),
        (["active", "error", "queued_to_apply"], "syncing"),
        (["queued_to_deny"], "syncing"),
        (["applying"], "syncing"),
    ],
)
def test_the_status_of_the_rules_is_what_they_say_together(site, share, write, found, status):
    rules = ShareRules(site, share)
    for state in found:
        rules.allow(state=state)
    rules.set_status("nonsense")

    write(access_changes.status_of_rules(share["instance_id"], NOW))

    assert rules.status() == status


@pytest.mark.parametrize(
    ("found", "status"), [([], "error"), (["applying"], "error"), (["queued_to_apply"], "syncing")]
)
def test_after_a_failure_the_status_is_error_unless_more_is_queued(
    site, share, write, found, status
):
    rules = ShareRules(site, share)
    for state in found:
        rules.allow(state=state)

    write(access_changes.OF_SHARE.failed(share["instance_id"], NOW))

    assert rules.status() == status


def test_keys_are_kept_with_their_rule(site, share, write):
    rules = ShareRules(site, share)
    first, second = rules.allow(), rules.allow()

    write(access_changes.keys([(first, "key")], NOW))

    assert (rules.row(first)["access_key"], rules.row(second)["access_key"]) == ("key", None)


def test_an_instance_is_made_read_only_and_back(site, share, write):
    rules = ShareRules(site, share)
    rule = rules.allow(state="active")

    write(access_changes.read_only(share["instance_id"], True, NOW))
    assert site.instance(share)["cast_rules_to_readonly"] is True
    assert (rules.states(), rules.status()) == ({rule: "queued_to_update"}, "syncing")

    write(access_changes.read_only(share["instance_id"], False, NOW))
    assert site.instance(share)["cast_rules_to_readonly"] is False


def test_a_rule_that_two_instances_lose_at_once_goes_with_the_second(site, share):
    first, second = ShareRules(site, share), ShareRules(site, site.add_share("available"))
    rule = first.allow(state="denying")
    first.map(rule, "denying", second.owner["instance_id"])
    inside, go_on = threading.Event(), threading.Event()

    def lose(rules, wait):
        writes = access_changes.OF_SHARE.settled(rules.owner["instance_id"], NOW, denied=[rule])

        def work(connection):
            execute_writes(connection, [writes])
            inside.set()
            assert not wait or go_on.wait(30)

        site.database.run(work)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(lose, first, True)
        assert inside.wait(30)
        other = pool.submit(lose, second, False)
        # The second one waits for the first: whether it has begun by then is no matter.
        go_on.set()
        one.result(30)
        other.result(30)

    assert (first.states(), second.states(), first.living()) == ({}, {}, set())


def test_rules_that_wait_are_found_page_by_page(site, read):
    found = [ShareRules(site, site.add_share("available")) for _ in range(5)]
    for rules in found:
        rules.allow()
        rules.allow(state="denying")
    ShareRules(site, site.add_share("available")).allow(state="active")
    elsewhere = site.add_share("available", columns={"host": "host@other#pool"})
    ShareRules(site, elsewhere).allow()
    now = site.clock.now()

    def due(connection):
        return list(access.instances_with_rules_due(connection, HOST, now, page=2))

    rows = read(due)
    assert [row["id"] for row in rows] == sorted(rules.owner["instance_id"] for rules in found)
    assert {row["changed"] for row in rows} == {now}


def test_rules_of_snapshots_that_wait_are_found(site, share, read):
    rules = SnapshotRules(site, site.add_snapshot(share, "available"))
    rules.allow()
    SnapshotRules(site, site.add_snapshot(share, "deleting")).allow()

    def due(connection):
        return list(access.snapshot_instances_with_rules_due(connection, HOST, site.clock.now()))

    [row] = read(due)
    assert (row["id"], row["share_id"]) == (rules.owner["instance_id"], share["share_id"])


def test_rules_that_were_queued_a_moment_ago_are_not_stuck(site, share, read):
    rules = ShareRules(site, share)
    rules.allow()
    before = site.clock.now()
    site.clock.advance(60)
    rules.set(rules.allow(), "queued_to_deny")

    assert read(lambda c: list(access.instances_with_rules_due(c, HOST, before))) == []
