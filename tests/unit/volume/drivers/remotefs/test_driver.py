# SPDX-License-Identifier: Apache-2.0
"""RemoteFSDriver: statistics, connections, states, and the lock around a volume."""

import functools
import threading

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.testing import volume_models
from manila_lite.testing.volume_models import snapshot, volume
from manila_lite.volume.drivers import remotefs
from manila_lite.volume.drivers.remotefs.locks import hold_volumes

OPTS = [cfg.StrOpt("far_shares_config", default="/etc/far")]


@pytest.fixture
def driver(make):
    driver = make(opts=OPTS)
    driver.lines = ["a:/1 -o ro\n", "b:/2\n"]
    return driver


def test_statistics_are_the_sum_of_the_shares_that_are_mounted(driver):
    driver.away = {"b:/2"}
    assert driver.get_volume_stats()["total_capacity_gb"] == 100
    driver.away = set()
    assert driver.get_volume_stats()["total_capacity_gb"] == 100
    assert driver.get_volume_stats(refresh=True) == {
        "volume_backend_name": None,
        "vendor_name": "Open Source",
        "driver_version": "N/A",
        "storage_protocol": "farfs",
        "total_capacity_gb": 200,
        "free_capacity_gb": 120,
        "reserved_percentage": 0,
        "QoS_support": False,
    }


def test_the_configured_name_goes_before_the_drivers(make):
    driver = make(volume_backend_name="gold")
    assert driver.get_volume_stats()["volume_backend_name"] == "gold"


def test_provisioned_capacity_is_what_du_says_of_all_shares(driver, commands):
    driver._ensure_shares_mounted()
    # Without -s, du lists the directories below before the whole.
    commands.answers["du"] = f"7\t/mnt/a/lost+found\n{3 << 30}\t/mnt/a\n"
    assert driver._get_provisioned_capacity() == 6.0
    assert commands.run == [["du", "--bytes", "/mnt/a:_1"], ["du", "--bytes", "/mnt/b:_2"]]


def test_a_connection_tells_the_share_the_file_and_the_mount_options(driver):
    driver._ensure_shares_mounted()
    model = volume(provider_location="a:/1")
    assert driver.initialize_connection(model, {"host": "node"}) == {
        "driver_volume_type": "farfs",
        "data": {"export": "a:/1", "name": model.name, "options": "-o ro"},
        "mount_point_base": None,
    }
    other = driver.initialize_connection(volume(provider_location="z:/9"), {})
    assert "options" not in other["data"]


def test_exports_need_the_share_to_be_mounted_and_nothing_else(driver, commands):
    model = volume(provider_location="a:/1")
    assert driver.ensure_export(None, model) is None
    assert driver.create_export(None, model, {}) is None
    assert driver.remove_export(None, model) is None
    assert driver.terminate_connection(model, {}, force=True) is None
    assert driver.delete_snapshot(None) is None
    driver.away = {"a:/1"}
    with pytest.raises(OSError, match="does not answer"):
        driver.ensure_export(None, model)
    assert commands.run == []


def test_a_state_that_an_operation_does_not_accept_is_refused_and_named():
    validate = remotefs.RemoteFSDriver._validate_state
    assert validate("available", ["available", "in-use"]) is None
    with pytest.raises(exception.InvalidVolume, match="volume is error.*available or in-use"):
        validate("error", ["available", "in-use"])
    with pytest.raises(exception.InvalidSnapshot, match="the source is error|source is error"):
        validate("error", ["available"], "source", exception.InvalidSnapshot)


def test_a_driver_without_a_configuration_can_be_made():
    driver = remotefs.RemoteFSDriver()
    assert (driver.configuration, driver.shares) == (None, {})


def test_the_password_of_the_storage_is_kept_from_option_logs(make):
    options = {option.name: option for option in remotefs.nas_opts}
    assert options["nas_password"].secret
    assert make(nas_password="hunter2").configuration.nas_password == "hunter2"


class Locked(remotefs.RemoteFSDriver):
    driver_prefix = "locked"

    @remotefs.locked_volume_id_operation
    def of_volume(self, volume):
        """What it does."""
        return _free(self, volume.id)

    @remotefs.locked_volume_id_operation
    def of_snapshot(self, snapshot, more=None):
        return _free(self, snapshot.volume.id)

    @remotefs.locked_volume_id_operation
    def clone(self, volume, src_vref):
        return _free(self, volume.id), _free(self, src_vref.id)

    @functools.partial(remotefs.locked_volume_id_operation, external=True)
    def between_processes(self, volume):
        return _free(self, volume.id)

    @remotefs.locked_volume_id_operation
    def outer(self, volume):
        return self.of_volume(volume)

    @remotefs.locked_volume_id_operation
    def of_nothing(self, context):
        return "never"


def _free(driver, identity):
    """Whether another thread gets the lock of a volume at this moment."""
    found = []

    def attempt():
        try:
            with driver.coordinator.hold(f"locked-{identity}", timeout=0):
                found.append(True)
        except exception.LockingFailed:
            found.append(False)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(30)
    return found[0]


@pytest.fixture
def locked(tmp_path):
    return volume_models.driver(Locked, state_path=str(tmp_path))


def test_a_method_about_a_volume_holds_its_lock_meanwhile(locked):
    model = volume()
    assert locked.of_volume(model) is False
    assert locked.of_volume(volume=model) is False
    assert locked.between_processes(model) is False
    assert _free(locked, model.id)


def test_a_method_about_a_snapshot_holds_its_volume(locked):
    assert locked.of_snapshot(snapshot(volume())) is False


def test_a_clone_holds_its_source_too(locked):
    assert locked.clone(volume(), volume()) == (False, False)


def test_a_method_that_calls_another_one_does_not_wait_for_itself(locked):
    assert locked.outer(volume()) is False


def test_a_method_about_no_volume_cannot_be_locked(locked):
    with pytest.raises(exception.VolumeBackendAPIException):
        locked.of_nothing(None)


def test_the_lock_is_given_back_when_the_method_fails(locked):
    model = volume()
    with pytest.raises(TypeError):
        locked.of_volume(model, "too much")
    with pytest.raises(RuntimeError), hold_volumes(locked, model.id):
        raise RuntimeError
    assert _free(locked, model.id)


def test_a_locked_method_keeps_its_name_and_its_docstring():
    assert Locked.of_volume.__name__ == "of_volume"
    assert Locked.of_volume.__doc__ == "What it does."
