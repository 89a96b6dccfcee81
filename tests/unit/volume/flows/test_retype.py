# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.db import volume_types
from manila_lite.db.writes import execute_writes

HOST = {"host": "host@backend#pool"}


@pytest.fixture
def volume(site):
    with site.database.writer() as connection:
        now = site.clock.now()
        execute_writes(
            connection,
            [
                volume_types.new_type("fast", {"disk": "ssd"}, now, "fast-id"),
                volume_types.new_type("plain", {}, now, "plain-id"),
            ],
        )
    return site.add_volume("retyping")


def test_a_type_that_no_driver_knows_of_is_changed_in_the_row(site, volume):
    operation = site.do("retype", volume_id=volume, new_type_id="plain-id", host=HOST)

    assert operation["state"] == "succeeded"
    assert site.volume(volume)["volume_type_id"] == "plain-id"
    assert site.status(volume) == "available"
    assert site.driver.calls == []


def test_a_driver_is_told_what_changes(site, volume):
    site.driver.answers["retype"] = (True, {"provider_id": "p"})

    site.do("retype", volume_id=volume, new_type_id="fast-id", host=HOST)

    assert site.driver.argument("retype", 3)["extra_specs"] == {"disk": (None, "ssd")}
    row = site.volume(volume)
    assert (row["volume_type_id"], row["provider_id"], row["status"]) == (
        "fast-id", "p", "available",
    )  # fmt: skip


@pytest.mark.parametrize("answer", [(False, None), False])
def test_a_volume_that_would_have_to_be_copied_keeps_its_type(site, volume, answer):
    site.driver.answers["retype"] = answer
    site.attach(volume)

    operation = site.do("retype", volume_id=volume, new_type_id="fast-id", host=HOST)

    assert "fast" in operation["error"]
    assert site.volume(volume)["volume_type_id"] not in ("fast-id", "plain-id")
    assert site.status(volume) == "in-use"


def test_an_unknown_type_is_named(site, volume):
    operation = site.do("retype", volume_id=volume, new_type_id="none", host=HOST)

    assert "none" in operation["error"]
    assert site.status(volume) == "available"


def test_a_transfer_is_the_drivers_business_only_where_it_has_one(site, volume):
    arguments = {"volume_id": volume, "new_user": "u", "new_project": "p"}
    assert site.call("accept_transfer", **arguments) is None

    site.driver.answers["accept_transfer"] = {"provider_id": "new"}
    assert site.call("accept_transfer", **arguments) == {"provider_id": "new"}
    assert site.volume(volume)["provider_id"] == "new"
