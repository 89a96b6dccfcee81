# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception


@pytest.fixture
def volume(site):
    return site.add_volume("reverting")


@pytest.fixture
def snapshot(site, volume):
    return site.add_snapshot(volume, "restoring")


def test_a_volume_goes_back_to_its_snapshot(site, volume, snapshot):
    operation = site.do("revert_to_snapshot", volume_id=volume, snapshot_id=snapshot)

    assert operation["state"] == "succeeded"
    assert site.status(volume) == "available"
    assert site.words(snapshot)[0] == "available"
    assert site.driver.calls == [("revert_to_snapshot", volume)]
    assert site.driver.argument("revert_to_snapshot", 2)["id"] == snapshot


def test_a_reversion_that_fails_spoils_the_volume_and_not_the_snapshot(site, volume, snapshot):
    site.driver.answers["revert_to_snapshot"] = exception.InvalidSnapshot(reason="not the latest")

    operation = site.do("revert_to_snapshot", volume_id=volume, snapshot_id=snapshot)

    assert "not the latest" in operation["error"]
    assert site.status(volume) == "error"
    assert site.words(snapshot)[0] == "available"


def test_an_interrupted_reversion_is_done_again(site, volume, snapshot):
    uuid = site.crash_in(
        "revert_to_snapshot", "revert_to_snapshot", volume_id=volume, snapshot_id=snapshot
    )
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.driver.called("revert_to_snapshot") == 2


def test_a_snapshot_of_another_volume_is_refused(site, snapshot):
    other = site.add_volume("reverting")

    operation = site.do("revert_to_snapshot", volume_id=other, snapshot_id=snapshot)

    assert "not of volume" in operation["error"]
    assert site.driver.calls == []
