# SPDX-License-Identifier: Apache-2.0
"""Without the manila package; tests/manila has it."""

import os
import sys
import types

import pytest
from oslo_config import cfg

from manila_lite import exception, no_eventlet
from manila_lite.conf import opts
from manila_lite.share import manila_drivers
from manila_lite.share.configuration import Configuration
from manila_lite.share.driver import ShareDriver
from manila_lite.testing.drivers import NullDriver

NULL = "manila_lite.testing.drivers.NullDriver"


@pytest.fixture
def make():
    def make(path):
        conf = cfg.ConfigOpts()
        opts.register_all(conf)
        opts.register_backend(conf, "alpha")
        conf([], project="manila_lite", default_config_files=[], default_config_dirs=[])
        conf.set_override("share_driver", path, group="alpha")
        conf.set_override("driver_handles_share_servers", False, group="alpha")
        configuration = Configuration([], "alpha", conf)
        return manila_drivers.make_driver(conf, "alpha", configuration, "storage"), configuration

    return make


def test_a_driver_of_this_interface_gets_the_configuration_as_it_is(make, monkeypatch):
    given = {}
    monkeypatch.setattr(NullDriver, "__init__", lambda self, **named: given.update(named))
    driver, configuration = make(NULL)
    assert isinstance(driver, NullDriver)
    assert given == {"private_storage": "storage", "configuration": configuration}


def test_nothing_of_manila_is_imported_for_it(make):
    make(NULL)
    assert "manila" not in sys.modules


def test_a_driver_of_manila_needs_the_package(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "manila", None)
    with pytest.raises(exception.ConfigurationError, match=r"share_driver.*manila package"):
        make("manila.share.drivers.lvm.LVMShareDriver")


@pytest.mark.parametrize(("module", "is_manilas"), [("manila.share.driver", True), (NULL, False)])
def test_a_driver_is_manilas_by_its_base_class(module, is_manilas):
    base = type("ShareDriver", (), {"__module__": module})
    assert manila_drivers.is_of_manila(type("Driver", (base,), {})) is is_manilas
    assert not manila_drivers.is_of_manila(ShareDriver)


def test_a_driver_that_patches_threads_is_refused(make, monkeypatch):
    patcher = types.SimpleNamespace(is_monkey_patched=lambda name: name == "socket")
    monkeypatch.setitem(sys.modules, "eventlet.patcher", patcher)
    with pytest.raises(exception.ConfigurationError, match="eventlet"):
        make(NULL)


def test_manilas_modules_are_told_to_keep_to_threads(make, monkeypatch):
    monkeypatch.setenv("OS_MANILA_DISABLE_EVENTLET_PATCHING", "0")
    make(NULL)
    assert os.environ["OS_MANILA_DISABLE_EVENTLET_PATCHING"] == "1"
    assert not no_eventlet.is_patched()


def test_a_reload_without_such_a_driver_leaves_the_global_configuration_alone(monkeypatch):
    monkeypatch.setattr(cfg.CONF, "mutate_config_files", lambda: pytest.fail("it was read"))
    assert manila_drivers.reload() is None


def test_a_hook_of_manilas_base_class_gets_manilas_configuration(monkeypatch):
    prepared = []
    monkeypatch.setattr(manila_drivers, "prepare", lambda *given: prepared.append(given))
    monkeypatch.setattr(manila_drivers, "_configuration_of_manila", lambda name: f"Manila's {name}")
    theirs = type("HookBase", (), {"__module__": "manila.share.hook"})

    def given(base):
        hook_class = type("Hook", (base,), {})
        return manila_drivers.hook_configuration("conf", "alpha", "ours", hook_class)

    assert given(object) == "ours"
    assert prepared == []
    assert given(theirs) == "Manila's alpha"
    assert prepared == [("conf", "alpha")]
