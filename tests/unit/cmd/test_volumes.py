# SPDX-License-Identifier: Apache-2.0
"""manila-lite volume: rows, statuses and operations as an API would make them."""

import json

import pytest

from manila_lite.db import reports, services
from manila_lite.db.models import snapshots, volume_metadata, volumes
from tests.support.volumes import HOST, OTHER_POOL, POOL, SHARE


@pytest.fixture
def shell(volume_shell):
    return volume_shell


@pytest.fixture
def disk(shell):
    """A volume of 5 GiB called disk that is there."""
    shell.read("volume", "create", "--size", "5", "--name", "disk")
    shell.site.run()
    return shell.read("volume", "show", "disk")


@pytest.fixture
def monday(shell, disk):
    """A snapshot of it that is there."""
    shell.read("volume", "snapshot", "create", "disk", "--name", "monday")
    shell.site.run()
    return shell.read("volume", "snapshot", "show", "monday")


def operations(shell, method):
    found = shell.read("op", "list", "--method", method)
    return [shell.read("op", "show", item["id"]) for item in found]


def test_a_new_volume_is_creating_and_its_operation_is_in_the_journal(shell):
    made = shell.read("volume", "create", "--size", "3", "--name", "disk", "--metadata", "k=v")

    assert (made["status"], made["size"], made["host"]) == ("creating", 3, POOL)
    assert made["volume_type"] == "__DEFAULT__"
    [operation] = operations(shell, "create_volume")
    assert (operation["id"], operation["host"]) == (made["operation"], HOST)
    assert operation["lane"] == f"volume:{made['id']}"
    assert operation["arguments"]["volume_id"] == made["id"]
    assert [row["value"] for row in shell.site.rows(volume_metadata)] == ["v"]


def test_the_service_makes_what_the_command_line_asks_for(shell):
    shell.serve_while_waiting()

    made = shell.read("volume", "create", "--size", "3", "--name", "disk", "--wait")

    assert (made["status"], made["provider_location"]) == ("available", SHARE)
    assert made["file_name"] == f"volume-{made['id']}"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "needs a --size"),
        (("--image", "image"), "needs a --size"),
        (("--snapshot", "monday", "--source", "disk"), "not several"),
        (("--snapshot", "monday", "--size", "4"), "less than the source's size of 5 GiB"),
        (("--size", "1", "--backend", "third"), "no enabled back end 'third'"),
    ],
)
def test_a_volume_that_cannot_be_made_is_refused(shell, monday, options, reason):
    assert reason in shell.refusal("volume", "create", *options)
    assert len(shell.site.rows(volumes)) == 1


def test_a_volume_from_a_snapshot_or_a_volume_goes_where_that_is_and_has_its_size(
    shell, disk, monday
):
    shell.site.set(volumes, disk["id"], host=OTHER_POOL)

    again = shell.read("volume", "create", "--snapshot", "monday", "--name", "again")
    copy = shell.read("volume", "clone", "disk", "--size", "7", "--name", "copy")

    assert (again["host"], again["size"], again["snapshot_id"]) == (OTHER_POOL, 5, monday["id"])
    assert (copy["host"], copy["size"], copy["source_volid"]) == (OTHER_POOL, 7, disk["id"])
    shell.site.run()
    assert shell.site.driver.called("create_volume_from_snapshot") == 1
    assert shell.site.driver.called("create_cloned_volume") == 1


def test_a_volume_from_an_image_asks_for_that_image(shell):
    shell.read("volume", "create", "--size", "2", "--image", "image")

    [operation] = operations(shell, "create_volume")
    assert operation["arguments"]["request_spec"]["image_id"] == "image"
    shell.site.run()
    assert shell.read("volume", "list")[0]["status"] == "available"


def test_a_source_that_is_in_use_or_being_changed_is_no_source(shell, disk):
    shell.read("volume", "attach", "disk")

    assert "'in-use'" in shell.refusal("volume", "clone", "disk")


def test_an_unknown_type_ends_with_3(shell):
    shell.refusal("volume", "create", "--size", "1", "--type", "gold", code=3)


def test_the_pool_with_the_most_room_in_the_last_report_is_taken(shell):
    pools = [
        {"pool_name": "small", "free_capacity_gb": 10},
        {"pool_name": "large", "free_capacity_gb": 90.5},
    ]
    with shell.site.database.writer() as connection:
        reports.keep(connection, HOST, {"pools": pools}, shell.clock.now())

    assert shell.read("volume", "create", "--size", "1")["host"] == f"{HOST}#large"


def test_one_of_several_back_ends_has_to_be_chosen(shell):
    shell.conf.set_override("enabled_volume_backends", ["backend", "second"])

    assert "backend, second" in shell.refusal("volume", "create", "--size", "1")
    made = shell.read("volume", "create", "--size", "1", "--backend", "second")
    assert made["host"] == "host@second#second"


@pytest.mark.parametrize("name", ["nothing", "%", "abc", "x' OR '1'='1"])
def test_a_volume_that_is_not_there_ends_with_3(shell, disk, name):
    assert "could not be found" in shell.refusal("volume", "show", name, code=3)


def test_a_volume_is_found_by_id_name_and_beginning_of_its_id(shell, disk):
    for name in (disk["id"], "disk", disk["id"][:8]):
        assert shell.read("volume", "show", name)["id"] == disk["id"]


def test_a_name_of_several_volumes_is_refused_with_their_ids(shell):
    made = [shell.read("volume", "create", "--size", "1", "--name", "twin") for _ in range(2)]

    said = shell.refusal("volume", "show", "twin")

    assert all(item["id"] in said for item in made)


def test_secrets_of_the_driver_are_not_shown(shell, disk):
    shell.site.set(volumes, disk["id"], provider_auth="CHAP user geheim")

    assert "geheim" not in json.dumps(shell.read("volume", "show", "disk"))


def test_lists_filter_by_status_and_host(shell, disk):
    shell.read("volume", "create", "--size", "1", "--host", "other@backend#p")

    assert [row["name"] for row in shell.read("volume", "list", "--status", "available")] == [
        "disk"
    ]
    assert len(shell.read("volume", "list", "--host", "other@backend")) == 1
    assert len(shell.read("volume", "list", "--limit", "1")) == 1


def test_an_extension_begins_with_its_status_and_ends_with_the_size(shell, disk):
    assert shell.read("volume", "extend", "disk", "7")["status"] == "extending"
    shell.site.run()

    shown = shell.read("volume", "show", "disk")
    assert (shown["status"], shown["size"]) == ("available", 7)


@pytest.mark.parametrize("size", ["5", "4"])
def test_an_extension_to_no_more_is_refused(shell, disk, size):
    assert "5 GiB" in shell.refusal("volume", "extend", "disk", size)
    assert shell.read("volume", "show", "disk")["status"] == "available"


def test_a_volume_that_is_being_changed_is_not_changed_a_second_time(shell, disk):
    shell.read("volume", "extend", "disk", "7")

    assert "'extending'" in shell.refusal("volume", "extend", "disk", "9")
    assert "'extending'" in shell.refusal("volume", "delete", "disk")
    assert "'extending'" in shell.refusal("volume", "snapshot", "create", "disk")
    assert "'extending'" in shell.refusal("volume", "attach", "disk")
    assert len(operations(shell, "extend_volume")) == 1


def test_a_deleted_volume_is_not_found_again(shell, disk):
    shell.serve_while_waiting()

    gone = shell.read("volume", "delete", "disk", "--wait")

    assert gone[0]["name"] == "disk"
    shell.refusal("volume", "show", "disk", code=3)
    assert shell.read("volume", "list") == []


def test_force_deletes_whatever_the_status_says(shell, disk):
    shell.read("volume", "extend", "disk", "7")
    shell.read("volume", "delete", "disk", "--force")

    assert shell.read("volume", "show", "disk")["status"] == "deleting"


def test_a_volume_with_snapshots_is_deleted_only_together_with_them(shell, monday):
    assert "1 snapshots" in shell.refusal("volume", "delete", "disk")

    shell.read("volume", "delete", "disk", "--cascade")

    assert shell.read("volume", "snapshot", "show", "monday")["status"] == "deleting"
    shell.site.run()
    assert shell.read("volume", "list") == shell.read("volume", "snapshot", "list") == []


@pytest.mark.parametrize("verb", [("delete", "disk"), ("extend", "disk", "9"), ("revert", "disk")])
def test_what_needs_a_volume_for_itself_is_refused_while_it_is_attached(shell, monday, verb):
    shell.read("volume", "attach", "disk")

    assert "detach it first" in shell.refusal("volume", *verb)
    assert shell.read("volume", "show", "disk")["status"] == "in-use"


def test_an_attachment_is_recorded_and_ended(shell, disk):
    held = shell.read("volume", "attach", "disk", "--host-name", "here", "--mountpoint", "/dev/vdb")
    assert held["status"] == "in-use"
    [attachment] = held["attachments"]
    assert (attachment["attached_host"], attachment["mountpoint"]) == ("here", "/dev/vdb")
    assert "'in-use'" in shell.refusal("volume", "attach", "disk")

    free = shell.read("volume", "detach", "disk")

    assert (free["status"], free["attachments"]) == ("available", [])
    shell.refusal("volume", "detach", "disk", code=3)


def test_a_volume_is_not_given_away_while_its_active_image_may_change(shell, disk):
    shell.read("volume", "snapshot", "create", "disk")

    assert "under way" in shell.refusal("volume", "attach", "disk")

    shown = shell.read("volume", "show", "disk")
    assert (shown["status"], shown["attachments"]) == ("available", [])
    shell.site.run()
    assert shell.read("volume", "attach", "disk")["status"] == "in-use"


def test_an_attachment_that_was_broken_off_is_ended_by_a_detachment(shell, disk):
    shell.site.set(volumes, disk["id"], status="attaching")

    assert shell.read("volume", "detach", "disk")["status"] == "available"


def test_a_volume_for_several_is_detached_from_the_one_that_is_named(shell):
    shell.read("volume", "create", "--size", "1", "--name", "shared", "--multiattach")
    shell.site.run()
    for host in ("one", "two"):
        held = shell.read("volume", "attach", "shared", "--host-name", host)
    ids = {item["attached_host"]: item["id"] for item in held["attachments"]}

    said = shell.refusal("volume", "detach", "shared")
    left = shell.read("volume", "detach", "shared", "--attachment", ids["one"][:8])

    assert all(attachment_id in said for attachment_id in ids.values())
    assert left["status"] == "in-use"
    assert [item["attached_host"] for item in left["attachments"]] == ["two"]


def test_a_reversion_shows_on_both_rows_and_ends_on_both(shell, disk, monday):
    assert shell.read("volume", "revert", "disk", "monday")["status"] == "reverting"
    assert shell.read("volume", "snapshot", "show", "monday")["status"] == "restoring"

    shell.site.run()

    assert shell.read("volume", "show", "disk")["status"] == "available"
    assert shell.read("volume", "snapshot", "show", "monday")["status"] == "available"
    assert shell.site.driver.called("revert_to_snapshot") == 1


def test_only_the_youngest_snapshot_of_the_same_size_can_be_gone_back_to(shell, disk, monday):
    shell.read("volume", "snapshot", "create", "disk", "--name", "tuesday")
    shell.site.run()
    assert "not the youngest" in shell.refusal("volume", "revert", "disk", "monday")

    shell.site.set(volumes, disk["id"], size=9)

    assert "has grown" in shell.refusal("volume", "revert", "disk")
    assert shell.read("volume", "show", "disk")["status"] == "available"


def test_a_volume_without_snapshots_is_not_reverted(shell, disk):
    assert "no snapshot" in shell.refusal("volume", "revert", "disk")


def test_an_upload_makes_an_image_that_waits_for_its_data(shell, disk, tmp_path):
    shell.conf.set_override("image_service", f"file://{tmp_path}/images")

    sent = shell.read("volume", "upload", "disk", "--image-name", "golden")

    assert sent["status"] == "uploading"
    image = json.loads((tmp_path / "images" / f"{sent['image_id']}.json").read_text())
    assert (image["name"], image["status"], image["disk_format"]) == ("golden", "queued", "qcow2")
    [operation] = operations(shell, "copy_volume_to_image")
    assert operation["arguments"]["image_meta"]["id"] == sent["image_id"]


def test_an_upload_that_cannot_begin_leaves_no_image(shell, disk, tmp_path):
    shell.conf.set_override("image_service", f"file://{tmp_path}/images")
    shell.read("volume", "attach", "disk")

    shell.refusal("volume", "upload", "disk")

    assert not (tmp_path / "images").exists()


def test_a_volume_on_its_way_elsewhere_is_left_alone(shell, disk, monday):
    moved = shell.read("volume", "migrate", "disk", OTHER_POOL)
    assert (moved["status"], moved["migration_status"]) == ("available", "starting")
    for words in (
        ("delete", "disk", "--cascade"),
        ("extend", "disk", "9"),
        ("migrate", "disk", OTHER_POOL),
        ("snapshot", "create", "disk"),
        ("snapshot", "delete", "monday"),
    ):
        assert "in a migration" in shell.refusal("volume", *words)

    shell.site.run()

    assert shell.read("volume", "show", "disk")["host"] == OTHER_POOL


@pytest.mark.parametrize(
    ("host", "code", "reason"),
    [("nonsense", 7, "host@backend#pool"), (POOL, 7, "there already")],
)
def test_a_place_that_is_none_or_the_same_is_refused(shell, disk, host, code, reason):
    assert reason in shell.refusal("volume", "migrate", "disk", host, code=code)


# -- check and repair --------------------------------------------------------------------------

FINDING = {"kind": "stray", "path": "volume-x.y", "text": "no chain has it", "repair": "remove it"}


def test_a_check_shows_what_the_driver_found_and_asks_for_no_repair(shell, disk, monday):
    shell.serve_while_waiting()
    shell.site.driver.answers["check_volume"] = {"findings": [FINDING]}

    [report] = shell.read("volume", "check", "disk")

    assert (report["volume_id"], report["findings"]) == (disk["id"], [FINDING])
    assert shell.site.driver.argument("check_volume", 1) == [monday["id"]]
    assert "no chain has it" in shell.type("volume", "check", "disk").stdout


@pytest.mark.parametrize(("options", "dry_run"), [((), True), (("--apply",), False)])
def test_a_repair_is_a_dry_run_unless_it_is_to_be_applied(shell, disk, options, dry_run):
    asked = []

    def repair(volume, snapshot_ids, dry_run):
        asked.append(dry_run)
        return {"findings": [FINDING]}

    shell.serve_while_waiting()
    shell.site.driver.answers |= {"check_volume": {}, "repair_volume": repair}

    said = shell.type("volume", "repair", "disk", *options).stdout

    assert asked == [dry_run]
    assert ("Nothing was changed" in said) is dry_run


def test_a_volume_that_is_well_is_said_to_be(shell, disk):
    shell.serve_while_waiting()
    shell.site.driver.answers["check_volume"] = {"findings": []}

    assert "All is well" in shell.type("volume", "check", "disk").stdout


def test_a_check_that_nobody_carries_out_ends_with_5(shell, disk):
    said = shell.refusal("volume", "check", "disk", "--timeout", "30", code=5)

    assert "manila-lite-volume" in said
    assert "still queued" in said


# -- snapshots ---------------------------------------------------------------------------------


def test_a_snapshot_is_made_listed_and_deleted(shell, disk):
    shell.serve_while_waiting()

    made = shell.read("volume", "snapshot", "create", "disk", "--name", "monday", "--wait")

    assert (made["status"], made["volume_size"], made["progress"]) == ("available", 5, "100%")
    [listed] = shell.read("volume", "snapshot", "list", "--volume", "disk")
    assert (listed["id"], listed["volume_name"]) == (made["id"], "disk")
    shell.read("volume", "snapshot", "delete", "monday", "--wait")
    assert shell.read("volume", "snapshot", "list") == []


def test_a_snapshot_of_an_attached_volume_is_asked_of_nova(shell, disk):
    shell.read("volume", "attach", "disk", "--instance", "guest")

    shell.read("volume", "snapshot", "create", "disk")
    shell.site.run()

    assert shell.site.nova.called("create_volume_snapshot") == 1
    [row] = shell.site.rows(snapshots)
    assert row["status"] == "creating"


def test_a_snapshot_that_is_being_deleted_is_not_deleted_again(shell, monday):
    shell.read("volume", "snapshot", "delete", "monday")

    assert "'deleting'" in shell.refusal("volume", "snapshot", "delete", "monday")
    shell.read("volume", "snapshot", "delete", "monday", "--force")


def test_a_snapshot_that_is_not_there_ends_with_3(shell):
    shell.refusal("volume", "snapshot", "show", "nothing", code=3)
    shell.refusal("volume", "snapshot", "create", "no-volume", code=3)


# -- who is there ------------------------------------------------------------------------------


def test_without_a_service_a_warning_names_the_program(shell):
    said = shell.type("volume", "create", "--size", "1").stderr

    assert f"No service of {HOST} has reported" in said
    assert "manila-lite-volume" in said


def test_no_warning_where_a_volume_service_is_up_and_one_of_shares_does_not_count(shell):
    def register(**names):
        with shell.site.database.writer() as connection:
            services.register(connection, HOST, "nova", shell.clock.now(), **names)

    register()
    assert "No service" in shell.type("volume", "create", "--size", "1").stderr
    register(topic="cinder-volume", binary="manila-lite-volume")
    assert "No service" not in shell.type("volume", "create", "--size", "1").stderr

    assert {row["binary"] for row in shell.read("service", "list")} == {
        "manila-share", "manila-lite-volume",
    }  # fmt: skip


def test_pools_of_volumes_are_listed_like_those_of_shares(shell):
    with shell.site.database.writer() as connection:
        report = {"volume_backend_name": "FILES", "free_capacity_gb": 7}
        reports.keep(connection, HOST, report, shell.clock.now())

    [row] = shell.read("pool", "list")

    assert (row["name"], row["volume_backend_name"]) == (f"{HOST}#FILES", "FILES")
