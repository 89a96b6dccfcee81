# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.volume.flows import telling


@pytest.mark.parametrize(("attached", "after"), [(False, "available"), (True, "in-use")])
def test_a_volume_grows_and_is_what_its_attachments_say(site, attached, after):
    volume = site.add_volume("extending")
    if attached:
        site.attach(volume)

    site.do("extend_volume", volume_id=volume, new_size=8)

    assert (site.status(volume), site.volume(volume)["size"]) == (after, 8)
    assert site.driver.argument("extend_volume", 0)["status"] == after
    assert site.driver.argument("extend_volume", 1) == 8


def test_a_volume_that_does_not_grow_shows_it_and_keeps_its_size(site):
    volume = site.add_volume("extending")
    site.driver.answers["extend_volume"] = exception.ExtendVolumeError(reason="no room")

    site.do("extend_volume", volume_id=volume, new_size=8)

    assert (site.status(volume), site.volume(volume)["size"]) == ("error_extending", 5)
    assert site.messages(volume) == [(telling.ACTION_EXTEND, telling.DETAIL_DRIVER_FAILED_EXTEND)]


def test_a_size_that_the_volume_has_is_nothing_to_do(site):
    volume = site.add_volume("extending")

    operation = site.do("extend_volume", volume_id=volume, new_size=5)

    assert site.result(operation) == {"skipped": "the volume has 5 GiB"}
    assert site.status(volume) == "available"
    assert site.driver.calls == []


def test_an_interrupted_extension_is_done_again(site):
    volume = site.add_volume("extending")

    uuid = site.crash_in("extend_volume", "extend_volume", volume_id=volume, new_size=8)
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.called("extend_volume") == 2


def test_an_operators_retry_extends_after_all(site):
    volume = site.add_volume("extending")
    site.driver.answers["extend_volume"] = exception.ExtendVolumeError(reason="no room")
    failed = site.do("extend_volume", volume_id=volume, new_size=8)
    site.driver.answers["extend_volume"] = None

    site.retry(failed["uuid"])

    assert (site.status(volume), site.volume(volume)["size"]) == ("available", 8)


def test_a_volume_on_which_something_else_is_going_on_is_left_alone(site):
    volume = site.add_volume("deleting")

    site.do("extend_volume", volume_id=volume, new_size=8)

    assert site.status(volume) == "deleting"
    assert site.driver.calls == []
