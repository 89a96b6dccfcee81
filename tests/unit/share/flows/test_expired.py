# SPDX-License-Identifier: Apache-2.0
import datetime

import pytest

from manila_lite.db import models
from manila_lite.share import flows
from tests.support.shares import HOST, Site


def throw_away(site, share, seconds=60):
    """What the API's soft delete does."""
    table = models.shares
    due = site.clock.now() + datetime.timedelta(seconds=seconds)
    with site.database.writer() as connection:
        connection.execute(
            table.update()
            .where(table.c.id == share["share_id"])
            .values(is_soft_deleted=True, scheduled_to_be_deleted_at=due)
        )


def look(site):
    count = flows.delete_expired(site.environment, site.worker.journal)
    site.run()
    return count


@pytest.mark.parametrize("status", ["available", "error", "error_deleting"])
def test_a_share_is_deleted_when_its_time_in_the_bin_is_over(site, status):
    share, other = site.add_share(status), site.add_share("available")
    throw_away(site, share)

    assert look(site) == 0
    site.clock.advance(61)
    assert look(site) == 1

    assert (site.status(share), site.status(other)) == ("deleted", "available")
    assert site.usage("shares") == (1, 1)


@pytest.mark.parametrize("status", ["creating", "extending", "deleting", "awaiting_transfer"])
def test_a_share_that_something_goes_on_with_is_left_alone(site, status):
    share = site.add_share(status)
    throw_away(site, share, -1)

    look(site)

    assert site.status(share) == status


def test_a_share_that_was_taken_out_of_the_bin_stays(site):
    share = site.add_share("available")
    throw_away(site, share, -1)
    assert flows.delete_expired(site.environment, site.worker.journal) == 1
    with site.database.writer() as connection:
        connection.execute(models.shares.update().values(is_soft_deleted=False))

    site.run()

    assert (site.status(share), site.driver.calls) == ("available", [])


def test_a_share_with_snapshots_stays(site):
    share = site.add_share("available")
    site.add_snapshot(share, "available")
    throw_away(site, share, -1)

    assert look(site) == 1
    assert (site.status(share), site.driver.calls) == ("available", [])


def test_a_share_with_replicas_stays(site):
    share, other = site.add_share("available"), site.add_share("available")
    throw_away(site, share, -1)
    table = models.share_instances
    with site.database.writer() as connection:
        connection.execute(
            table.update()
            .where(table.c.id == other["instance_id"])
            .values(share_id=share["share_id"])
        )

    look(site)

    assert (site.status(share), site.driver.calls) == ("available", [])


def test_a_share_in_a_group_stays(site):
    share = site.add_share("available")
    throw_away(site, share, -1)
    with site.database.writer() as connection:
        connection.execute(models.shares.update().values(share_group_id="group"))

    look(site)

    assert (site.status(share), site.driver.calls) == ("available", [])


def test_a_deletion_that_fails_is_tried_again_in_the_next_round(site):
    share = site.add_share("available")
    throw_away(site, share, -1)
    site.driver.answers["delete_share"] = RuntimeError("no")
    look(site)
    assert site.status(share) == "error_deleting"
    site.driver.answers["delete_share"] = None

    assert look(site) == 1
    assert site.status(share) == "deleted"


def test_a_share_whose_deletion_is_under_way_is_not_deleted_twice(site):
    share = site.add_share("available")
    throw_away(site, share, -1)

    assert flows.delete_expired(site.environment, site.worker.journal) == 1
    assert flows.delete_expired(site.environment, site.worker.journal) == 0


def test_shares_of_other_back_ends_are_theirs_to_delete(site):
    share = site.add_share("available")
    throw_away(site, share, -1)
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(host=f"{HOST}_2#pool"))

    assert look(site) == 0


# -- transfers ---------------------------------------------------------------------------------


def offer(site, share, seconds):
    due = site.clock.now() + datetime.timedelta(seconds=seconds)
    with site.database.writer() as connection:
        connection.execute(
            models.transfers.insert(),
            {"id": f"of {share['share_id']}"[:36], "resource_id": share["share_id"],
             "resource_type": "share", "expires_at": due, "deleted": "False"},
        )  # fmt: skip


def test_an_offer_ends_when_its_time_is_over_and_the_share_is_available_again(site):
    old, new = site.add_share("awaiting_transfer"), site.add_share("awaiting_transfer")
    offer(site, old, 60)
    offer(site, new, 120)

    assert flows.end_transfers(site.environment) == 0
    site.clock.advance(61)
    assert flows.end_transfers(site.environment) == 1
    assert flows.end_transfers(site.environment) == 0

    assert (site.status(old), site.status(new)) == ("available", "awaiting_transfer")
    assert len(site.rows(models.transfers, deleted="False")) == 1


def test_a_share_that_does_not_wait_any_more_keeps_its_status(site: Site):
    share = site.add_share("deleting")
    offer(site, share, -1)

    assert flows.end_transfers(site.environment) == 1
    assert site.status(share) == "deleting"
