# SPDX-License-Identifier: Apache-2.0
"""manila-lite share: rows, statuses and operations as an API would make them."""

import json
from pathlib import Path

import pytest

from manila_lite.db.models import share_instances, share_metadata, shares
from tests.support.shares import EXPORT, HOST, POOL

WIRE = Path(__file__).parents[2] / "data" / "wire"


def only_operation(shell):
    found = shell.read("op", "list")
    assert len(found) == 1
    return shell.read("op", "show", found[0]["id"])


def test_a_new_share_is_creating_and_its_operation_is_in_the_journal(shell):
    made = shell.read("share", "create", "3", "--name", "music", "--metadata", "k=v")
    assert (made["status"], made["size"], made["host"]) == ("creating", 3, POOL)
    operation = only_operation(shell)
    assert operation["method"] == "create_share_instance"
    assert (operation["id"], operation["host"]) == (made["operation"], HOST)
    assert operation["arguments"]["share_instance_id"] == made["instances"][0]
    assert [row["value"] for row in shell.site.rows(share_metadata)] == ["v"]


def test_the_service_makes_what_the_command_line_asks_for(shell):
    shell.read("share", "create", "3", "--name", "music")
    shell.site.run()
    shown = shell.read("share", "show", "music")
    assert (shown["status"], shown["export_locations"]) == ("available", [EXPORT])


def test_a_request_spec_has_the_keys_of_a_recorded_one(shell):
    recorded = json.loads((WIRE / "create_share_instance.to-share.json").read_text())
    wanted = recorded["oslo.message"]["args"]
    shell.read("share", "create", "1")
    arguments = only_operation(shell)["arguments"]
    assert _shape(arguments) == _shape(wanted)


def _shape(value, path=""):
    """Paths of all keys, but for what belongs to one share type or share alone."""
    if not isinstance(value, dict) or path.endswith(("extra_specs", "metadata")):
        return {path}
    return {found for key, item in value.items() for found in _shape(item, f"{path}/{key}")}


def test_several_shares_are_numbered(shell):
    made = shell.read("share", "create", "1", "--name", "batch", "--count", "3")
    assert [item["name"] for item in made] == ["batch-1", "batch-2", "batch-3"]
    assert len({item["operation"] for item in made}) == 3


def test_wait_returns_when_the_share_is_there(shell):
    shell.serve_while_waiting()
    assert shell.read("share", "create", "1", "--wait")["status"] == "available"


def test_wait_ends_with_4_when_the_driver_refuses(shell):
    shell.serve_while_waiting()
    shell.site.driver.answers["create_share"] = ValueError("the storage said no")
    said = shell.refusal("share", "create", "1", "--name", "music", "--wait", code=4)
    assert "the storage said no" in said
    assert shell.read("share", "show", "music")["status"] == "error"


def test_wait_ends_with_5_when_time_is_up_and_the_operation_goes_on(shell):
    said = shell.refusal("share", "create", "1", "--wait", "--timeout", "30", code=5)
    assert "still queued after 30 seconds" in said
    assert only_operation(shell)["state"] == "queued"


def test_without_a_service_a_warning_says_so(shell):
    result = shell.type("share", "create", "1")
    assert f"No service of {HOST} has reported" in result.stderr


def test_a_share_is_found_by_id_name_and_beginning_of_its_id(shell):
    made = shell.read("share", "create", "1", "--name", "music")
    for name in (made["id"], "music", made["id"][:8]):
        assert shell.read("share", "show", name)["id"] == made["id"]


def test_a_name_of_several_shares_is_refused_with_their_ids(shell):
    made = [shell.read("share", "create", "1", "--name", "twin") for _ in range(2)]
    said = shell.refusal("share", "show", "twin")
    assert all(item["id"] in said for item in made)


@pytest.mark.parametrize("name", ["nothing", "%", "abc", "x' OR '1'='1"])
def test_a_share_that_is_not_there_ends_with_3(shell, name):
    shell.read("share", "create", "1", "--name", "music")
    assert "could not be found" in shell.refusal("share", "show", name, code=3)


def test_a_deleted_share_is_not_found_again(shell):
    shell.serve_while_waiting()
    shell.read("share", "create", "1", "--name", "music", "--wait")
    gone = shell.read("share", "delete", "music", "--wait")
    assert gone[0]["name"] == "music"
    shell.refusal("share", "show", "music", code=3)
    assert shell.read("share", "list") == []


@pytest.mark.parametrize("size", ["0", "-1", "1.5", "many", "2147483648"])
def test_a_size_that_cannot_be_is_a_usage_error(shell, size):
    shell.type("share", "create", "--", size, code=2)
    assert shell.site.rows(shares) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "two\nlines", "bell\a"])
def test_a_name_that_cannot_be_is_a_usage_error(shell, name):
    shell.type("share", "create", "1", "--name", name, code=2)
    assert shell.site.rows(shares) == []


def test_a_protocol_that_is_not_enabled_is_refused(shell):
    assert "NFS, CIFS" in shell.refusal("share", "create", "1", "--protocol", "HDFS")
    assert shell.read("share", "create", "1", "--protocol", "cifs")["share_proto"] == "CIFS"


def test_one_of_several_back_ends_has_to_be_chosen(shell):
    shell.conf.set_override("enabled_share_backends", ["backend", "second"])
    assert "backend, second" in shell.refusal("share", "create", "1")
    made = shell.read("share", "create", "1", "--backend", "second")
    assert made["host"] == "host@second#second"
    assert "no enabled back end 'third'" in shell.refusal(
        "share", "create", "1", "--backend", "third"
    )


def test_the_pool_with_the_most_room_in_the_last_report_is_taken(shell):
    from manila_lite.db import reports

    pools = [
        {"pool_name": "small", "free_capacity_gb": 10},
        {"pool_name": "large", "free_capacity_gb": 90.5},
        {"pool_name": "odd", "free_capacity_gb": "unknown"},
    ]
    with shell.site.database.writer() as connection:
        reports.keep(connection, HOST, {"pools": pools}, shell.clock.now())
    assert shell.read("share", "create", "1")["host"] == f"{HOST}#large"


def test_a_host_can_be_given_in_full_but_must_look_like_one(shell):
    made = shell.read("share", "create", "1", "--host", "other@backend#fast")
    assert made["host"] == "other@backend#fast"
    assert "host@backend#pool" in shell.refusal("share", "create", "1", "--host", "nonsense")


def test_an_unknown_share_type_ends_with_3(shell):
    shell.refusal("share", "create", "1", "--type", "gold", code=3)


@pytest.fixture
def available(shell):
    """A share of 5 GiB called music that is there."""
    shell.read("share", "create", "5", "--name", "music")
    shell.site.run()
    return shell.read("share", "show", "music")


@pytest.mark.parametrize(
    ("verb", "size", "status", "method"),
    [("extend", "7", "extending", "extend_share"), ("shrink", "2", "shrinking", "shrink_share")],
)
def test_a_resize_begins_with_its_status_and_ends_with_the_size(
    shell, available, verb, size, status, method
):
    shell.site.driver.answers[method] = None
    assert shell.read("share", verb, "music", size)["status"] == status
    shell.site.run()
    shown = shell.read("share", "show", "music")
    assert (shown["status"], shown["size"]) == ("available", int(size))


@pytest.mark.parametrize(("verb", "size"), [("extend", "5"), ("extend", "4"), ("shrink", "5")])
def test_a_resize_in_the_wrong_direction_is_refused(shell, available, verb, size):
    assert "5 GiB" in shell.refusal("share", verb, "music", size)
    assert shell.read("share", "show", "music")["status"] == "available"


def test_a_share_that_is_being_changed_is_not_changed_a_second_time(shell, available):
    shell.read("share", "extend", "music", "7")
    assert "'extending'" in shell.refusal("share", "extend", "music", "9")
    assert "'extending'" in shell.refusal("share", "delete", "music")
    assert len(shell.read("op", "list", "--method", "extend_share")) == 1


def test_force_deletes_whatever_the_status_says(shell, available):
    shell.read("share", "extend", "music", "7")
    shell.read("share", "delete", "music", "--force")
    assert shell.read("share", "show", "music")["status"] == "deleting"


def test_a_share_with_snapshots_is_not_deleted(shell, available):
    shell.read("snapshot", "create", "music")
    assert "1 snapshots" in shell.refusal("share", "delete", "music")
    assert shell.read("share", "show", "music")["status"] == "available"


def test_a_request_that_the_journal_does_not_take_leaves_no_rows(shell, monkeypatch):
    from manila_lite.engine.journal import Journal

    def refuse(*args, **kwargs):
        raise RuntimeError("no room")

    monkeypatch.setattr(Journal, "insert_on", refuse)
    shell.refusal("share", "create", "1", code=70)
    assert shell.site.rows(share_instances) == []


def test_lists_filter_by_status_and_host(shell, available):
    shell.read("share", "create", "1", "--host", "other@backend#p")
    assert [row["name"] for row in shell.read("share", "list", "--status", "available")] == [
        "music"
    ]
    assert len(shell.read("share", "list", "--host", "other@backend")) == 1
    assert len(shell.read("share", "list", "--limit", "1")) == 1


def test_a_table_shows_markup_in_a_name_as_it_is(shell):
    shell.type("share", "create", "1", "--name", "[red]x[/red]")
    assert "[red]x[/red]" in shell.type("share", "list").stdout


def test_times_are_utc_with_a_z(shell):
    made = shell.read("share", "create", "1")
    assert made["created_at"].endswith("Z")
