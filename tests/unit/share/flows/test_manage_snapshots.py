# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import POOL, Site


@pytest.fixture
def share(site):
    return site.add_share("available")


@pytest.fixture
def snapshot(site, share):
    """As an API makes it; nothing is counted yet."""
    made = site.add_snapshot(share, "manage_starting")
    with site.database.writer() as connection:
        table = models.quota_usages
        connection.execute(table.delete().where(table.c.resource.like("snapshot%")))
    return made


@pytest.fixture
def managed(site, share):
    return site.add_snapshot(share, "unmanage_starting")


def make_mountable(site):
    with site.database.writer() as connection:
        connection.execute(models.shares.update().values(mount_snapshot_support=True))


def handle_share_servers(site):
    site.conf.set_override("driver_handles_share_servers", True, group="backend")
    with site.database.writer() as connection:
        connection.execute(
            models.share_servers.insert(),
            {"id": "server", "host": POOL, "status": "active", "deleted": "False"},
        )
        connection.execute(models.share_instances.update().values(share_server_id="server"))


def add_rule(site, snapshot):
    with site.database.writer() as connection:
        connection.execute(
            models.share_snapshot_access_map.insert(),
            {"id": "rule", "share_snapshot_id": snapshot["snapshot_id"], "access_type": "ip",
             "access_to": "10.0.0.2", "deleted": "False"},
        )  # fmt: skip
        connection.execute(
            models.share_snapshot_instance_access_map.insert(),
            {"id": "map", "share_snapshot_instance_id": snapshot["instance_id"],
             "access_id": "rule", "state": "active", "deleted": "False"},
        )  # fmt: skip


def manage(site, snapshot, seconds=0, **options):
    return site.do(
        "manage_snapshot",
        seconds=seconds,
        snapshot_id=snapshot["snapshot_id"],
        driver_options=options,
    )


def unmanage(site, snapshot):
    return site.do("unmanage_snapshot", snapshot_id=snapshot["snapshot_id"])


def status(site, snapshot):
    return site.snapshot_instance(snapshot)["status"]


def size(site, snapshot):
    return site.rows(models.share_snapshots, id=snapshot["snapshot_id"])[0]["size"]


@pytest.mark.parametrize("mountable", [True, False])
def test_a_managed_snapshot_is_available_as_the_driver_found_it_and_counts(
    site, snapshot, mountable
):
    if mountable:
        make_mountable(site)
    site.driver.answers["manage_existing_snapshot"] = {
        "size": 3, "provider_location": "vol@snap", "export_locations": [{"path": "/snap"}],
    }  # fmt: skip

    operation = manage(site, snapshot, volume="vol1")

    row = site.snapshot_instance(snapshot)
    assert operation["state"] == "succeeded"
    assert (row["status"], row["progress"], row["provider_location"], row["size"]) == (
        "available", "100%", "vol@snap", 3,
    )  # fmt: skip
    assert size(site, snapshot) == 3
    assert (site.usage("snapshots"), site.usage("snapshot_gigabytes")) == ((1, 1), (3, 3))
    found = site.rows(models.share_snapshot_instance_export_locations)
    assert [location["path"] for location in found] == (["/snap"] if mountable else [])
    options = site.driver.argument("manage_existing_snapshot", "driver_options")
    assert options == {"volume": "vol1"}
    given = site.driver.argument("manage_existing_snapshot", "snapshot")
    assert given["share"]["share_id"] == given["parent_share_id"]


@pytest.mark.parametrize("answer", [None, {}, {"size": None}, {"size": 0}])
def test_a_snapshot_of_unknown_size_counts_as_large_as_its_share(site, snapshot, answer):
    site.driver.answers["manage_existing_snapshot"] = answer

    assert manage(site, snapshot)["state"] == "succeeded"
    assert (size(site, snapshot), site.usage("snapshot_gigabytes")) == (5, (5, 5))


@pytest.mark.parametrize(
    "answer",
    [
        exception.ManageInvalidShareSnapshot(reason="it is busy"),
        exception.ShareBackendException(msg="down"),
        NotImplementedError("x"),
        {"size": "many"},
        {"size": -1},
        {"status": "error"},
        {"size": 1, "provider_location": "x" * 256},
        {"size": 1, "export_locations": 7},
        7,
    ],
)
def test_a_snapshot_that_cannot_be_managed_ends_in_manage_error_and_counts_for_nothing(
    site, share, snapshot, answer
):
    site.driver.answers["manage_existing_snapshot"] = answer

    operation = manage(site, snapshot)

    assert (operation["state"], status(site, snapshot)) == ("failed", "manage_error")
    assert site.rows(models.quota_usages, resource="snapshots") == []
    assert site.messages(snapshot["snapshot_id"]) == [("002", "001")]
    assert operation["error"]
    assert site.status(share) == "available"


def test_an_operators_retry_asks_the_driver_again(site, snapshot):
    site.driver.answers["manage_existing_snapshot"] = exception.ManageInvalidShareSnapshot(
        reason="x"
    )
    uuid = manage(site, snapshot)["uuid"]
    site.driver.answers["manage_existing_snapshot"] = {"size": 2}

    site.retry(uuid)

    assert (status(site, snapshot), size(site, snapshot)) == ("available", 2)
    assert site.usage("snapshots") == (1, 1)


@pytest.mark.parametrize("found", ["available", "creating", "error"])
def test_a_snapshot_in_another_status_is_not_managed(site, share, found):
    snapshot = site.add_snapshot(share, found)

    assert found in manage(site, snapshot)["result"]
    assert (status(site, snapshot), site.driver.calls) == (found, [])


def test_on_a_share_server_the_driver_is_told_which(site, snapshot, managed):
    handle_share_servers(site)
    site.driver.answers["manage_existing_snapshot_with_server"] = {"size": 2}

    assert manage(site, snapshot)["state"] == "succeeded"
    assert unmanage(site, managed)["state"] == "succeeded"
    for method in ("manage_existing_snapshot_with_server", "unmanage_snapshot_with_server"):
        assert site.driver.argument(method, "share_server")["id"] == "server"


def test_a_crash_while_managing_counts_once(site, snapshot):
    site.driver.answers["manage_existing_snapshot"] = {"size": 3}
    site.crash_in("manage_snapshot", "manage_existing_snapshot",
                  snapshot_id=snapshot["snapshot_id"], driver_options={})  # fmt: skip

    site.run()

    assert status(site, snapshot) == "available"
    assert (site.usage("snapshots"), site.usage("snapshot_gigabytes")) == ((1, 1), (3, 3))


def test_a_snapshot_that_could_not_be_managed_is_deleted_without_freeing_anything(
    site, share, snapshot
):
    site.add_snapshot(share, "available")
    manage(site, snapshot)

    site.do("delete_snapshot", snapshot_id=snapshot["snapshot_id"])

    assert status(site, snapshot) == "deleted"
    assert site.usage("snapshots") == (1, 1)


# -- unmanage ----------------------------------------------------------------------------------


def test_an_unmanaged_snapshot_leaves_the_rows_and_the_usage(site, share, managed):
    add_rule(site, managed)

    operation = unmanage(site, managed)

    assert operation["state"] == "succeeded"
    assert site.driver.calls == [("unmanage_snapshot", managed["instance_id"])]
    assert site.snapshot_instance(managed)["deleted"] == managed["instance_id"]
    assert site.rows(models.share_snapshots)[0]["deleted"] == managed["snapshot_id"]
    assert site.rows(models.share_snapshot_access_map)[0]["deleted"] == "rule"
    assert (site.usage("snapshots"), site.usage("snapshot_gigabytes")) == ((0, 0), (0, 0))
    assert site.status(share) == "available"


def test_rules_are_taken_off_the_storage_first_where_the_operator_says_so(site, managed):
    add_rule(site, managed)
    site.driver.answers["snapshot_update_access"] = None
    site.conf.set_override("unmanage_remove_access_rules", True, group="backend")
    try:
        unmanage(site, managed)
    finally:
        site.conf.clear_override("unmanage_remove_access_rules", group="backend")

    assert [name for name, _ in site.driver.calls] == [
        "snapshot_update_access", "unmanage_snapshot",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        exception.UnmanageInvalidShareSnapshot(reason="x"),
        NotImplementedError("x"),
        RuntimeError("no"),
    ],
)
def test_a_snapshot_that_may_not_be_let_go_of_ends_in_unmanage_error(site, managed, error):
    site.driver.answers["unmanage_snapshot"] = error

    operation = unmanage(site, managed)

    assert (operation["state"], status(site, managed)) == ("failed", "unmanage_error")
    assert site.messages(managed["snapshot_id"]) == [("007", "001")]
    assert site.usage("snapshots") == (1, 1)


def test_a_snapshot_that_is_not_on_the_storage_can_be_let_go_of(site, managed):
    site.driver.answers["unmanage_snapshot"] = exception.ShareSnapshotResourceNotFound(
        snapshot_id="x"
    )

    assert unmanage(site, managed)["state"] == "succeeded"


def test_a_snapshot_that_something_else_goes_on_with_is_not_unmanaged(site, share):
    snapshot = site.add_snapshot(share, "deleting")

    assert "deleting" in unmanage(site, snapshot)["result"]
    assert (status(site, snapshot), site.driver.calls) == ("deleting", [])


def test_unmanaging_that_comes_twice_is_no_error(site, managed):
    unmanage(site, managed)

    assert "already gone" in unmanage(site, managed)["result"]


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_a_crash_while_unmanaging_is_made_up_for(policy):
    site = Site(policy=policy)
    managed = site.add_snapshot(site.add_share("available"), "unmanage_starting")

    site.crash_in("unmanage_snapshot", "unmanage_snapshot", snapshot_id=managed["snapshot_id"])
    site.run()

    assert status(site, managed) == "deleted"
    assert site.usage("snapshots") == (0, 0)


def test_a_second_cast_that_is_given_up_takes_nothing_from_a_snapshot_that_was_managed(site, share):
    snapshot = site.add_snapshot(share, "available")
    uuid = site.cast("manage_snapshot", snapshot_id=snapshot["snapshot_id"])
    with site.database.writer() as connection:
        connection.execute(models.share_snapshot_instances.update().values(progress="100%"))
        connection.execute(models.lite.operations.update().values(dispatches=1000))

    site.run()

    assert site.operation(uuid)["state"] == "dead"
    found = site.snapshot_instance(snapshot)
    assert found.status == "available"
    [row] = site.rows(models.share_snapshots)
    assert row.size == 5
