# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share import flows
from tests.support.shares import Site


def delete(site, share, seconds=0, **options):
    return site.do(
        "delete_share_instance",
        seconds=seconds,
        share_instance_id=share["instance_id"],
        **options,
    )


def made(site, **options):
    """A share that was made by the flow, so that it has export locations."""
    share = site.add_share(**options)
    site.do(
        "create_share_instance",
        share_instance_id=share["instance_id"],
        request_spec={"share_id": share["share_id"]},
        filter_properties={},
    )
    site.force(share, "deleting")
    site.driver.calls.clear()
    site.driver.arguments.clear()
    return share


def test_a_deleted_share_leaves_the_storage_and_all_its_rows_are_marked(site):
    share = made(site, metadata={"k": "v"})
    site.add_rule(share)

    operation = delete(site, share)

    instance = site.instance(share)
    assert operation["state"] == "succeeded"
    assert site.driver.calls[-1] == ("delete_share", share["instance_id"])
    assert (instance["status"], instance["deleted"]) == ("deleted", share["instance_id"])
    assert instance["deleted_at"] == instance["terminated_at"] == site.clock.now()
    assert site.share(share)["deleted"] == share["share_id"]
    for table in (
        models.share_metadata,
        models.share_instance_export_locations,
        models.share_access_map,
        models.share_instance_access_map,
    ):
        assert [row["deleted"] for row in site.rows(table)] == [
            row["id"] for row in site.rows(table)
        ]


def test_the_driver_gets_export_locations_and_metadata_with_the_share(site):
    share = made(site, metadata={"k": "v"})

    delete(site, share)

    given = site.driver.argument("delete_share", "share")
    assert [location["path"] for location in given["export_locations"]] == ["10.0.0.1:/share"]
    assert given["metadata"] == {"k": "v"}


def test_a_deletion_frees_the_usage_of_user_and_share_type(site):
    share, other = made(site), site.add_share("available")
    assert site.usage("shares") == (2, 2)
    assert site.usage("gigabytes") == (10, 10)

    delete(site, share)

    assert site.usage("shares") == (1, 1)
    assert site.usage("gigabytes") == (5, 5)
    assert site.share(other)["deleted"] == "False"


def test_a_deletion_that_comes_twice_frees_the_usage_once(site):
    share = made(site)
    site.add_share("available")
    delete(site, share)

    operation = delete(site, share)

    assert "already deleted" in operation["result"]
    assert site.usage("shares") == (1, 1)
    assert site.driver.called("delete_share") == 1


def test_a_usage_never_becomes_negative(site):
    share = made(site)
    with site.database.writer() as connection:
        connection.execute(models.quota_usages.update().values(in_use=2))

    delete(site, share)

    assert site.usage("gigabytes") == (0, 0)


def test_the_share_stays_as_long_as_it_has_another_instance(site):
    share = made(site, metadata={"k": "v"})
    rule = site.add_rule(share)
    with site.database.writer() as connection:
        connection.execute(
            models.share_instances.insert(),
            {"id": "other", "share_id": share["share_id"], "status": "available",
             "cast_rules_to_readonly": False, "deleted": "False"},
        )  # fmt: skip

    delete(site, share)

    assert site.instance(share)["deleted"] == share["instance_id"]
    assert site.share(share)["deleted"] == "False"
    assert site.rows(models.share_metadata)[0]["deleted"] == 0
    assert site.rows(models.share_access_map, id=rule)[0]["deleted"] == "False"


def test_a_share_that_is_not_on_the_storage_counts_as_deleted(site):
    share = made(site)
    site.driver.answers["delete_share"] = exception.ShareResourceNotFound(share_id="x")

    operation = delete(site, share)

    assert operation["state"] == "succeeded"
    assert site.status(share) == "deleted"


def test_a_drivers_own_class_of_that_name_counts_as_well(site):
    class ShareResourceNotFound(Exception):
        pass

    share = made(site)
    site.driver.answers["delete_share"] = ShareResourceNotFound()

    assert delete(site, share)["state"] == "succeeded"


def test_access_is_denied_before_the_share_goes(site):
    share = made(site)
    rule = site.add_rule(share)

    delete(site, share)

    assert [name for name, _ in site.driver.calls] == ["update_access", "delete_share"]
    assert site.driver.argument("update_access", "access_rules") == []
    denied = site.driver.argument("update_access", "delete_rules")
    assert [(r["access_id"], r["access_to"], r["access_level"]) for r in denied] == [
        (rule, "10.0.0.2", "rw")
    ]


def test_a_driver_without_update_access_denies_rule_by_rule(site):
    share = made(site)
    site.add_rule(share, "10.0.0.2")
    site.add_rule(share, "10.0.0.3")
    del site.driver.answers["update_access"]
    site.driver.answers["deny_access"] = None

    delete(site, share)

    assert site.driver.called("deny_access") == 2
    assert site.status(share) == "deleted"


def test_a_driver_without_access_rules_deletes_all_the_same(site):
    share = made(site)
    site.add_rule(share)
    del site.driver.answers["update_access"]

    assert delete(site, share)["state"] == "succeeded"


def test_without_rules_the_driver_is_not_bothered_about_access(site):
    delete(site, made(site))

    assert site.driver.called("update_access") == 0


def test_a_failure_leaves_error_deleting_a_message_and_the_usage(site):
    share = made(site)
    site.driver.answers["delete_share"] = exception.ShareBackendException(msg="in flames")

    operation = delete(site, share)

    assert (operation["state"], site.status(share)) == ("failed", "error_deleting")
    assert site.messages(share["share_id"]) == [("007", "001")]
    assert site.usage("shares") == (1, 1)
    assert site.share(share)["deleted"] == "False"


def test_rules_that_were_denied_before_a_failure_do_not_look_active(site):
    share = made(site)
    site.add_rule(share)
    site.driver.answers["delete_share"] = exception.ShareBackendException(msg="in flames")

    delete(site, share)

    assert [row["state"] for row in site.rows(models.share_instance_access_map)] == ["deleted"]
    assert site.rows(models.share_access_map)[0]["deleted"] == "False"


def test_a_busy_share_is_tried_again_before_it_fails(site):
    share = made(site)
    site.driver.answers["delete_share"] = exception.ShareBusyException(reason="open files")

    operation = delete(site, share, seconds=60)

    assert (operation["state"], site.status(share)) == ("failed", "error_deleting")
    assert site.driver.called("delete_share") > 1


@pytest.mark.parametrize("status", ["error_deleting", "error", "available", "extending_error"])
def test_a_deletion_works_from_any_steady_status(site, status):
    share = made(site)
    site.force(share, status)
    seen = []
    site.driver.answers["delete_share"] = lambda *a, **k: seen.append(site.status(share))

    operation = delete(site, share)

    assert operation["state"] == "succeeded"
    assert seen == ["deleting"]
    assert site.status(share) == "deleted"


def test_an_operators_retry_after_a_failure_deletes_and_frees_once(site):
    share = made(site)
    site.driver.answers["delete_share"] = exception.ShareBackendException(msg="in flames")
    uuid = delete(site, share)["uuid"]
    site.driver.answers["delete_share"] = None

    site.retry(uuid)

    assert site.status(share) == "deleted"
    assert site.usage("shares") == (0, 0)


def test_force_deletes_the_rows_whatever_the_driver_says(site):
    share = made(site)
    site.add_rule(share)
    site.driver.answers["update_access"] = RuntimeError("no")
    site.driver.answers["delete_share"] = RuntimeError("no again")

    operation = delete(site, share, force=True)

    assert operation["state"] == "succeeded"
    assert site.driver.called("delete_share") == 1
    assert site.status(share) == "deleted"
    assert site.usage("shares") == (0, 0)


def test_a_deletion_interrupted_by_a_crash_is_carried_out_again(site):
    share = made(site)
    uuid = site.crash_in(
        "delete_share_instance", "delete_share", share_instance_id=share["instance_id"]
    )

    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.status(share) == "deleted"
    assert site.driver.called("delete_share") == 2


def test_the_policy_error_leaves_an_interrupted_deletion_in_error_deleting():
    site = Site(policy="error")
    share = made(site)
    site.crash_in("delete_share_instance", "delete_share", share_instance_id=share["instance_id"])

    site.run()

    assert site.status(share) == "error_deleting"
    assert site.driver.called("delete_share") == 1


def test_an_unknown_instance_is_no_error(site):
    operation = site.do("delete_share_instance", share_instance_id="never heard of")

    assert operation["state"] == "succeeded"


# -- deferred ----------------------------------------------------------------------------------


def round_of_deferred_deletions(site):
    count = flows.delete_deferred(site.environment, site.worker.journal)
    site.run()
    return count


def test_a_deferred_deletion_frees_the_usage_at_once_and_the_storage_later(site):
    share = made(site)

    operation = delete(site, share, deferred_delete=True)

    assert (operation["state"], site.status(share)) == ("succeeded", "deferred_deleting")
    assert site.usage("gigabytes") == (0, 0)
    assert site.driver.calls == []

    assert round_of_deferred_deletions(site) == 1
    assert site.status(share) == "deleted"
    assert site.driver.called("delete_share") == 1


def test_a_deferred_deletion_that_fails_is_tried_again_and_frees_nothing_twice(site):
    share = made(site)
    site.add_share("available")
    delete(site, share, deferred_delete=True)
    site.driver.answers["delete_share"] = exception.ShareBackendException(msg="in flames")
    round_of_deferred_deletions(site)
    round_of_deferred_deletions(site)
    assert site.status(share) == "error_deferred_deleting"
    assert site.usage("shares") == (1, 1)
    assert site.messages(share["share_id"]) == []
    last = site.rows(models.lite.operations)[-1]
    assert (last["state"], "in flames" in last["result"]) == ("succeeded", True)
    site.driver.answers["delete_share"] = None

    round_of_deferred_deletions(site)

    assert site.status(share) == "deleted"
    assert site.usage("shares") == (1, 1)
    assert round_of_deferred_deletions(site) == 0


def test_a_deferred_deletion_interrupted_by_a_crash_frees_nothing_twice(site):
    share = made(site)
    site.add_share("available")
    delete(site, share, deferred_delete=True)
    site.crash_in("delete_share_instance", "delete_share", share_instance_id=share["instance_id"])

    site.run()

    assert site.status(share) == "deleted"
    assert site.usage("shares") == (1, 1)


def test_no_second_deletion_is_journaled_while_one_is_under_way(site):
    share = made(site)
    delete(site, share, deferred_delete=True)

    assert flows.delete_deferred(site.environment, site.worker.journal) == 1
    assert flows.delete_deferred(site.environment, site.worker.journal) == 0


def test_shares_of_other_back_ends_are_not_touched(site):
    share = made(site)
    delete(site, share, deferred_delete=True)
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(host="host@backend2#pool"))

    assert round_of_deferred_deletions(site) == 0


def test_a_driver_that_takes_changed_rules_is_told_of_none(site):
    share = site.add_share("deleting")
    rule = site.add_rule(share)
    given = []

    def update_access(
        context, share, access_rules, add_rules, delete_rules, update_rules, share_server=None
    ):
        given.append((access_rules, add_rules, [r["id"] for r in delete_rules], update_rules))

    site.driver.update_access = update_access

    site.do("delete_share_instance", share_instance_id=share["instance_id"])

    assert given == [([], [], [rule], [])]
