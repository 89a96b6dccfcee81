# SPDX-License-Identifier: Apache-2.0

from manila_lite import exception


class VolumeIsBusy(Exception):
    """A driver's own class of that name."""


def test_a_volume_is_removed_from_the_storage_and_from_the_rows(site):
    volume = site.add_volume("deleting")

    assert site.do("delete_volume", volume_id=volume)["state"] == "succeeded"

    row = site.volume(volume)
    assert (row["status"], row["deleted"]) == ("deleted", True)
    assert site.driver.methods() == ["remove_export", "delete_volume"]


def test_a_volume_that_the_storage_does_not_have_counts_as_deleted(site):
    volume = site.add_volume("deleting")
    site.driver.answers["delete_volume"] = exception.VolumeNotFound(volume_id=volume)

    site.do("delete_volume", volume_id=volume)

    assert site.volume(volume)["deleted"] is True


def test_a_second_deletion_finds_nothing_to_do(site):
    volume = site.add_volume("deleting")
    site.do("delete_volume", volume_id=volume)

    operation = site.do("delete_volume", volume_id=volume)

    assert site.result(operation) == {"skipped": "the volume is already deleted"}
    assert site.driver.called("delete_volume") == 1


def test_a_deletion_that_fails_shows_it(site):
    volume = site.add_volume("deleting")
    site.driver.answers["delete_volume"] = exception.RemoteFSException("read only")

    assert site.do("delete_volume", volume_id=volume)["state"] == "failed"
    assert site.status(volume) == "error_deleting"


def test_a_volume_that_stays_busy_is_available_again(site):
    volume = site.add_volume("deleting")
    site.driver.answers["delete_volume"] = VolumeIsBusy()

    assert site.do("delete_volume", volume_id=volume)["state"] == "waiting"
    site.run(60)

    assert site.driver.called("delete_volume") == 4
    assert site.status(volume) == "available"


def test_a_volume_with_snapshots_is_not_taken_from_under_them(site):
    volume = site.add_volume("deleting")
    site.add_snapshot(volume, "available")

    operation = site.do("delete_volume", volume_id=volume)

    assert "1 snapshots" in operation["error"]
    assert site.driver.calls == []
    assert site.status(volume) == "error_deleting"


def test_a_volume_that_is_attached_stays(site):
    volume = site.add_volume("in-use")

    operation = site.do("delete_volume", volume_id=volume)

    assert "is attached" in operation["error"]
    assert site.driver.calls == []
    assert site.status(volume) == "in-use"


def test_a_volume_of_another_back_end_stays(site):
    volume = site.add_volume("deleting", host="other@backend#pool")

    operation = site.do("delete_volume", volume_id=volume)

    assert "other@backend" in operation["error"]
    assert site.driver.calls == []


def test_what_never_was_anywhere_is_cleared_away(site):
    volume = site.add_volume("deleting", provider_location=None)

    site.do("delete_volume", volume_id=volume)

    assert site.volume(volume)["deleted"] is True
    assert "discard_unfinished_volume" in site.driver.methods()


def test_a_cascade_takes_the_newest_snapshot_first(site):
    volume = site.add_volume("deleting")
    snapshots = [site.add_snapshot(volume, "deleting") for _ in range(3)]

    assert site.do("delete_volume", volume_id=volume, cascade=True)["state"] == "succeeded"

    deleted = [found for method, found in site.driver.calls if method == "delete_snapshot"]
    assert deleted == list(reversed(snapshots))
    assert all(site.snapshot(one)["deleted"] for one in snapshots)
    assert site.driver.methods()[-1] == "delete_volume"


def test_a_cascade_goes_on_where_it_was_interrupted(site):
    volume = site.add_volume("deleting")
    first, second = (site.add_snapshot(volume, "deleting") for _ in range(2))
    answers = site.driver.answers

    def die_at_the_first(snapshot):
        if snapshot["id"] == first:
            raise exception.BackendBusy(reason="not yet")

    answers["delete_snapshot"] = die_at_the_first
    uuid = site.cast("delete_volume", volume_id=volume, cascade=True)
    site.run()
    assert site.snapshot(second)["deleted"] is True
    assert site.snapshot(first)["deleted"] is False

    answers["delete_snapshot"] = None
    site.run(60)

    assert site.operation(uuid)["state"] == "succeeded"
    assert [found for method, found in site.driver.calls if method == "delete_snapshot"].count(
        second
    ) == 1


def test_a_cascade_spares_a_snapshot_that_nobody_asked_to_delete(site):
    volume = site.add_volume("deleting")
    site.add_snapshot(volume, "available")

    site.do("delete_volume", volume_id=volume, cascade=True)

    assert site.driver.called("delete_snapshot") == 0
    assert site.driver.called("delete_volume") == 0
    assert site.status(volume) == "error_deleting"


def test_an_unmanaged_volume_keeps_its_data(site):
    volume = site.add_volume("unmanaging")

    site.do("delete_volume", volume_id=volume, unmanage_only=True)

    assert site.driver.methods() == ["remove_export", "unmanage"]
    assert site.volume(volume)["deleted"] is True


def test_a_volume_that_cannot_be_unmanaged_shows_it(site):
    volume = site.add_volume("unmanaging")
    site.driver.answers["unmanage"] = exception.InvalidVolume(reason="it has snapshots")

    site.do("delete_volume", volume_id=volume, unmanage_only=True)

    assert site.status(volume) == "error_unmanaging"
