# SPDX-License-Identifier: Apache-2.0
"""Calls of Cinder's API over a real broker: connections and attachments."""

import pytest

from manila_lite.db import models
from tests.support import cinder

CONNECTOR = {"host": "compute", "ip": "10.0.0.7", "mountpoint": "/dev/vdb"}


@pytest.fixture(scope="module")
def client(site):
    return site.cinder()


@pytest.fixture
def volume(site, client):
    made = site.new_volume()
    request = client.cast(
        site.pool, "create_volume", volume=cinder.volume(made), request_spec=None,
        filter_properties=None, allow_reschedule=False,
    )  # fmt: skip
    assert site.ended(request)["state"] == "succeeded"
    return made


def test_a_host_connects_attaches_and_lets_go(site, client, volume):
    site.set(models.volumes, volume, status="attaching")
    given = {"volume": cinder.volume(volume), "connector": CONNECTOR}
    found = client.call(site.pool, "initialize_connection", **given)
    assert found["data"]["name"] == f"volume-{volume}"
    assert found["data"]["access_mode"] == "rw"

    attachment = client.call(
        site.pool, "attach_volume", "3.3", volume_id=volume, volume=cinder.volume(volume),
        instance_uuid="6a1e6b9f-0ad1-4a7a-9a4b-1d1f3c2b4a5d", host_name=None,
        mountpoint="/dev/vdb", mode="rw",
    )  # fmt: skip
    assert site.volume(volume).status == "in-use"

    client.call(
        site.pool, "detach_volume", "3.4", volume_id=volume, volume=cinder.volume(volume),
        attachment_id=attachment["id"],
    )  # fmt: skip
    assert site.volume(volume).status == "available"


def test_a_call_about_nothing_gets_the_reason_as_its_reply(site, client):
    with pytest.raises(Exception, match="could not be found"):
        client.call(
            site.pool, "terminate_connection", volume_id="none", connector=CONNECTOR, force=False
        )


def test_a_call_waits_for_a_snapshot_that_is_under_way(site, client, volume):
    snapshot = site.new_snapshot(volume)
    client.cast(site.pool, "create_snapshot", snapshot=cinder.snapshot(snapshot, volume))

    found = client.call(
        site.pool, "initialize_connection", volume=cinder.volume(volume), connector=CONNECTOR
    )

    if site.snapshot(snapshot).status == "available":
        # The host gets the image that counts from now on.
        assert found["data"]["name"] in (f"volume-{volume}.{snapshot}", f"volume-{volume}")
    assert site.snapshot(snapshot).status in ("available", "creating")


def test_capabilities_are_told_to_who_asks(site, client):
    [pool] = client.call(site.pool, "get_capabilities", discover=True)["pools"]

    assert pool["pool_name"] == str(site.share)
