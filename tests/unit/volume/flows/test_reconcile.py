# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.volume import flows
from manila_lite.volume.flows.reconcile import find_stuck

GRACE = 3600


def look(site):
    """Look for stuck rows after a long while; return how many there are."""
    site.clock.advance(GRACE)
    count = flows.reconcile(site.environment, site.worker.journal)
    site.run()
    return count


@pytest.mark.parametrize(
    ("status", "after"),
    [
        ("creating", "error"),
        ("downloading", "error"),
        ("deleting", "deleted"),
        ("extending", "error_extending"),
        ("uploading", "available"),
        ("reverting", "error"),
        ("managing", "error_managing"),
        ("unmanaging", "error_unmanaging"),
        ("retyping", "available"),
    ],
)
def test_a_volume_without_an_operation_comes_to_an_end(site, status, after):
    volume = site.add_volume(status)

    assert look(site) == 1
    assert site.status(volume) == after


@pytest.mark.parametrize(
    "status", ["available", "in-use", "attaching", "detaching", "maintenance", "error"]
)
def test_what_is_in_order_or_in_other_hands_is_left_alone(site, status):
    site.add_volume(status)

    assert look(site) == 0


def test_a_volume_with_an_operation_is_not_stuck(site):
    volume = site.add_volume("extending")
    site.cast("extend_volume", volume_id=volume, new_size=8)
    site.clock.advance(GRACE)

    assert flows.reconcile(site.environment, site.worker.journal) == 0


def test_a_row_that_changed_lately_is_given_time(site):
    site.add_volume("creating")

    assert flows.reconcile(site.environment, site.worker.journal) == 0


def test_an_abandoned_creation_leaves_nothing_on_the_storage(site):
    site.add_volume("creating")

    look(site)

    assert site.driver.methods() == ["discard_unfinished_volume"]


def test_an_abandoned_creation_that_was_told_of_is_not_taken_away(site):
    site.add_volume("creating", provider_location="server:/share")

    look(site)

    assert site.driver.calls == []


@pytest.mark.parametrize(
    ("status", "after"),
    [("creating", "error"), ("deleting", "deleted"), ("restoring", "available")],
)
def test_a_snapshot_without_an_operation_comes_to_an_end(site, status, after):
    snapshot = site.add_snapshot(site.add_volume(), status)

    assert look(site) == 1
    assert site.words(snapshot)[0] == after


def test_an_abandoned_snapshot_that_a_guest_is_on_is_completed(site):
    snapshot = site.add_snapshot(site.add_volume("in-use"))
    site.driver.answers["online_snapshot_state"] = "switched"

    look(site)

    assert site.words(snapshot)[0] == "available"
    assert site.driver.methods()[-1] == "complete_online_snapshot"


def test_the_same_row_is_taken_up_once_an_hour(site):
    site.add_volume("creating")
    site.clock.advance(GRACE)
    now = site.clock.now()
    with site.database.reader() as connection:
        first = find_stuck(connection, "host@backend", now)
        second = find_stuck(connection, "host@backend", now)

    assert [one.message_id for one in first] == [one.message_id for one in second]


@pytest.mark.parametrize("source", ["snapshot_id", "source_volid"])
def test_a_volume_whose_creation_waits_for_its_source_is_not_stuck(site, source):
    original = site.add_volume()
    named = original if source == "source_volid" else site.add_snapshot(original, "available")
    volume = site.add_volume("creating", **{source: named})
    site.cast("create_volume", volume_id=volume, request_spec={source: named})

    assert look(site) == 0


def test_a_migration_is_left_to_those_who_began_it(site):
    site.add_volume("retyping", migration_status="migrating")

    assert look(site) == 0
