# SPDX-License-Identifier: Apache-2.0
from manila_lite import exception
from manila_lite.volume.flows import ensure


def test_volumes_that_can_be_used_are_ensured_and_no_others(site):
    usable = [site.add_volume(), site.add_volume("in-use")]
    for status in ("error", "deleting", "creating"):
        site.add_volume(status)
    site.add_volume(host="other@backend#pool")

    operation = site.do(ensure.ENSURE)

    assert sorted(found for _, found in site.driver.calls) == sorted(usable)
    assert site.result(operation) == {"ensured": 2, "failed": 0, "such as": []}


def test_a_volume_that_cannot_be_reached_keeps_its_status_and_is_named(site):
    volume = site.add_volume()
    site.driver.answers["ensure_export"] = exception.RemoteFSNoSharesMounted()

    operation = site.do(ensure.ENSURE)

    assert operation["state"] == "succeeded"
    assert site.result(operation)["such as"] == [volume]
    assert site.status(volume) == "available"


def test_what_the_driver_says_of_a_volume_is_kept(site):
    volume = site.add_volume()
    site.driver.answers["ensure_export"] = {"provider_location": "new:/share"}

    site.do(ensure.ENSURE)

    assert site.volume(volume)["provider_location"] == "new:/share"


def test_pages_are_ensured_one_by_one_over_a_restart(site, monkeypatch):
    monkeypatch.setattr(ensure, "PAGE", 2)
    for _ in range(5):
        site.add_volume()
    uuid = site.crash_in(ensure.ENSURE, "ensure_export")
    site.run()

    assert site.result(site.operation(uuid))["ensured"] == 5
