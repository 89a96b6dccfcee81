# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from tests.support.volumes import OTHER_POOL, POOL

TARGET = {"host": OTHER_POOL}


@pytest.mark.parametrize("status", ["available", "maintenance"])
def test_a_volume_moves_to_another_pool(site, status):
    volume = site.add_volume(status)
    site.driver.answers["migrate_volume"] = (True, {"provider_location": "other:/share"})

    assert site.do("migrate_volume", volume_id=volume, host=TARGET)["state"] == "succeeded"

    row = site.volume(volume)
    assert (row["host"], row["provider_location"]) == (OTHER_POOL, "other:/share")
    assert (row["status"], row["migration_status"]) == ("available", "success")
    assert site.driver.argument("migrate_volume", 2) == TARGET


def test_its_migration_is_shown_while_it_goes_on(site):
    volume = site.add_volume()
    seen = []

    def look(*args):
        seen.append(site.volume(volume)["migration_status"])
        return True, None

    site.driver.answers["migrate_volume"] = look
    site.do("migrate_volume", volume_id=volume, host=TARGET)

    assert seen == ["migrating"]


@pytest.mark.parametrize("answer", [(False, None), exception.RemoteFSException("full")])
def test_a_volume_that_does_not_move_is_as_good_as_before(site, answer):
    volume = site.add_volume("maintenance")
    site.driver.answers["migrate_volume"] = answer

    assert site.do("migrate_volume", volume_id=volume, host=TARGET)["state"] == "failed"

    row = site.volume(volume)
    assert (row["host"], row["status"], row["migration_status"]) == (POOL, "available", "error")


def test_a_volume_that_is_there_stays(site):
    volume = site.add_volume()

    site.do("migrate_volume", volume_id=volume, host={"host": POOL})

    assert site.volume(volume)["migration_status"] == "success"
    assert site.driver.calls == []


def test_no_copy_is_forced(site):
    volume = site.add_volume()

    operation = site.do("migrate_volume", volume_id=volume, host=TARGET, force_host_copy=True)

    assert "driver's own way" in operation["error"]
    assert site.volume(volume)["migration_status"] == "error"


def test_an_interrupted_move_is_asked_for_again(site):
    volume = site.add_volume()

    uuid = site.crash_in("migrate_volume", "migrate_volume", volume_id=volume, host=TARGET)
    site.driver.answers["migrate_volume"] = (True, {"provider_location": "other:/share"})
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.volume(volume)["host"] == OTHER_POOL
