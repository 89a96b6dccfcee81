# SPDX-License-Identifier: Apache-2.0
import datetime

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import Site


@pytest.fixture
def share(site):
    return site.add_share("extending")


@pytest.fixture
def shrinking(site):
    return site.add_share("shrinking")


def reserve(site, delta):
    """What Manila's API does before it casts: one reservation by user, one by share type."""
    made = []
    usages = site.rows(models.quota_usages, resource="gigabytes")
    with site.database.writer() as connection:
        for usage in usages:
            table = models.quota_usages
            connection.execute(
                table.update().where(table.c.id == usage["id"]).values(reserved=delta)
            )
            uuid = f"reservation-{usage['id']}"
            connection.execute(
                models.reservations.insert(),
                {"uuid": uuid, "usage_id": usage["id"], "project_id": "project",
                 "resource": "gigabytes", "delta": delta, "deleted": 0,
                 "expire": datetime.datetime(2030, 1, 1)},
            )  # fmt: skip
            made.append(uuid)
    return made


def reserved(site):
    return [row["reserved"] for row in site.rows(models.quota_usages, resource="gigabytes")]


def extend(site, share, size=8, **options):
    return site.do("extend_share", share_id=share["share_id"], new_size=size, **options)


def shrink(site, share, size=2):
    return site.do("shrink_share", share_id=share["share_id"], new_size=size)


def test_an_extended_share_has_its_new_size_and_its_reservations_are_used(site, share):
    uuids = reserve(site, 3)

    operation = extend(site, share, reservations=uuids)

    assert operation["state"] == "succeeded"
    assert (site.status(share), site.share(share)["size"]) == ("available", 8)
    assert site.driver.argument("extend_share", "new_size") == 8
    assert site.driver.argument("extend_share", "share")["size"] == 5
    assert site.usage("gigabytes") == (8, 8)
    assert reserved(site) == [0, 0]
    assert all(row["deleted"] == row["id"] for row in site.rows(models.reservations))


def test_a_failed_extension_gives_its_reservations_back_and_tells_the_user(site, share):
    uuids = reserve(site, 3)
    site.driver.answers["extend_share"] = exception.ShareExtendingError(share_id="x", reason="no")

    operation = extend(site, share, reservations=uuids)

    assert operation["state"] == "failed"
    assert (site.status(share), site.share(share)["size"]) == ("extending_error", 5)
    assert site.usage("gigabytes") == (5, 5)
    assert reserved(site) == [0, 0]
    assert site.messages(share["share_id"]) == [("008", "015")]


def test_an_operators_retry_counts_the_growth_although_the_reservations_are_gone(site, share):
    uuids = reserve(site, 3)
    site.driver.answers["extend_share"] = exception.ShareExtendingError(share_id="x", reason="no")
    uuid = extend(site, share, reservations=uuids)["uuid"]
    site.driver.answers["extend_share"] = None

    site.retry(uuid)

    assert (site.status(share), site.share(share)["size"]) == ("available", 8)
    assert site.usage("gigabytes") == (8, 8)


@pytest.mark.parametrize("reservations", [None, [], ["expired long ago"]])
def test_an_extension_without_reservations_is_counted_all_the_same(site, share, reservations):
    extend(site, share, reservations=reservations)

    assert site.usage("gigabytes") == (8, 8)


def test_an_extension_to_the_present_size_asks_nobody_and_gives_back_what_was_reserved(site, share):
    uuids = reserve(site, 0)

    operation = extend(site, share, size=5, reservations=uuids)

    assert "5 GiB" in operation["result"]
    assert (site.status(share), site.driver.calls) == ("available", [])


@pytest.mark.parametrize("status", ["deleting", "creating", "error", "shrinking"])
def test_a_share_that_something_else_happens_to_is_not_extended(site, status):
    share = site.add_share(status)
    uuids = reserve(site, 3)

    operation = extend(site, share, reservations=uuids)

    assert status in operation["result"]
    assert (site.status(share), site.driver.calls) == (status, [])
    assert reserved(site) == [0, 0]


def test_the_extension_of_a_share_that_is_gone_gives_back_what_was_reserved(site):
    site.add_share("available")
    uuids = reserve(site, 3)

    operation = site.do("extend_share", share_id="gone", new_size=8, reservations=uuids)

    assert operation["state"] == "succeeded"
    assert reserved(site) == [0, 0]


def test_an_extension_interrupted_by_a_crash_is_repeated_and_counted_once(site, share):
    uuids = reserve(site, 3)
    site.crash_in(
        "extend_share",
        "extend_share",
        share_id=share["share_id"],
        new_size=8,
        reservations=uuids,
    )

    site.run()

    assert site.driver.called("extend_share") == 2
    assert site.usage("gigabytes") == (8, 8)


def test_the_policy_error_leaves_an_interrupted_extension_in_extending_error():
    site = Site(policy="error")
    share = site.add_share("extending")
    site.crash_in("extend_share", "extend_share", share_id=share["share_id"], new_size=8)

    site.run()

    assert site.status(share) == "extending_error"


def test_a_shrunk_share_has_its_new_size_and_the_rest_is_free(site, shrinking):
    operation = shrink(site, shrinking)

    assert operation["state"] == "succeeded"
    assert (site.status(shrinking), site.share(shrinking)["size"]) == ("available", 2)
    assert site.driver.argument("shrink_share", "new_size") == 2
    assert site.usage("gigabytes") == (2, 2)


def test_data_in_the_way_of_a_shrink_are_a_status_of_their_own(site, shrinking):
    site.driver.answers["shrink_share"] = exception.ShareShrinkingPossibleDataLoss(share_id="x")

    operation = shrink(site, shrinking)

    assert operation["state"] == "failed"
    assert site.status(shrinking) == "shrinking_possible_data_loss_error"
    assert site.share(shrinking)["size"] == 5
    assert site.usage("gigabytes") == (5, 5)
    assert site.messages(shrinking["share_id"]) == [("009", "018")]
    assert site.driver.called("shrink_share") == 1


@pytest.mark.parametrize("error", [RuntimeError("no"), NotImplementedError()])
def test_any_other_failure_of_a_shrink_is_a_shrinking_error(site, shrinking, error):
    site.driver.answers["shrink_share"] = error

    shrink(site, shrinking)

    assert site.status(shrinking) == "shrinking_error"
    assert site.messages(shrinking["share_id"]) == [("009", "019")]


@pytest.mark.parametrize("size", [0, -1])
def test_a_share_cannot_shrink_to_nothing(site, shrinking, size):
    shrink(site, shrinking, size)

    assert (site.status(shrinking), site.driver.calls) == ("shrinking_error", [])


def test_a_share_may_be_shrunk_again_after_its_data_were_in_the_way(site):
    share = site.add_share("shrinking_possible_data_loss_error")

    operation = shrink(site, share)

    assert operation["state"] == "succeeded"
    assert site.status(share) == "available"


def test_resizing_is_about_the_instance_on_this_back_end(site, share):
    with site.database.writer() as connection:
        connection.execute(
            models.share_instances.insert(),
            {"id": "0", "share_id": share["share_id"], "status": "extending", "host": "far@away",
             "cast_rules_to_readonly": False, "deleted": "False"},
        )  # fmt: skip

    extend(site, share)

    assert site.driver.calls == [("extend_share", share["instance_id"])]
    assert site.rows(models.share_instances, id="0")[0]["status"] == "extending"
