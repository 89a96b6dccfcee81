# SPDX-License-Identifier: Apache-2.0
"""Making a driver: its mode, its networks, its options, its mix-ins."""

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.share.driver import ExecuteMixin, GaneshaMixin, ShareDriver


@pytest.mark.parametrize(
    ("configured", "supported"),
    [
        (False, False),
        (True, True),
        (True, (True, False)),
        (False, [False, True]),
        (False, {False}),
    ],
)
def test_mode_that_the_driver_supports_is_accepted(make, configured, supported):
    driver = make(modes=supported, driver_handles_share_servers=configured)
    assert driver.driver_handles_share_servers is configured


@pytest.mark.parametrize(
    ("configured", "supported", "words"),
    [
        (None, True, "has to be true or false, not 'None'"),
        (True, False, "does not support driver_handles_share_servers = True; it supports: False"),
        (False, (True,), "it supports: True"),
        (False, (), "it supports: none"),
        (False, "False", "not with 'False'"),
        (False, None, "not with 'None'"),
        (False, [False, "True"], "which modes"),
        (False, {0}, "which modes"),
        (False, {False: 1}, "which modes"),
    ],
)
def test_mode_that_cannot_be_is_refused(make, configured, supported, words):
    with pytest.raises(exception.ManilaException) as caught:
        make(modes=supported, driver_handles_share_servers=configured)
    assert words in caught.value.msg


def test_new_driver_is_not_initialized_and_has_no_statistics(driver):
    assert driver.initialized is False
    assert driver.get_share_stats() == {}
    assert (driver.pools, driver.ip_versions, driver.ipv6_implemented) == ([], None, False)


def test_driver_without_share_servers_has_no_networks(driver):
    assert not hasattr(driver, "network_api")
    assert driver.admin_network_api is None


def test_network_comes_from_the_back_ends_own_section(make):
    driver = make(driver_handles_share_servers=True)
    assert (driver.network_api.config_group_name, driver.network_api.label) == ("alpha", "user")
    assert driver.admin_network_api is None


def test_networks_come_from_the_sections_that_are_named(make):
    driver = make(
        driver_handles_share_servers=True,
        network_config_group="net",
        admin_network_config_group="adm",
    )
    assert driver.network_api.config_group_name == "net"
    assert driver.admin_network_api.config_group_name == "adm"
    assert driver.admin_network_api.label == "admin"


def test_share_servers_without_a_network_plugin_are_refused(conf, make):
    conf.clear_override("network_api_class")
    with pytest.raises(exception.NetworkBadConfigurationException):
        make(driver_handles_share_servers=True)


def test_driver_without_a_configuration_reads_the_global_one():
    cfg.CONF([], default_config_files=[], default_config_dirs=[])
    cfg.CONF.register_opt(cfg.BoolOpt("driver_handles_share_servers", help="somebody else's"))
    cfg.CONF.set_override("driver_handles_share_servers", False)
    try:
        driver = ShareDriver(False)
        assert driver.configuration is None
        assert driver.driver_handles_share_servers is False
        assert driver.replication_domain is None
    finally:
        cfg.CONF.clear_override("driver_handles_share_servers")


def test_replication_domain_is_read_from_the_configuration(make):
    assert make(replication_domain="site").replication_domain == "site"


def test_further_options_are_added_to_the_configuration(configuration):
    opts = [[cfg.StrOpt("vendor_url", default="u")], [cfg.IntOpt("vendor_port", default=1)]]
    driver = ShareDriver(False, configuration=configuration, config_opts=opts)
    assert (driver.configuration.vendor_url, driver.configuration.vendor_port) == ("u", 1)


@pytest.mark.parametrize("mixin_first", [True, False])
def test_mix_ins_set_themselves_up(configuration, mixin_first):
    mixins = (ExecuteMixin, GaneshaMixin)
    bases = (*mixins, ShareDriver) if mixin_first else (ShareDriver, *mixins)
    ran = []
    cls = type("MixedDriver", bases, {})
    driver = cls(False, configuration=configuration, execute=lambda *cmd: ran.append(cmd))
    driver._execute("true", "x")
    assert ran == [("true", "x")]
    assert driver.configuration.ssh_conn_timeout == 60
    assert driver.configuration.ganesha_config_path == "/etc/ganesha/ganesha.conf"


def test_driver_without_mix_ins_reads_neither_ssh_nor_ganesha_options(driver):
    assert driver.configuration.safe_get("ssh_conn_timeout") is None
    assert driver.configuration.safe_get("ganesha_config_dir") is None


class Redefining(ShareDriver):
    def create_snapshot(self, context, snapshot, share_server=None):
        return None

    def vendor_method(self):
        return None


class DeleteMixin:
    def delete_snapshot(self, context, snapshot, share_server=None):
        return None


class ThroughMixin(DeleteMixin, Redefining):
    pass


class Inheriting(ThroughMixin):
    pass


@pytest.mark.parametrize(
    ("cls", "methods", "answer"),
    [
        (ShareDriver, "create_snapshot", False),
        (ShareDriver, "no_such_method", False),
        (ShareDriver, (), True),
        (Redefining, "create_snapshot", True),
        (Redefining, "vendor_method", True),
        (Redefining, "no_such_method", False),
        (Redefining, ("create_snapshot", "delete_snapshot"), False),
        (ThroughMixin, ("create_snapshot", "delete_snapshot"), True),
        (ThroughMixin, {"delete_snapshot"}, True),
        (Inheriting, ["create_snapshot", "delete_snapshot"], True),
        (Inheriting, ["create_snapshot", "create_share"], False),
        # Implemented by one family here, and still not redefined by the driver.
        (Inheriting, "get_filter_function", False),
    ],
)
def test_redefined_methods_are_told_from_inherited_ones(make, cls, methods, answer):
    assert make(cls)._has_redefined_driver_methods(methods) is answer


def test_every_method_of_the_base_class_counts_as_not_redefined(driver):
    names = [name for name in dir(ShareDriver) if not name.startswith("__")]
    assert [name for name in names if driver._has_redefined_driver_methods(name)] == []
