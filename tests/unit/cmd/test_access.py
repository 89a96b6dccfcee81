# SPDX-License-Identifier: Apache-2.0
"""manila-lite share access and snapshot access."""

import pytest

from manila_lite import exception
from manila_lite.cmd import access_values
from manila_lite.db import models, types
from manila_lite.db.writes import execute_writes


@pytest.fixture
def music(shell):
    specs = {"snapshot_support": "True", "mount_snapshot_support": "True"}
    with shell.site.database.writer() as connection:
        execute_writes(connection, [types.new_type("full", specs, shell.clock.now())])
    shell.read("share", "create", "5", "--name", "music", "--type", "full")
    shell.site.run()
    return shell.read("share", "show", "music")


@pytest.fixture
def monday(shell, music):
    shell.site.driver.answers["snapshot_update_access"] = None
    shell.read("snapshot", "create", "music", "--name", "monday")
    shell.site.run()
    return shell.read("snapshot", "show", "monday")


def allow(shell, *words):
    return shell.read("share", "access", "allow", "music", *words)


def rules(shell):
    return {
        rule["access_to"]: rule["state"] for rule in shell.read("share", "access", "list", "music")
    }


def test_a_rule_is_allowed_listed_and_denied(shell, music):
    shell.serve_while_waiting()

    made = allow(shell, "ip", "10.0.0.0/24", "--level", "ro", "--wait")
    assert (made["state"], made["access_type"], made["access_to"]) == (
        "active",
        "ip",
        "10.0.0.0/24",
    )
    assert (made["access_level"], made["share_id"]) == ("ro", music["id"])
    assert len(made["operations"]) == 1

    [listed] = shell.read("share", "access", "list", "music")
    assert (listed["id"], listed["state"]) == (made["id"], "active")

    [gone] = shell.read("share", "access", "deny", "music", "10.0.0.0/24", "--wait")
    assert gone["id"] == made["id"]
    assert shell.read("share", "access", "list", "music") == []
    assert shell.site.driver.called("update_access") == 2


def test_without_waiting_the_rule_is_queued(shell, music):
    made = allow(shell, "user", "alice")

    assert (made["state"], made["access_level"]) == ("queued_to_apply", "rw")
    instance = shell.site.rows(models.share_instances, deleted="False")[0]
    assert instance["access_rules_status"] == "syncing"
    shell.site.run()
    assert rules(shell) == {"alice": "active"}


def test_people_get_a_table_and_a_sentence(shell, music):
    allow(shell, "ip", "10.0.0.1")

    table = shell.type("share", "access", "list", "music").stdout
    assert "10.0.0.1" in table and "queued_to_apply" in table
    assert (
        "Denying ip 10.0.0.1" in shell.type("share", "access", "deny", "music", "10.0.0.1").stdout
    )
    assert "No access rules" in shell.type("share", "access", "list", shell.read(
        "share", "create", "1", "--name", "empty")["id"]).stdout  # fmt: skip


def test_several_rules_are_denied_at_once(shell, music):
    ids = [allow(shell, "ip", f"10.0.0.{number}")["id"] for number in (1, 2)]
    shell.site.run()
    shell.serve_while_waiting()

    shell.read("share", "access", "deny", "music", ids[0], ids[1][:8], "--wait")

    assert rules(shell) == {}


@pytest.mark.parametrize(
    ("first", "second"), [("10.0.0.1", "10.0.0.1/32"), ("10.0.0.1", "10.0.0.1")]
)
def test_a_second_rule_for_the_same_is_refused(shell, music, first, second):
    allow(shell, "ip", first)

    assert "already" in shell.refusal("share", "access", "allow", "music", "ip", second)
    assert len(rules(shell)) == 1


def test_the_same_name_of_another_type_is_another_rule(shell, music):
    allow(shell, "user", "alice")
    allow(shell, "cert", "alice")

    assert len(shell.read("share", "access", "list", "music")) == 2
    assert "several rules" in shell.refusal("share", "access", "deny", "music", "alice")


def test_a_rule_that_is_being_denied_is_not_denied_again(shell, music):
    made = allow(shell, "ip", "10.0.0.1")
    shell.read("share", "access", "deny", "music", made["id"])

    assert "denied already" in shell.refusal("share", "access", "deny", "music", made["id"])


def test_a_rule_in_error_can_be_denied(shell, music):
    shell.site.driver.answers["update_access"] = RuntimeError("no")
    made = allow(shell, "ip", "10.0.0.1")
    shell.site.run()
    assert rules(shell) == {"10.0.0.1": "error"}
    shell.site.driver.answers["update_access"] = None

    shell.read("share", "access", "deny", "music", made["id"])
    shell.site.run()

    assert rules(shell) == {}


def test_whoever_waits_is_told_of_a_failed_operation_and_of_a_refused_rule(shell, music):
    shell.serve_while_waiting()
    driver = shell.site.driver
    driver.answers["update_access"] = exception.InvalidShareAccess(reason="no such network")
    words = ("share", "access", "allow", "music", "ip")
    assert "no such network" in shell.refusal(*words, "10.0.0.1", "--wait", code=4)

    driver.answers["update_access"] = lambda context, share, access_rules, **lists: {
        rule["access_id"]: {"state": "error"} for rule in access_rules
    }
    assert "refuses it" in shell.refusal(*words, "10.0.0.2", "--wait", code=4)


def test_a_share_that_is_not_available_takes_no_rules_and_keeps_those_it_has(shell, music):
    made = allow(shell, "ip", "10.0.0.1")
    shell.site.run()
    shell.read("share", "delete", "music")

    assert "'deleting'" in shell.refusal("share", "access", "allow", "music", "ip", "10.0.0.2")
    assert "'deleting'" in shell.refusal("share", "access", "deny", "music", made["id"])


def test_what_is_not_there_ends_with_3(shell, music):
    shell.refusal("share", "access", "list", "nothing", code=3)
    assert "10.9.9.9" in shell.refusal("share", "access", "deny", "music", "10.9.9.9", code=3)


def test_keys_are_shown_on_request_only(shell, music):
    made = allow(shell, "cephx", "alice")
    key = {made["id"]: {"access_key": "AQBsecret"}}
    shell.site.driver.answers["update_access"] = key
    shell.site.run()

    assert "AQBsecret" not in shell.type("--json", "share", "access", "list", "music").stdout
    assert "AQBsecret" not in shell.type("share", "access", "list", "music").stdout
    [rule] = shell.read("share", "access", "list", "music", "--keys")
    assert rule["access_key"] == "AQBsecret"
    assert "AQBsecret" in shell.type("share", "access", "list", "music", "--keys").stdout


def test_rules_of_a_snapshot(shell, monday):
    shell.serve_while_waiting()

    made = shell.read("snapshot", "access", "allow", "monday", "ip", "10.0.0.7", "--wait")
    assert (made["state"], made["snapshot_id"]) == ("active", monday["id"])
    assert "access_level" not in made
    assert [rule["access_to"] for rule in shell.read("snapshot", "access", "list", "monday")] == [
        "10.0.0.7"
    ]
    shell.read("snapshot", "access", "deny", "monday", "10.0.0.7", "--wait")
    assert shell.read("snapshot", "access", "list", "monday") == []


def test_a_snapshot_that_cannot_be_mounted_takes_no_rules(shell, monday):
    with shell.site.database.writer() as connection:
        connection.execute(models.shares.update().values(mount_snapshot_support=False))

    words = ("snapshot", "access", "allow", "monday", "ip", "10.0.0.7")
    assert "cannot be mounted" in shell.refusal(*words)


# -- when the broker does not take a cast ---------------------------------------------------------


@pytest.fixture
def broken_broker(shell, music, monkeypatch):
    from manila_lite.cmd import dispatch

    def refuse(*args, **kwargs):
        raise exception.ManilaException("no broker")

    def switch(on):
        url = "rabbit://" if on else None
        monkeypatch.setattr(dispatch, "transport_url", lambda conf: url)
        monkeypatch.setattr(dispatch, "_cast", refuse)

    return switch


def test_a_rule_whose_cast_is_not_taken_is_withdrawn(shell, broken_broker):
    broken_broker(True)
    shell.refusal("share", "access", "allow", "music", "ip", "10.0.0.1", code=70)
    assert rules(shell) == {}
    instance = shell.site.rows(models.share_instances, deleted="False")[0]
    assert instance["access_rules_status"] == "active"


def test_a_denial_whose_cast_is_not_taken_is_undone(shell, broken_broker):
    allow(shell, "ip", "10.0.0.1")
    shell.site.run()
    broken_broker(True)

    shell.refusal("share", "access", "deny", "music", "10.0.0.1", code=70)

    assert rules(shell) == {"10.0.0.1": "active"}


# -- what may be written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ip", "10.0.0.1"), ("ip", "10.0.0.0/24"), ("ip", "2001:db8::1"), ("ip", "2001:db8::/64"),
        ("ip", "0.0.0.0/0"), ("user", "alice"), ("user", "fulano.silva$"), ("user", "a b-c_d'"),
        ("user", "u" * 255), ("cert", "c"), ("cert", "c" * 64), ("cert", "TLS name"),
        ("cephx", "alice"), ("cephx", "my client"),
    ],
)  # fmt: skip
def test_what_manila_takes_is_taken(kind, text):
    assert access_values.checked(kind, f" {text} ") == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ip", ""), ("ip", "10.0.0"), ("ip", "10.0.0.1/24"), ("ip", "10.0.0.0/33"), ("ip", "host"),
        ("ip", "2001:db8::1/64"), ("ip", "10.0.0.1,10.0.0.2"), ("user", ""), ("user", "abc"),
        ("user", "...."), ("user", ". . ."), ("user", "al:ice"), ("user", "al/ice"),
        ("user", "u" * 256), ("user", "ali\nce"), ("cert", ""), ("cert", "c" * 65),
        ("cert", "a\nb"), ("cephx", ""), ("cephx", "a.b"), ("cephx", "älice"),
    ],
)  # fmt: skip
def test_what_manila_refuses_is_refused_with_type_and_value(kind, text):
    with pytest.raises(exception.InvalidShareAccess) as caught:
        access_values.checked(kind, text)
    assert f"{kind} {text!r:.300}" in str(caught.value)


def test_a_wrong_address_is_told_before_anything_is_written(shell, music):
    assert "10.0.0.1/24" in shell.refusal("share", "access", "allow", "music", "ip", "10.0.0.1/24")
    assert rules(shell) == {}


def test_the_command_line_knows_the_types(shell, music):
    shell.refusal("share", "access", "allow", "music", "domain", "example", code=2)
