# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.volume.flows import telling
from tests.support.volumes import SHARE, Site, Turns


def test_a_new_volume_becomes_available_where_the_driver_put_it(site):
    volume = site.add_volume("creating")

    assert site.do("create_volume", volume_id=volume)["state"] == "succeeded"

    row = site.volume(volume)
    assert (row["status"], row["provider_location"]) == ("available", SHARE)
    assert row["launched_at"] == site.clock.now()
    assert site.driver.methods() == ["create_volume"]


@pytest.mark.parametrize(
    ("pool", "host"), [("there", "host@backend#there"), (None, "host@backend#pool")]
)
def test_the_host_of_a_new_volume_names_the_pool_in_which_it_lies(site, pool, host):
    volume = site.add_volume("creating")
    site.driver.answers["get_pool"] = lambda made: made["provider_location"] and pool

    site.do("create_volume", volume_id=volume)

    assert site.volume(volume)["host"] == host


@pytest.mark.parametrize(
    ("source", "method"),
    [("snapshot_id", "create_volume_from_snapshot"), ("source_volid", "create_cloned_volume")],
)
def test_the_data_come_from_what_the_request_names(site, source, method):
    other = site.add_volume(bootable=True)
    snapshot = site.add_snapshot(other, "available")
    named = snapshot if source == "snapshot_id" else other
    volume = site.add_volume("creating")

    site.do("create_volume", volume_id=volume, request_spec={source: named})

    assert site.driver.calls == [(method, volume)]
    assert site.driver.argument(method, 1)["id"] == named
    assert site.status(volume) == "available"
    assert site.volume(volume)["bootable"] is True


def test_the_row_tells_of_the_source_where_the_request_does_not(site):
    snapshot = site.add_snapshot(site.add_volume(), "available")
    volume = site.add_volume("creating", snapshot_id=snapshot)

    site.do("create_volume", volume_id=volume)

    assert site.driver.methods() == ["create_volume_from_snapshot"]


def test_a_source_that_is_gone_fails_the_creation(site):
    volume = site.add_volume("creating")

    operation = site.do("create_volume", volume_id=volume, request_spec={"snapshot_id": "none"})

    assert operation["state"] == "failed"
    assert "none" in operation["error"]
    assert site.status(volume) == "error"


def test_a_volume_from_an_image_is_bootable_and_remembers_it(site):
    volume = site.add_volume("creating")
    statuses = []
    site.driver.answers["copy_image_to_volume"] = lambda *args: statuses.append(site.status(volume))

    site.do("create_volume", volume_id=volume, request_spec={"image_id": "image"})

    assert statuses == ["downloading"]
    assert site.driver.methods() == ["create_volume", "copy_image_to_volume"]
    assert site.driver.argument("copy_image_to_volume", 1)["provider_location"] == SHARE
    row = site.volume(volume)
    assert (row["status"], row["bootable"]) == ("available", True)
    assert site.image_of(volume) == {
        "image_id": "image",
        "image_name": "Image",
        "disk_format": "raw",
        "os": "linux",
    }


def test_where_the_volume_lies_is_not_told_before_it_is_complete(site):
    volume = site.add_volume("creating")
    seen = []
    site.driver.answers["copy_image_to_volume"] = lambda *args: seen.append(
        site.volume(volume)["provider_location"]
    )

    site.do("create_volume", volume_id=volume, request_spec={"image_id": "image"})

    assert seen == [None]


def test_a_failed_creation_leaves_nothing_on_the_storage_and_tells_the_user(site):
    volume = site.add_volume("creating")
    site.driver.answers["create_volume"] = exception.RemoteFSNoSuitableShareFound(volume_size=5)

    operation = site.do("create_volume", volume_id=volume)

    assert operation["state"] == "failed"
    assert site.status(volume) == "error"
    assert site.driver.methods() == ["create_volume", "discard_unfinished_volume"]
    assert site.messages(volume) == [(telling.ACTION_CREATE, telling.DETAIL_DRIVER_FAILED_CREATE)]


def test_a_failed_download_leaves_nothing_on_the_storage(site):
    volume = site.add_volume("creating")
    site.driver.answers["copy_image_to_volume"] = exception.ImageTooBig(
        image_id="image", reason="no room"
    )

    site.do("create_volume", volume_id=volume, request_spec={"image_id": "image"})

    assert site.status(volume) == "error"
    assert site.volume(volume)["provider_location"] is None
    assert site.driver.methods()[-1] == "discard_unfinished_volume"
    assert site.messages(volume) == [
        (telling.ACTION_COPY_FROM_IMAGE, telling.DETAIL_NO_ROOM_FOR_IMAGE)
    ]


def test_what_had_the_volumes_name_before_is_not_cleared_away(site):
    volume = site.add_volume("creating")
    site.driver.answers["create_volume"] = exception.VolumeExists(volume_id=volume, where="share")

    site.do("create_volume", volume_id=volume)

    assert site.status(volume) == "error"
    assert site.driver.methods() == ["create_volume"]


def test_a_volume_in_error_that_was_handed_out_is_not_made_again(site):
    volume = site.add_volume("error", provider_location="share")

    operation = site.do("create_volume", volume_id=volume)

    assert operation["state"] == "succeeded"
    assert site.driver.methods() == []
    assert site.status(volume) == "error"


def test_what_cannot_be_cleared_away_does_not_keep_the_volume_from_showing_the_error(site):
    volume = site.add_volume("creating")
    site.driver.answers["create_volume"] = exception.RemoteFSException("no")
    site.driver.answers["discard_unfinished_volume"] = OSError("read only")

    site.do("create_volume", volume_id=volume)

    assert site.status(volume) == "error"


def test_a_creation_that_was_interrupted_is_cleared_away_and_done_again(site):
    volume = site.add_volume("creating")

    uuid = site.crash_in("create_volume", "create_volume", volume_id=volume)
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.methods() == [
        "create_volume", "discard_unfinished_volume", "create_volume",
    ]  # fmt: skip


def test_an_interrupted_download_is_done_again_over_what_is_there(site):
    volume = site.add_volume("creating")

    uuid = site.crash_in(
        "create_volume", "copy_image_to_volume", volume_id=volume,
        request_spec={"image_id": "image"},
    )  # fmt: skip
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.methods() == [
        "create_volume", "copy_image_to_volume", "copy_image_to_volume",
    ]  # fmt: skip


def test_a_driver_that_cannot_clear_away_follows_the_policy():
    site = Site(policy="error")
    del site.driver.answers["discard_unfinished_volume"]
    volume = site.add_volume("creating")

    uuid = site.crash_in("create_volume", "create_volume", volume_id=volume)
    site.run()

    assert site.operation(uuid)["state"] == "failed"
    assert site.driver.called("create_volume") == 1


def test_an_operators_retry_begins_with_nothing(site):
    volume = site.add_volume("creating")
    site.driver.answers["create_volume"] = Turns(
        [exception.RemoteFSException("no"), {"provider_location": SHARE}]
    )
    failed = site.do("create_volume", volume_id=volume)
    del site.driver.calls[:], site.driver.arguments[:]

    site.retry(failed["uuid"])

    assert site.driver.methods() == ["discard_unfinished_volume", "create_volume"]
    assert site.status(volume) == "available"


def test_a_volume_that_is_there_is_not_made_again(site):
    volume = site.add_volume("available")

    operation = site.do("create_volume", volume_id=volume)

    assert site.result(operation) == {"skipped": "the volume is available"}
    assert site.driver.calls == []


def test_a_creation_without_an_image_service_says_so(site):
    volume = site.add_volume("creating")
    site.environment.images = None

    operation = site.do("create_volume", volume_id=volume, request_spec={"image_id": "image"})

    assert "image service" in operation["error"]
    assert site.status(volume) == "error"


def test_a_volume_is_worked_on_while_another_one_is_made_of_it(site):
    original = site.add_volume()
    snapshot = site.add_snapshot(original, "available")
    lanes = [
        site.operation(
            site.cast("create_volume", volume_id=f"new-{number}", request_spec=spec)
        )["lane"]
        for number, spec in enumerate(
            [{"snapshot_id": snapshot}, {"source_volid": original}, {"image_id": "i"}, None]
        )
    ]  # fmt: skip

    assert lanes == [f"volume:{original}"] * 2 + ["volume:new-2", "volume:new-3"]


def test_a_creation_whose_source_nobody_knows_has_the_new_volumes_lane(site):
    volume = site.add_volume("creating")

    operation = site.do("create_volume", volume_id=volume, request_spec={"snapshot_id": "none"})

    assert operation["lane"] == f"volume:{volume}"
    assert site.status(volume) == "error"


@pytest.mark.parametrize("later", ["deleting", "restoring"])
def test_what_waits_behind_it_does_not_keep_a_volume_from_being_made(site, later):
    original = site.add_volume("extending")
    snapshot = site.add_snapshot(original, later)
    copy, clone = site.add_volume("creating"), site.add_volume("creating")

    site.do("create_volume", volume_id=copy, request_spec={"snapshot_id": snapshot})
    site.do("create_volume", volume_id=clone, request_spec={"source_volid": original})

    given = site.driver.argument("create_volume_from_snapshot", 1)
    assert (given.status, given.volume.status) == ("available", "available")
    assert site.driver.argument("create_cloned_volume", 1).status == "available"
