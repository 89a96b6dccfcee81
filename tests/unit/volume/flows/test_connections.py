# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.volumes import Turns

CONNECTOR = {"host": "compute", "mountpoint": "/dev/vdb", "mode": "rw"}


@pytest.fixture
def volume(site):
    return site.add_volume("attaching")


def attachments(site, volume):
    return site.rows(models.volume_attachment, volume_id=volume, deleted=False)


def test_a_host_is_told_how_to_find_the_volume_and_what_it_may_do(site, volume):
    found = site.call("initialize_connection", volume_id=volume, connector=CONNECTOR)

    assert found["driver_volume_type"] == "local"
    assert found["data"] == {
        "name": "file", "encrypted": False, "access_mode": "rw", "qos_specs": None,
    }  # fmt: skip
    assert site.driver.methods() == [
        "validate_connector", "create_export", "initialize_connection",
    ]  # fmt: skip


def test_a_read_only_volume_is_given_out_as_such(site, volume):
    row = {"volume_id": volume, "key": "readonly", "value": "True", "deleted": False}
    with site.database.writer() as connection:
        connection.execute(models.volume_admin_metadata.insert(), row)

    found = site.call("initialize_connection", volume_id=volume, connector=CONNECTOR)

    assert found["data"]["access_mode"] == "ro"


def test_a_connection_that_fails_is_taken_back(site, volume):
    site.driver.answers["initialize_connection"] = exception.RemoteFSException("not there")

    with pytest.raises(exception.RemoteFSException):
        site.call("initialize_connection", volume_id=volume, connector=CONNECTOR)

    assert site.driver.methods()[-1] == "remove_export"


def test_a_host_is_not_told_of_a_file_that_is_about_to_change(site, volume):
    snapshot = site.add_snapshot(volume)
    site.cast("create_snapshot", snapshot_id=snapshot)

    with pytest.raises(exception.InvalidVolume, match="being worked on"):
        site.call("initialize_connection", volume_id=volume, connector=CONNECTOR)

    assert site.driver.calls == []


def test_a_connection_waits_until_the_volumes_lane_is_free(site, volume):
    snapshot = site.add_snapshot(volume, "deleting")
    site.set(models.volumes, volume, status="available")
    site.cast("delete_snapshot", snapshot_id=snapshot)
    clock, waits = site.environment.clock, []

    class Working:
        """Time goes by, and with it the operation."""

        def wait(self, event, timeout):
            waits.append(timeout)
            if len(waits) == 3:
                site.run()
            return clock.wait(event, timeout)

        def __getattr__(self, name):
            return getattr(clock, name)

    site.environment.clock = Working()
    site.call("initialize_connection", volume_id=volume, connector=CONNECTOR)

    assert len(waits) == 3
    assert site.driver.methods()[0] == "delete_snapshot"
    assert site.driver.methods()[-1] == "initialize_connection"


def test_a_volume_is_attached_and_detached(site, volume):
    attached = site.call(
        "attach_volume", volume_id=volume, instance_uuid="guest", host_name=None,
        mountpoint="/dev/vdb", mode="rw",
    )  # fmt: skip
    [row] = attachments(site, volume)
    assert (row["id"], row["attach_status"]) == (attached["id"], "attached")
    assert site.status(volume) == "in-use"
    assert site.volume(volume)["attach_status"] == "attached"

    site.call("detach_volume", volume_id=volume, attachment_id=attached["id"])
    assert attachments(site, volume) == []
    assert site.status(volume) == "available"
    assert site.volume(volume)["attach_status"] == "detached"
    assert site.driver.methods() == ["attach_volume", "detach_volume", "remove_export"]


def test_attaching_twice_to_the_same_guest_is_no_error(site, volume):
    arguments = {"instance_uuid": "guest", "host_name": None, "mountpoint": "m", "mode": "rw"}
    first = site.call("attach_volume", volume_id=volume, **arguments)

    assert site.call("attach_volume", volume_id=volume, **arguments)["id"] == first["id"]
    assert len(attachments(site, volume)) == 1


def test_a_second_guest_is_refused(site):
    volume = site.add_volume("in-use")

    with pytest.raises(exception.InvalidVolume, match="attached already"):
        site.call(
            "attach_volume", volume_id=volume, instance_uuid="other", host_name=None,
            mountpoint="m", mode="rw",
        )  # fmt: skip


def test_a_driver_that_cannot_attach_leaves_the_volume_as_it_is(site, volume):
    site.driver.answers["attach_volume"] = exception.RemoteFSException("no")

    with pytest.raises(exception.RemoteFSException):
        site.call(
            "attach_volume", volume_id=volume, instance_uuid="guest", host_name=None,
            mountpoint="m", mode="rw",
        )  # fmt: skip

    assert attachments(site, volume) == []
    assert site.status(volume) == "attaching"


def test_detaching_what_is_not_attached_brings_the_status_in_line(site):
    volume = site.add_volume("detaching")

    site.call("detach_volume", volume_id=volume, attachment_id="over")

    assert site.status(volume) == "available"


def test_a_detachment_says_which_one_where_there_are_several(site):
    volume = site.add_volume("in-use", multiattach=True)
    site.attach(volume, id="another")

    with pytest.raises(exception.InvalidVolume, match="which one"):
        site.call("detach_volume", volume_id=volume)


def test_a_reserved_attachment_is_connected_and_ended(site):
    volume = site.add_volume("reserved")
    attachment = site.attach(volume, "reserved")

    found = site.call(
        "attachment_update", volume_id=volume, connector=CONNECTOR, attachment_id=attachment
    )
    assert found["data"]["name"] == "file"
    [row] = attachments(site, volume)
    assert (row["attach_status"], row["attached_host"]) == ("attaching", "compute")
    assert site.status(volume) == "attaching"

    site.call("attachment_delete", volume_id=volume, attachment_id=attachment)
    assert attachments(site, volume) == []
    assert site.status(volume) == "available"
    assert site.driver.methods()[-2:] == ["terminate_connection", "detach_volume"]


def test_an_attachment_that_never_had_a_host_is_ended_without_the_storage(site):
    volume = site.add_volume("reserved")
    site.attach(volume, "reserved")

    site.call("attachment_delete", volume_id=volume, attachment_id=None)

    assert attachments(site, volume) == []
    assert site.driver.called("terminate_connection") == 0


def test_an_unknown_attachment_is_not_connected(site, volume):
    with pytest.raises(exception.VolumeAttachmentNotFound):
        site.call("attachment_update", volume_id=volume, connector=CONNECTOR, attachment_id="none")


def test_an_unknown_volume_is_named(site):
    with pytest.raises(exception.VolumeNotFound, match="none"):
        site.call("terminate_connection", volume_id="none", connector=None)


def test_what_the_driver_can_do_is_told_to_who_asks(site):
    site.driver.answers["get_volume_stats"] = Turns([{"a": 1}])

    assert site.call("get_capabilities", discover=True) == {"a": 1}


def test_a_removed_export_is_an_operation_of_the_volume(site, volume):
    assert site.do("remove_export", volume_id=volume)["lane"] == f"volume:{volume}"
    assert site.driver.methods() == ["remove_export"]
