# SPDX-License-Identifier: Apache-2.0
"""What a driver of Manila's finds around it in this service's process."""

import socket
import threading

import pytest
from oslo_config import cfg

from manila_lite import context, exception, no_eventlet
from manila_lite.clock import SystemClock
from manila_lite.conf import load
from manila_lite.db import sync, types
from manila_lite.db.session import Database
from manila_lite.db.writes import execute_writes
from manila_lite.network.base import NetworkBaseAPI
from manila_lite.share import manila_drivers
from manila_lite.share.configuration import Configuration
from manila_lite.share.environment import PrivateStorage
from tests.fixtures.daemon import _ini
from tests.manila.conftest import DUMMY, dummy


@pytest.fixture
def conf(tmp_path):
    sections = dummy(servers=True)
    sections["alpha"] |= {"share_driver": DUMMY, "share_backend_name": "ALPHA"}
    default = {"enabled_share_backends": "alpha", "host": "node", "state_path": tmp_path}
    sections["DEFAULT"] = {**default, "share_name_template": "kept-%s"}
    file = tmp_path / "manila.conf"
    file.write_text(_ini(sections))
    return load.load([], [file])


@pytest.fixture
def database(conf):
    made = Database.from_conf(conf)
    sync.sync(made)
    yield made
    made.close()


@pytest.fixture
def driver(conf, database):
    storage = PrivateStorage(database, SystemClock())
    configuration = Configuration([], "alpha", conf)
    return manila_drivers.make_driver(conf, "alpha", configuration, storage)


def test_its_configuration_is_of_manilas_class_and_reads_the_same_file(driver, conf):
    assert type(driver.configuration).__module__ == "manila.share.configuration"
    assert driver.configuration.share_backend_name == "ALPHA"
    assert driver.configuration.safe_get("unmanage_remove_access_rules") is False
    assert (cfg.CONF.host, cfg.CONF.share_name_template) == (conf.host, "kept-%s")


def test_share_types_are_read_from_the_same_database_in_our_context(driver, database):
    from manila.share import share_types

    specs = {"driver_handles_share_servers": "True", "thin": "yes"}
    with database.writer() as connection:
        writes = types.new_type("fast", specs, SystemClock().now(), "type-id")
        execute_writes(connection, [writes])

    assert share_types.get_share_type_extra_specs("type-id", "thin") == "yes"
    found = share_types.get_share_type(context.get_admin_context(), "type-id")
    assert (found["name"], found["extra_specs"]) == ("fast", specs)


def test_its_networks_are_ours(driver):
    assert isinstance(driver.network_api, NetworkBaseAPI)
    assert isinstance(driver.admin_network_api, NetworkBaseAPI)


def test_its_private_data_are_rows_of_manilas_table(driver):
    driver.private_storage.update("share-id", {"key": "value"})
    assert driver.private_storage.get("share-id") == {"key": "value"}
    assert driver.private_storage.get("share-id", "other", "default") == "default"


def test_manilas_locks_can_be_taken(driver):
    from manila import coordination

    @coordination.synchronized("conformance-{name}")
    def locked(name: str) -> str:
        return name

    assert locked("a") == "a"


def test_threads_are_threads(driver):
    assert not no_eventlet.is_patched()
    assert socket.socket.__module__ == "socket"
    assert threading.Thread.__module__ == "threading"


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("ShareBusyException", {"reason": "x"}, exception.ErrorKind.TRANSIENT),
        ("ShareBackendException", {"msg": "x"}, exception.ErrorKind.FINAL),
        ("StorageCommunicationException", {"reason": "x"}, exception.ErrorKind.IN_DOUBT),
    ],
)
def test_its_exceptions_mean_what_they_are_called(driver, name, arguments, kind):
    import manila.exception

    assert exception.classify(getattr(manila.exception, name)(**arguments)) is kind


def test_a_driver_of_another_package_that_derives_from_manilas_is_one_too(conf, database):
    conf.set_override("share_driver", f"{__name__}.vendors_driver", group="alpha")
    import manila.tests.share.drivers.dummy

    class VendorsDriver(manila.tests.share.drivers.dummy.DummyDriver):
        pass

    globals()["vendors_driver"] = VendorsDriver
    made = manila_drivers.make_driver(conf, "alpha", Configuration([], "alpha", conf), None)
    assert isinstance(made, VendorsDriver)
    assert type(made.configuration).__module__ == "manila.share.configuration"
