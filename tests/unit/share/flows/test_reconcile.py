# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share import flows
from tests.support.shares import EXPORT, Site

GRACE = 60


def reconcile(site, wait=GRACE + 1):
    site.clock.advance(wait)
    count = flows.reconcile(site.environment, site.worker.journal)
    site.run()
    return count


def snapshot_status(site, snapshot):
    return site.snapshot_instance(snapshot)["status"]


def test_a_creation_that_took_effect_becomes_available(site):
    share = site.add_share()
    site.driver.answers["ensure_share"] = ["/found"]

    assert reconcile(site) == 1

    assert (site.status(share), site.exports(share)) == ("available", ["/found"])
    assert site.driver.called("create_share") == 0


def test_a_creation_that_did_not_take_effect_goes_into_error_with_the_reason(site):
    share = site.add_share()
    site.driver.answers["ensure_share"] = exception.ShareResourceNotFound(share_id="x")

    reconcile(site)

    [operation] = site.rows(models.lite.operations)
    assert site.status(share) == "error"
    assert operation["state"] == "failed"
    assert "'creating'" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "001")]


def test_a_creation_of_which_the_driver_cannot_tell_goes_into_error(site):
    share = site.add_share()

    reconcile(site)

    assert site.status(share) == "error"


def test_a_back_end_that_does_not_answer_is_asked_again(site):
    share = site.add_share()
    site.driver.answers["ensure_share"] = exception.BackendBusy(reason="rebooting")
    reconcile(site)
    assert site.status(share) == "creating"
    site.driver.answers["ensure_share"] = [EXPORT]

    site.run(seconds=5)

    assert site.status(share) == "available"


def test_a_back_end_that_never_answers_is_given_up(site):
    share = site.add_share()
    site.driver.answers["ensure_share"] = exception.BackendBusy(reason="rebooting")

    reconcile(site)
    site.clock.advance(700)
    site.run()

    assert site.status(share) == "error"


def test_a_copy_that_manila_began_is_waited_for(site):
    share = site.add_share("creating_from_snapshot")
    site.driver.answers["get_share_status"] = {"status": "creating_from_snapshot"}
    reconcile(site)
    assert site.status(share) == "creating_from_snapshot"
    site.driver.answers["get_share_status"] = {"status": "available", "export_locations": "/c"}

    site.run(seconds=5)

    assert (site.status(share), site.exports(share)) == ("available", ["/c"])


def test_an_abandoned_deletion_is_carried_out_again(site):
    share = site.add_share("deleting")

    reconcile(site)

    assert site.status(share) == "deleted"
    assert site.driver.called("delete_share") == 1
    assert site.usage("shares") == (0, 0)


def test_an_abandoned_deletion_that_fails_again_is_error_deleting(site):
    share = site.add_share("deleting")
    site.driver.answers["delete_share"] = RuntimeError("no")

    reconcile(site)

    assert site.status(share) == "error_deleting"
    assert site.messages(share["share_id"]) == [("007", "001")]


@pytest.mark.parametrize(
    ("found", "left", "action"),
    [
        ("extending", "extending_error", "008"),
        ("shrinking", "shrinking_error", "009"),
        ("manage_starting", "manage_error", "002"),
        ("reverting", "reverting_error", "006"),
        ("reverting_to_snapshot", "reverting_error", "006"),
    ],
)
def test_what_nobody_can_tell_is_put_into_its_error_status(site, found, left, action):
    share = site.add_share(found)

    reconcile(site)

    assert (site.status(share), site.driver.calls) == (left, [])
    assert site.messages(share["share_id"]) == [(action, "001")]


def test_shares_left_in_ensuring_are_available_again(site):
    share = site.add_share("ensuring")

    reconcile(site)

    assert site.status(share) == "available"


@pytest.mark.parametrize("status", ["available", "error", "migrating_to", "deferred_deleting"])
def test_other_statuses_are_left_alone(site, status):
    share = site.add_share(status)

    assert reconcile(site) == 0
    assert site.status(share) == status


def test_a_row_gets_its_grace_first(site):
    site.add_share("extending")

    assert reconcile(site, wait=GRACE - 1) == 0
    assert reconcile(site, wait=2) == 1


def test_a_row_with_a_live_operation_on_its_lane_is_not_stuck(site):
    share = site.add_share("extending")
    site.cast("extend_share", share_id=share["share_id"], new_size=6)
    site.clock.advance(GRACE + 1)

    assert flows.reconcile(site.environment, site.worker.journal) == 0


def test_a_stuck_row_is_taken_up_once_however_often_it_is_found(site):
    share = site.add_share("creating")
    site.driver.answers["ensure_share"] = [EXPORT]
    site.clock.advance(GRACE + 1)
    other = Site.new_worker(site)

    assert flows.reconcile(site.environment, site.worker.journal) == 1
    assert flows.reconcile(site.environment, other.journal) == 0
    site.run()
    assert site.status(share) == "available"


def test_a_row_that_moved_on_by_itself_is_left_alone(site):
    share = site.add_share("extending")
    site.clock.advance(GRACE + 1)
    flows.reconcile(site.environment, site.worker.journal)
    site.force(share, "available")

    site.run()

    assert site.status(share) == "available"
    assert site.messages(share["share_id"]) == []


def test_rows_of_other_back_ends_are_not_touched(site):
    share = site.add_share("extending")
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(host="host@backend_2#pool"))

    assert reconcile(site) == 0
    assert site.status(share) == "extending"


def test_an_abandoned_snapshot_goes_into_error(site):
    snapshot = site.add_snapshot(site.add_share("available"))

    assert reconcile(site) == 1

    assert snapshot_status(site, snapshot) == "error"
    assert site.messages(snapshot["snapshot_id"]) == [("002", "001")]


def test_an_abandoned_deletion_of_a_snapshot_is_carried_out_again(site):
    snapshot = site.add_snapshot(site.add_share("available"), "deleting")

    reconcile(site)

    assert snapshot_status(site, snapshot) == "deleted"
    assert site.usage("snapshots") == (0, 0)


def test_a_failed_operation_whose_last_write_was_lost_is_made_up_for(site):
    share = site.add_share("extending")
    site.driver.answers["extend_share"] = RuntimeError("no")
    site.do("extend_share", share_id=share["share_id"], new_size=6)
    site.force(share, "extending")

    reconcile(site)

    assert site.status(share) == "extending_error"


def test_a_managed_share_of_which_nobody_can_tell_counts_for_nothing(site):
    share = site.add_share("manage_starting")

    reconcile(site)

    assert site.share(share)["size"] == 0


@pytest.mark.parametrize("found", ["unmanage_starting", "manage_error_unmanage_starting"])
def test_an_abandoned_unmanaging_is_carried_out_again(site, found):
    share = site.add_share(found)

    reconcile(site)

    assert site.share(share)["deleted"] == share["share_id"]
    assert site.driver.called("unmanage") == 1


@pytest.mark.parametrize("found", ["unmanage_starting", "manage_error_unmanage_starting"])
def test_an_abandoned_unmanaging_that_fails_again_is_unmanage_error(site, found):
    share = site.add_share(found)
    site.driver.answers["unmanage"] = exception.UnmanageInvalidShare(reason="x")

    reconcile(site)

    assert site.status(share) == "unmanage_error"
    assert len(site.messages(share["share_id"])) == 1


def test_an_abandoned_revert_is_carried_out_again(site):
    share = site.add_share("reverting")
    snapshot = site.add_snapshot(share, "restoring")

    assert reconcile(site) == 2

    assert (site.status(share), snapshot_status(site, snapshot)) == ("available", "available")
    assert site.driver.called("revert_to_snapshot") == 1


def test_an_abandoned_revert_that_fails_again_is_reverting_error(site):
    share = site.add_share("reverting")
    snapshot = site.add_snapshot(share, "restoring")
    site.driver.answers["revert_to_snapshot"] = RuntimeError("no")

    reconcile(site)

    assert (site.status(share), snapshot_status(site, snapshot)) == ("reverting_error", "available")
    assert site.messages(share["share_id"]) == [("006", "001")]


def test_a_snapshot_whose_share_is_not_being_reverted_is_as_it_was(site):
    share = site.add_share("available")
    snapshot = site.add_snapshot(share, "restoring")

    reconcile(site)

    assert (site.status(share), snapshot_status(site, snapshot)) == ("available", "available")
    assert site.driver.calls == []


def test_an_abandoned_unmanaging_of_a_snapshot_is_carried_out_again(site):
    snapshot = site.add_snapshot(site.add_share("available"), "unmanage_starting")

    reconcile(site)

    assert snapshot_status(site, snapshot) == "deleted"
    assert site.driver.called("unmanage_snapshot") == 1


def test_a_managed_snapshot_of_which_nobody_can_tell_is_manage_error(site):
    snapshot = site.add_snapshot(site.add_share("available"), "manage_starting")

    reconcile(site)

    assert (snapshot_status(site, snapshot), site.driver.calls) == ("manage_error", [])
    assert site.messages(snapshot["snapshot_id"]) == [("002", "001")]
