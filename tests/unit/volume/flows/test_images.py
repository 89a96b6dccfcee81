# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models, operation_requests
from manila_lite.image import progress
from manila_lite.volume.flows import telling

META = {"id": "image", "disk_format": "raw", "container_format": "bare"}


@pytest.fixture
def volume(site):
    return site.add_volume("uploading")


def test_a_volume_is_uploaded_and_available_again(site, volume):
    operation = site.do("copy_volume_to_image", volume_id=volume, image_meta=META)

    assert operation["state"] == "succeeded"
    assert site.status(volume) == "available"
    assert site.driver.argument("copy_volume_to_image", 2) is site.images
    assert site.driver.argument("copy_volume_to_image", 3) == META


def test_a_volume_that_a_guest_has_is_in_use_again(site, volume):
    site.attach(volume)

    site.do("copy_volume_to_image", volume_id=volume, image_meta=META)

    assert site.status(volume) == "in-use"
    assert site.driver.argument("copy_volume_to_image", 1)["status"] == "in-use"


def test_a_failed_upload_leaves_the_volume_as_it_was_and_no_image_that_waits(site, volume):
    site.driver.answers["copy_volume_to_image"] = exception.ImageCopyFailure(reason="full")
    site.images.answers["show"] = {"status": "queued"}

    assert site.do("copy_volume_to_image", volume_id=volume, image_meta=META)["state"] == "failed"

    assert site.status(volume) == "available"
    assert site.images.called("delete") == 1
    assert site.messages(volume) == [
        (telling.ACTION_COPY_TO_IMAGE, telling.DETAIL_FAILED_TO_UPLOAD)
    ]


def test_an_image_that_is_complete_is_not_removed(site, volume):
    site.driver.answers["copy_volume_to_image"] = exception.ImageCopyFailure(reason="late")

    site.do("copy_volume_to_image", volume_id=volume, image_meta=META)

    assert site.images.called("delete") == 0


@pytest.mark.parametrize(("status", "times"), [("active", 1), ("queued", 2)])
def test_an_interrupted_upload_is_repeated_unless_the_image_is_complete(
    site, volume, status, times
):
    site.images.answers["show"] = {"status": status}

    uuid = site.crash_in(
        "copy_volume_to_image", "copy_volume_to_image", volume_id=volume, image_meta=META
    )
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.called("copy_volume_to_image") == times


def test_people_see_how_far_an_upload_is(site, volume):
    seen = []

    def upload(*args):
        tell = progress.begin().at
        for share in (0.1, 0.4, 0.7):
            site.clock.advance(4)
            tell(share)
            [row] = site.rows(models.lite.operations)
            seen.append(row["progress"])

    site.driver.answers["copy_volume_to_image"] = upload
    site.do("copy_volume_to_image", volume_id=volume, image_meta=META)

    # Every five seconds is often enough.
    assert seen == [None, "40%", "40%"]


def test_an_upload_that_is_cancelled_ends_in_the_middle(site, volume):
    after = []

    def upload(*args):
        site.clock.advance(10)
        site.database.run(lambda c: operation_requests.request_cancel(c, uuid))
        site.worker.look_for_requests()
        progress.begin().at(0.5)
        after.append("went on")

    site.driver.answers["copy_volume_to_image"] = upload
    uuid = site.cast("copy_volume_to_image", volume_id=volume, image_meta=META)
    site.run()

    assert site.operation(uuid)["state"] == "cancelled"
    assert after == []
    assert site.status(volume) == "available"
