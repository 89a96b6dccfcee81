# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from tests.support.volumes import SHARE

REF = {"source-name": "file"}


@pytest.mark.parametrize("status", ["managing", "creating"])
def test_what_is_found_becomes_a_volume_of_its_own_size(site, status):
    volume = site.add_volume(status, provider_location=None)

    assert site.do("manage_existing", volume_id=volume, ref=REF)["state"] == "succeeded"

    row = site.volume(volume)
    assert (row["status"], row["size"], row["provider_location"]) == ("available", 3, SHARE)
    assert site.driver.argument("manage_existing", 0)["size"] == 3


def test_what_cannot_be_managed_shows_it(site):
    volume = site.add_volume("managing")
    site.driver.answers["manage_existing_get_size"] = exception.ManageExistingInvalidReference(
        existing_ref=REF, reason="there is no such file"
    )

    operation = site.do("manage_existing", volume_id=volume, ref=REF)

    assert "no such file" in operation["error"]
    assert site.status(volume) == "error_managing"


def test_nothing_is_managed_as_a_volume_without_a_size(site):
    volume = site.add_volume("managing")
    site.driver.answers["manage_existing_get_size"] = 0

    site.do("manage_existing", volume_id=volume, ref=REF)

    assert site.status(volume) == "error_managing"
    assert site.driver.called("manage_existing") == 0


def test_an_interrupted_adoption_goes_on_with_the_size_that_was_measured(site):
    volume = site.add_volume("managing")

    uuid = site.crash_in("manage_existing", "manage_existing", volume_id=volume, ref=REF)
    site.driver.answers["manage_existing_get_size"] = exception.ManageExistingInvalidReference(
        existing_ref=REF, reason="it has its new name"
    )
    site.driver.answers["manage_existing"] = {"provider_location": SHARE}
    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.volume(volume)["size"] == 3


def test_a_snapshot_that_no_driver_can_manage_shows_it(site):
    snapshot = site.add_snapshot(site.add_volume())
    site.driver.answers["manage_existing_snapshot"] = NotImplementedError

    site.do("manage_existing_snapshot", snapshot_id=snapshot, ref=REF)

    assert site.words(snapshot)[0] == "error"


def test_a_snapshot_is_managed_where_the_driver_can(site):
    snapshot = site.add_snapshot(site.add_volume())
    site.driver.answers["manage_existing_snapshot"] = {"provider_id": "p"}

    site.do("manage_existing_snapshot", snapshot_id=snapshot, ref=REF)

    assert site.words(snapshot)[0] == "available"
    assert site.snapshot(snapshot)["provider_id"] == "p"
