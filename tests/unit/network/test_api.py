# SPDX-License-Identifier: Apache-2.0
"""The network plugin's interface, and finding the plugin."""

import pytest
from oslo_config import cfg

from manila_lite import exception, network

PLUGIN = f"{__name__}.Plugin"


class Plugin(network.NetworkBaseAPI):
    """A plugin that gives out nothing."""

    def allocate_network(self, context, share_server, share_network=None, **kwargs):
        return []

    def deallocate_network(self, context, share_server_id, **kwargs):
        pass

    def manage_network_allocations(self, context, allocations, share_server, **kwargs):
        return []

    def unmanage_network_allocations(self, context, share_server_id):
        pass

    def include_network_info(self, share_network_subnet):
        pass


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_opts(network.options.OPTS)
    conf.register_opts(network.options.OPTS, group="net")
    return conf


@pytest.mark.parametrize("where", [None, "net"])
def test_plugin_is_found_in_its_section_or_in_the_default_one(conf, where):
    conf.set_override("network_api_class", PLUGIN, group=where)
    plugin = network.API(config_group_name="net", label="admin", conf=conf)
    assert type(plugin).__name__ == "Plugin"
    assert (plugin.config_group_name, plugin.label) == ("net", "admin")


@pytest.mark.parametrize(
    ("group", "path", "words"),
    [
        ("net", None, "[net] no network_api_class"),
        (None, None, "[DEFAULT] no network_api_class"),
        ("net", "no.such.module.Plugin", "no.such.module.Plugin cannot be loaded"),
        ("net", "manila_lite.network.NoSuchPlugin", "NoSuchPlugin cannot be loaded"),
    ],
)
def test_plugin_that_is_not_to_be_had_is_a_configuration_error(conf, group, path, words):
    if path:
        conf.set_override("network_api_class", path, group=group)
    with pytest.raises(exception.NetworkBadConfigurationException) as caught:
        network.API(config_group_name=group, conf=conf)
    assert words in caught.value.msg


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "versions"),
    [(None, None, {4}), (True, True, {4, 6}), (False, True, {6}), (True, False, {4})],
)
def test_enabled_ip_versions_follow_the_switches(conf, ipv4, ipv6, versions):
    for name, value in (("ipv4", ipv4), ("ipv6", ipv6)):
        if value is not None:
            conf.set_override(f"network_plugin_{name}_enabled", value, group="net")
    assert Plugin("net", conf=conf).enabled_ip_versions == versions


def test_network_without_any_ip_version_is_a_configuration_error(conf):
    conf.set_override("network_plugin_ipv4_enabled", False, group="net")
    with pytest.raises(exception.NetworkBadConfigurationException, match="neither IPv4"):
        assert Plugin("net", conf=conf).enabled_ip_versions


def test_plugin_has_to_implement_what_is_abstract():
    with pytest.raises(TypeError, match="allocate_network"):
        network.NetworkBaseAPI()


def test_plugin_need_not_do_anything_when_a_server_runs(conf):
    assert Plugin("net", conf=conf).update_network_allocation(None, {"id": "s"}) is None


def test_plugin_asks_for_its_ledger_before_it_is_connected(conf):
    with pytest.raises(exception.NetworkException, match="not connected"):
        assert Plugin("net", conf=conf).ledger


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("standalone", "StandaloneNetworkPlugin"),
        (
            "manila.network.standalone_network_plugin.StandaloneNetworkPlugin",
            "StandaloneNetworkPlugin",
        ),
    ],
)
def test_manilas_paths_and_short_names_lead_to_our_plugins(conf, path, name):
    conf.set_override("network_api_class", path, group="net")
    with pytest.raises(exception.NetworkBadConfigurationException, match="plugin_gateway"):
        network.API(config_group_name="net", conf=conf)
    assert network.ALIASES[path].endswith(name)


def test_plugins_that_bind_ports_are_refused_by_name(conf):
    path = "manila.network.neutron.neutron_network_plugin.NeutronBindNetworkPlugin"
    conf.set_override("network_api_class", path, group="net")
    with pytest.raises(exception.NetworkBadConfigurationException, match="bind ports"):
        network.API(config_group_name="net", conf=conf)


class Foreign:
    """A plugin written for Manila: its base class is Manila's, and it takes what that takes."""

    def __init__(self, config_group_name=None, label="user", db_driver=None):
        self.made_with = (config_group_name, label)


def test_plugin_of_another_base_class_is_made_as_manila_makes_it(conf):
    conf.set_override("network_api_class", f"{__name__}.Foreign", group="net")
    plugin = network.API(config_group_name="net", label="admin", conf=conf)
    assert plugin.made_with == ("net", "admin")
