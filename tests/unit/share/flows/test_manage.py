# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import EXPORT, POOL, PROJECT, USER, Site

GIVEN = "10.0.0.9:/old"


@pytest.fixture
def share(site):
    """As an API makes it: of no size yet, with the export location that somebody typed."""
    made = site.add_share("manage_starting", columns={"launched_at": None, "progress": None})
    set_size(site, made, None)
    with site.database.writer() as connection:
        connection.execute(models.quota_usages.delete())
        connection.execute(
            models.share_instance_export_locations.insert(),
            {"uuid": "typed", "share_instance_id": made["instance_id"], "path": GIVEN,
             "is_admin_only": False, "deleted": 0},
        )  # fmt: skip
    return made


@pytest.fixture
def managed(site):
    return site.add_share("unmanage_starting")


def set_size(site, share, size):
    table = models.shares
    with site.database.writer() as connection:
        connection.execute(table.update().where(table.c.id == share["share_id"]).values(size=size))


def set_specs(site, **specs):
    with site.database.writer() as connection:
        for key, value in specs.items():
            connection.execute(
                models.share_type_extra_specs.insert(),
                {"share_type_id": "type", "spec_key": key.replace("__", ":"),
                 "spec_value": value, "deleted": 0},
            )  # fmt: skip


def add_server(site, share):
    with site.database.writer() as connection:
        connection.execute(
            models.share_servers.insert(),
            {"id": "server", "host": POOL, "status": "active", "is_auto_deletable": True,
             "deleted": "False"},
        )  # fmt: skip
        table = models.share_instances
        connection.execute(
            table.update()
            .where(table.c.id == share["instance_id"])
            .values(share_server_id="server")
        )


def handle_share_servers(site):
    site.conf.set_override("driver_handles_share_servers", True, group="backend")


def manage(site, share, seconds=0, **options):
    return site.do(
        "manage_share", seconds=seconds, share_id=share["share_id"], driver_options=options
    )


def unmanage(site, share, seconds=0):
    return site.do("unmanage_share", seconds=seconds, share_id=share["share_id"])


# -- manage ------------------------------------------------------------------------------------


def test_a_managed_share_is_available_as_the_driver_found_it_and_counts(site, share):
    site.driver.answers["manage_existing"] = {
        "size": 7,
        "export_locations": [{"path": EXPORT, "is_admin_only": True, "metadata": {"a": "b"}}],
        "mount_point_name": "music",
    }

    operation = manage(site, share, volume="vol1")

    row = site.instance(share)
    assert operation["state"] == "succeeded"
    assert (row["status"], row["progress"], row["mount_point_name"]) == (
        "available", "100%", "music",
    )  # fmt: skip
    assert row["launched_at"] is not None
    assert row["availability_zone_id"] is not None
    assert site.share(share)["size"] == 7
    assert site.exports(share) == [EXPORT]
    assert site.usage("shares") == (1, 1)
    assert site.usage("gigabytes") == (7, 7)
    assert site.driver.argument("manage_existing", "driver_options") == {"volume": "vol1"}
    given = site.driver.argument("manage_existing", "share")
    assert [location["path"] for location in given["export_locations"]] == [GIVEN]


def test_the_export_location_that_was_typed_stays_where_the_driver_returns_none(site, share):
    site.driver.answers["manage_existing"] = {"size": 1}

    manage(site, share)

    assert site.exports(share) == [GIVEN]


@pytest.mark.parametrize(("size", "kept"), [(1, 1), ("3", 3), (2.2, 3)])
def test_a_size_is_whole_gib(site, share, size, kept):
    site.driver.answers["manage_existing"] = {"size": size}

    manage(site, share)

    assert site.share(share)["size"] == kept


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"size": None},
        {"size": 0},
        {"size": -2},
        {"size": "many"},
        7,
        {"size": 1, "export_locations": [7]},
        exception.ManageInvalidShare(reason="it is replicated"),
        exception.ManageExistingShareTypeMismatch(reason="thick"),
        exception.ShareBackendException(msg="down"),
        NotImplementedError,
        RuntimeError("no"),
    ],
)
def test_a_share_that_cannot_be_managed_ends_in_manage_error_and_counts_for_nothing(
    site, share, answer
):
    site.driver.answers["manage_existing"] = answer

    operation = manage(site, share)

    assert (operation["state"], site.status(share)) == ("failed", "manage_error")
    assert site.share(share)["size"] == 0
    assert site.rows(models.quota_usages) == []
    assert site.messages(share["share_id"]) == [("002", "001")]
    assert operation["error"]


def test_the_reason_is_kept(site, share):
    site.driver.answers["manage_existing"] = exception.ManageInvalidShare(reason="it is replicated")

    assert "it is replicated" in manage(site, share)["error"]


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        ({"driver_handles_share_servers": "True"}, "driver_handles_share_servers = True"),
        ({"provisioning__min_share_size": "8"}, "provisioning:min_share_size = 8"),
        ({"provisioning__max_share_size": "6"}, "provisioning:max_share_size = 6"),
    ],
)
def test_a_share_that_does_not_fit_its_type_is_not_managed(site, share, specs, reason):
    set_specs(site, **specs)
    site.driver.answers["manage_existing"] = {"size": 7}

    operation = manage(site, share)

    assert site.status(share) == "manage_error"
    assert reason in operation["error"]


def test_a_size_at_the_limits_of_the_type_is_fine(site, share):
    set_specs(site, provisioning__min_share_size="7", provisioning__max_share_size="7")
    site.driver.answers["manage_existing"] = {"size": 7}

    assert manage(site, share)["state"] == "succeeded"


def test_an_operators_retry_asks_the_driver_again(site, share):
    site.driver.answers["manage_existing"] = {"size": None}
    uuid = manage(site, share)["uuid"]
    site.driver.answers["manage_existing"] = {"size": 4}

    site.retry(uuid)

    assert (site.status(share), site.share(share)["size"]) == ("available", 4)
    assert site.usage("gigabytes") == (4, 4)


def test_a_busy_back_end_is_asked_again(site, share):
    answers = [exception.BackendBusy(reason="x"), {"size": 4}]

    def answer(*args, **kwargs):
        if isinstance(answers[0], dict):
            return answers[0]
        raise answers.pop(0)

    site.driver.answers["manage_existing"] = answer

    assert manage(site, share, seconds=30)["state"] == "succeeded"
    assert site.driver.called("manage_existing") == 2


@pytest.mark.parametrize("status", ["available", "creating", "deleting", "error"])
def test_a_share_in_another_status_is_not_managed(site, share, status):
    site.force(share, status)

    assert status in manage(site, share)["result"]
    assert (site.status(share), site.driver.calls) == (status, [])


def test_a_share_that_is_gone_is_not_managed(site):
    assert "deleted" in manage(site, {"share_id": "nobody"})["result"]


def test_a_share_of_a_replicated_type_is_the_active_replica(site, share):
    with site.database.writer() as connection:
        connection.execute(models.shares.update().values(replication_type="dr"))
    site.driver.answers["manage_existing"] = {"size": 2}

    manage(site, share)

    assert site.instance(share)["replica_state"] == "active"
    assert site.usage("share_replicas") == (1, 1)
    assert site.usage("replica_gigabytes") == (2, 2)


def test_on_a_share_server_the_driver_is_told_which(site, share):
    handle_share_servers(site)
    add_server(site, share)
    site.driver.answers["manage_existing_with_server"] = {"size": 2}

    assert manage(site, share)["state"] == "succeeded"
    server = site.driver.argument("manage_existing_with_server", "share_server")
    assert server["id"] == "server"


def test_a_share_on_a_server_is_nothing_for_a_back_end_without_servers(site, share):
    add_server(site, share)
    site.driver.answers["manage_existing"] = {"size": 2}

    manage(site, share)

    assert (site.status(share), site.driver.calls) == ("manage_error", [])


def test_a_crash_while_managing_makes_one_share_of_it(site, share):
    site.driver.answers["manage_existing"] = {"size": 3}
    uuid = site.crash_in("manage_share", "manage_existing", share_id=share["share_id"],
                         driver_options={})  # fmt: skip

    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert (site.usage("shares"), site.usage("gigabytes")) == ((1, 1), (3, 3))


def test_where_the_policy_is_error_a_crash_while_managing_needs_an_operators_word():
    site = Site(policy="error")
    share = site.add_share("manage_starting")
    site.driver.answers["manage_existing"] = {"size": 3}
    uuid = site.crash_in("manage_share", "manage_existing", share_id=share["share_id"],
                         driver_options={})  # fmt: skip
    site.run()
    assert site.status(share) == "manage_error"
    assert "cannot be told" in site.operation(uuid)["error"]

    site.retry(uuid)

    assert (site.status(share), site.share(share)["size"]) == ("available", 3)


def test_a_share_that_could_not_be_managed_is_deleted_without_freeing_what_was_never_counted(
    site, share
):
    other = site.add_share("available")
    manage(site, share)
    site.force(share, "deleting")

    site.do("delete_share_instance", share_instance_id=share["instance_id"])

    assert site.instance(share)["deleted"] != "False"
    assert site.status(other) == "available"
    assert site.usage("shares") == (1, 1)


# -- unmanage ----------------------------------------------------------------------------------


def test_an_unmanaged_share_stays_on_the_storage_and_leaves_the_rows_and_the_usage(site, managed):
    operation = unmanage(site, managed)

    assert operation["state"] == "succeeded"
    assert site.driver.calls == [("unmanage", managed["instance_id"])]
    assert site.instance(managed)["deleted"] == managed["instance_id"]
    assert site.share(managed)["deleted"] == managed["share_id"]
    assert (site.usage("shares"), site.usage("gigabytes")) == ((0, 0), (0, 0))


def test_rules_go_with_the_rows_and_stay_on_the_storage(site, managed):
    rule = site.add_rule(managed)

    unmanage(site, managed)

    assert site.driver.called("update_access") == 0
    assert site.rows(models.share_access_map)[0]["deleted"] == rule


def test_rules_are_taken_off_the_storage_first_where_the_operator_says_so(site, managed):
    site.add_rule(managed)
    site.conf.set_override("unmanage_remove_access_rules", True, group="backend")
    try:
        operation = unmanage(site, managed)
    finally:
        site.conf.clear_override("unmanage_remove_access_rules", group="backend")

    assert operation["state"] == "succeeded"
    assert [name for name, _ in site.driver.calls] == ["update_access", "unmanage"]
    denied = site.driver.argument("update_access", "delete_rules")
    assert [rule["access_to"] for rule in denied] == ["10.0.0.2"]
    assert site.driver.argument("update_access", "access_rules") == []


@pytest.mark.parametrize(
    "error",
    [
        exception.UnmanageInvalidShare(reason="it has clones"),
        exception.InvalidShare(reason="x"),
        NotImplementedError("x"),
        RuntimeError("no"),
    ],
)
@pytest.mark.parametrize("status", ["unmanage_starting", "manage_error_unmanage_starting"])
def test_a_share_that_may_not_be_let_go_of_ends_in_unmanage_error(site, managed, error, status):
    site.force(managed, status)
    site.driver.answers["unmanage"] = error

    operation = unmanage(site, managed)

    assert (operation["state"], site.status(managed)) == ("failed", "unmanage_error")
    assert site.messages(managed["share_id"]) == [("007", "001")]
    assert site.usage("shares") == (1, 1)
    assert operation["error"]


def test_a_share_that_is_not_on_the_storage_can_be_let_go_of(site, managed):
    site.driver.answers["unmanage"] = exception.ShareResourceNotFound(share_id="x")

    assert unmanage(site, managed)["state"] == "succeeded"
    assert site.share(managed)["deleted"] == managed["share_id"]


def test_a_share_that_could_not_be_managed_frees_nothing(site, share):
    site.add_share("available")
    manage(site, share)
    site.force(share, "manage_error_unmanage_starting")

    assert unmanage(site, share)["state"] == "succeeded"
    assert site.usage("shares") == (1, 1)


def test_an_operators_retry_lets_go(site, managed):
    site.driver.answers["unmanage"] = exception.UnmanageInvalidShare(reason="x")
    uuid = unmanage(site, managed)["uuid"]
    site.driver.answers["unmanage"] = None

    site.retry(uuid)

    assert site.share(managed)["deleted"] == managed["share_id"]
    assert site.usage("shares") == (0, 0)


@pytest.mark.parametrize("status", ["creating", "deleting", "extending"])
def test_a_share_that_something_else_goes_on_with_is_not_unmanaged(site, managed, status):
    site.force(managed, status)

    assert status in unmanage(site, managed)["result"]
    assert (site.status(managed), site.driver.calls) == (status, [])


def test_unmanaging_that_comes_twice_is_no_error(site, managed):
    unmanage(site, managed)

    assert "already gone" in unmanage(site, managed)["result"]


def test_a_share_server_that_holds_an_unmanaged_share_is_kept(site, managed):
    handle_share_servers(site)
    add_server(site, managed)

    assert unmanage(site, managed)["state"] == "succeeded"
    server = site.driver.argument("unmanage_with_server", "share_server")
    assert server["id"] == "server"
    assert not site.rows(models.share_servers)[0]["is_auto_deletable"]


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_a_crash_while_unmanaging_is_made_up_for(policy):
    site = Site(policy=policy)
    managed = site.add_share("unmanage_starting")

    uuid = site.crash_in("unmanage_share", "unmanage", share_id=managed["share_id"])
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.usage("shares") == (0, 0)


def test_usages_that_others_count_in_are_not_touched(site, managed):
    assert {(row["project_id"], row["user_id"]) for row in site.rows(models.quota_usages)} == {
        (PROJECT, USER), (PROJECT, None),
    }  # fmt: skip
    unmanage(site, managed)
    assert {row["in_use"] for row in site.rows(models.quota_usages)} == {0}


def test_a_second_cast_that_is_given_up_takes_nothing_from_a_share_that_was_managed(site):
    """Its size is counted: without it, the deletion would free nothing."""
    share = site.add_share("available")
    uuid = site.cast("manage_share", share_id=share["share_id"])
    with site.database.writer() as connection:
        connection.execute(models.lite.operations.update().values(dispatches=1000))

    site.run()

    assert site.operation(uuid)["state"] == "dead"
    assert (site.status(share), site.share(share)["size"]) == ("available", 5)
    assert site.messages(share["share_id"]) == []
