# SPDX-License-Identifier: Apache-2.0
"""The way of a migration that goes well, and its refusals."""

import pytest

from manila_lite import exception
from manila_lite.db import models, types
from manila_lite.db.writes import execute_writes
from tests.support.migrations import ALL, DESTINATION, NEW_EXPORT, OTHER, Migrations
from tests.support.shares import EXPORT, HOST, Turns

SOURCE_WHOLE = ("migration_error", {"host": "available"})


@pytest.fixture
def migration(site):
    return Migrations(site)


def test_a_migration_from_its_start_to_its_end(site, migration):
    site.driver.answers["migration_continue"] = Turns([False, False, True])

    started = migration.start()

    assert started["state"] == "succeeded"
    assert migration.state() == (
        "migration_driver_in_progress",
        {"host": "migrating", "other": "migrating_to"},
    )
    there = migration.destination()
    assert there["host"] == DESTINATION
    assert site.driver.argument("migration_start", "destination_share")["id"] == there["id"]
    site.run(120)
    assert migration.state()[0] == "migration_driver_phase1_done"
    assert site.driver.called("migration_continue") == 3

    completed = migration.cast("migration_complete")

    assert completed["state"] == "succeeded"
    assert migration.state() == ("migration_success", {"other": "available"})
    exports = site.rows(models.share_instance_export_locations, deleted=0)
    assert [(row["share_instance_id"], row["path"]) for row in exports] == [
        (there["id"], NEW_EXPORT)
    ]
    assert site.usage("shares") == (1, 1)
    assert site.unfinished() == 0


def test_exports_that_the_driver_does_not_name_have_not_changed(site, migration):
    table = models.share_instance_export_locations
    with site.database.writer() as connection:
        connection.execute(
            table.insert(),
            {"share_instance_id": migration.share["instance_id"], "path": EXPORT,
             "is_admin_only": False, "uuid": "export", "deleted": 0},
        )  # fmt: skip
    migration.phase1()
    site.driver.answers["migration_complete"] = None

    migration.cast("migration_complete")

    assert [row["path"] for row in site.rows(table, deleted=0)] == [EXPORT]


def test_rules_are_due_at_the_destination(site, migration):
    rule = site.add_rule(migration.share)
    migration.phase1()
    there = migration.destination()["id"]

    migration.cast("migration_complete")

    mappings = site.rows(models.share_instance_access_map, deleted="False")
    assert [(m["share_instance_id"], m["access_id"], m["state"]) for m in mappings] == [
        (there, rule, "queued_to_apply")
    ]
    assert migration.destination()["access_rules_status"] == "syncing"
    operation = migration.operation("update_access")
    assert (operation["host"], operation["resource_id"]) == (OTHER, there)


@pytest.mark.parametrize("wish", ["writable", "preserve_metadata", "nondisruptive"])
def test_a_wish_that_is_not_offered_is_refused(site, migration, wish):
    site.driver.answers["migration_check_compatibility"] = {**ALL, wish: False}

    operation = migration.start(**{wish: True})

    assert operation["state"] == "failed"
    assert wish in operation["error"] and DESTINATION in operation["error"]
    assert migration.state() == SOURCE_WHOLE
    assert site.messages(migration.share["share_id"]) == [("005", "001")]
    assert not site.driver.called("migration_start")


@pytest.mark.parametrize(
    ("answers", "wishes", "said"),
    [
        ({"migration_check_compatibility": {"compatible": False}}, {}, "cannot migrate"),
        ({"migration_check_compatibility": None}, {}, "cannot migrate"),
        ({"migration_start": NotImplementedError("x")}, {}, "x"),
        ({"migration_start": RuntimeError("no room")}, {}, "no room"),
        ({}, {"dest_host": "nowhere@backend#pool"}, "nowhere@backend#pool"),
        ({}, {"force_host_assisted_migration": True}, "force_host_assisted_migration"),
        ({}, {"new_share_network_id": "net"}, "share servers"),
        ({}, {"new_share_type_id": "gone"}, "gone"),
    ],
)
def test_what_cannot_begin_leaves_the_share_as_it_was(site, migration, answers, wishes, said):
    site.driver.answers.update(answers)

    operation = migration.start(**wishes)

    assert (operation["state"], said in operation["error"]) == ("failed", True)
    assert migration.state() == SOURCE_WHOLE
    assert site.unfinished() == 0


def test_the_destination_is_in_the_zone_of_its_back_end(site, migration):
    assert migration.start()["state"] == "succeeded"
    assert migration.destination()["availability_zone_id"] is not None


def test_another_pool_of_a_back_end_that_has_not_reported_yet(site, migration):
    with site.database.writer() as connection:
        connection.execute(models.services.delete())

    assert migration.start(dest_host=f"{HOST}#second")["state"] == "succeeded"
    assert migration.destination()["availability_zone_id"] == site.environment.zone_id()


# -- rules --------------------------------------------------------------------------------------


@pytest.fixture
def levels(site, migration):
    """Levels that the driver was given, call by call."""
    site.driver.answers["migration_check_compatibility"] = {**ALL, "writable": False}
    site.add_rule(migration.share)
    seen = []

    def note(context, share, access_rules, add_rules, delete_rules, **rest):
        seen.append([rule["access_level"] for rule in access_rules])

    site.driver.answers["update_access"] = note
    return seen


def test_rules_are_read_only_until_a_cancel(site, migration, levels):
    migration.start()

    assert levels == [["ro"]]
    assert site.instance(migration.share)["cast_rules_to_readonly"]
    assert site.rows(models.share_instance_access_map)[0]["state"] == "active"

    migration.cast("migration_cancel")

    assert levels == [["ro"], ["rw"]]
    instance = site.instance(migration.share)
    assert (instance["cast_rules_to_readonly"], instance["access_rules_status"]) == (
        False,
        "active",
    )
    assert migration.state() == ("migration_cancelled", {"host": "available"})


def test_rules_that_cannot_be_read_only_stop_the_migration(site, migration, levels):
    rule = site.rows(models.share_access_map)[0]["id"]
    site.driver.answers["update_access"] = Turns([{rule: {"state": "error"}}, None])

    operation = migration.start()

    assert (operation["state"], rule in operation["error"]) == ("failed", True)
    assert migration.state() == SOURCE_WHOLE
    assert not site.driver.called("migration_start")


def test_rules_that_cannot_be_relaxed_now_stay_queued(site, migration, levels):
    migration.start()
    site.driver.answers["update_access"] = exception.ShareBackendException(msg="down")

    migration.cast("migration_cancel")

    assert migration.state() == ("migration_cancelled", {"host": "available"})
    assert site.rows(models.share_instance_access_map)[0]["state"] == "queued_to_update"


# -- snapshots ----------------------------------------------------------------------------------


def snapshot_rows(site):
    found = site.rows(models.share_snapshot_instances, deleted="False")
    return sorted((row["status"], row["provider_location"]) for row in found)


def test_snapshots_go_along(site, migration):
    snapshot = site.add_snapshot(migration.share, "available")
    migration.phase1(preserve_snapshots=True)
    assert snapshot_rows(site) == [("migrating", None), ("migrating_to", None)]
    mappings = site.driver.argument("migration_continue", "snapshot_mappings")
    assert list(mappings) == [snapshot["instance_id"]]
    there = mappings[snapshot["instance_id"]]["id"]
    site.driver.answers["migration_complete"] = {
        "snapshot_updates": {there: {"provider_location": "new"}}
    }

    migration.cast("migration_complete")

    assert snapshot_rows(site) == [("available", "new")]
    row = site.rows(models.share_snapshot_instances, deleted="False")[0]
    assert (row["id"], row["share_instance_id"]) == (there, migration.destination()["id"])
    assert site.rows(models.share_snapshots)[0]["deleted"] == "False"


def test_snapshots_that_cannot_go_along_stop_the_migration(site, migration):
    site.driver.answers["migration_check_compatibility"] = {**ALL, "preserve_snapshots": False}
    site.add_snapshot(migration.share, "available")

    operation = migration.start()

    assert "preserve_snapshots" in operation["error"]
    assert migration.state() == SOURCE_WHOLE


def test_a_snapshot_in_the_making_stops_the_migration(site, migration):
    snapshot = site.add_snapshot(migration.share, "creating")

    operation = migration.start()

    assert snapshot["snapshot_id"] in operation["error"]
    assert snapshot_rows(site) == [("creating", None)]


def test_a_cancelled_migration_leaves_the_snapshots_of_the_source(site, migration):
    site.add_snapshot(migration.share, "available")
    migration.phase1()

    migration.cast("migration_cancel")

    assert snapshot_rows(site) == [("available", None)]


# -- share types --------------------------------------------------------------------------------


@pytest.fixture
def new_type(site, migration):
    """Another share type; the API has counted the share for it, too."""
    from manila_lite.db import quotas

    specs = {"snapshot_support": "False", "replication_type": "dr"}
    owner = {"project_id": "project", "user_id": "user"}
    with site.database.writer() as connection:
        now = site.clock.now()
        execute_writes(connection, [types.new_type("other", specs, now, "other-type")])
        quotas.add_usage(connection, owner, "other-type", {"shares": 1, "gigabytes": 5}, now)
    return "other-type"


def usages(site):
    found = site.rows(models.quota_usages, resource="gigabytes")
    return {row["share_type_id"]: row["in_use"] for row in found}


def test_a_new_type_counts_from_the_end_on(site, migration, new_type):
    migration.phase1(new_share_type_id=new_type)
    assert usages(site) == {None: 10, "type": 5, new_type: 5}

    migration.cast("migration_complete")

    assert usages(site) == {None: 5, "type": 0, new_type: 5}
    share = site.share(migration.share)
    assert (share["snapshot_support"], share["replication_type"]) == (False, "dr")
    assert migration.destination()["share_type_id"] == new_type


def test_a_new_type_does_not_count_after_a_cancel(site, migration, new_type):
    migration.phase1(new_share_type_id=new_type)

    migration.cast("migration_cancel")

    assert usages(site) == {None: 5, "type": 5, new_type: 0}


def test_the_migration_of_another_back_end_is_none_of_this_ones(site, migration):
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(host=DESTINATION))

    operation = migration.start()

    assert (operation["state"], HOST in operation["host"]) == ("succeeded", True)
    assert "skipped" in operation["result"]
    assert site.driver.calls == []
