# SPDX-License-Identifier: Apache-2.0
"""Configuration: what a driver's `self.configuration` answers."""

import copy

import pytest
from oslo_config import cfg

from manila_lite.conf import share_driver as options
from manila_lite.share.configuration import Configuration

VENDOR_OPTS = [cfg.StrOpt("vendor_url"), cfg.IntOpt("vendor_port", default=443)]


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([])
    return conf


@pytest.fixture
def configuration(conf):
    return Configuration(options.share_opts, config_group="alpha", conf=conf)


def test_options_are_read_as_attributes_and_by_safe_get(conf, configuration):
    conf.set_override("share_backend_name", "ALPHA", group="alpha")
    assert configuration.share_backend_name == "ALPHA"
    assert configuration.safe_get("share_backend_name") == "ALPHA"


def test_section_of_the_back_end_comes_before_the_default_section(conf, configuration):
    conf.set_override("num_shell_tries", 5)
    assert configuration.num_shell_tries == 5
    conf.set_override("num_shell_tries", 7, group="alpha")
    assert configuration.num_shell_tries == 7


def test_unknown_option_is_none_for_safe_get_and_an_attribute_error_otherwise(configuration):
    assert configuration.safe_get("vendor_url") is None
    with pytest.raises(AttributeError):
        assert configuration.vendor_url
    assert not hasattr(configuration, "vendor_url")


def test_driver_can_append_its_own_options(conf, configuration):
    configuration.append_config_values(VENDOR_OPTS)
    configuration.append_config_values(VENDOR_OPTS)
    conf.set_override("vendor_url", "https://array", group="alpha")
    assert (configuration.vendor_url, configuration.vendor_port) == ("https://array", 443)


def test_two_back_ends_with_the_same_options_stay_apart(conf, configuration):
    beta = Configuration(options.share_opts, config_group="beta", conf=conf)
    conf.set_override("share_backend_name", "BETA", group="beta")
    assert (configuration.share_backend_name, beta.share_backend_name) == (None, "BETA")


def test_without_a_group_it_reads_the_default_section(conf):
    configuration = Configuration(options.share_opts, conf=conf)
    conf.set_override("num_shell_tries", 9)
    assert (configuration.config_group, configuration.num_shell_tries) == (None, 9)


def test_without_a_conf_it_reads_the_global_one():
    configuration = Configuration(VENDOR_OPTS, config_group="manila_lite_test_global")
    try:
        cfg.CONF.set_override("vendor_port", 8443, group="manila_lite_test_global")
        assert configuration.vendor_port == 8443
    finally:
        cfg.CONF.clear_override("vendor_port", group="manila_lite_test_global")


def test_local_conf_is_the_section_alone(conf, configuration):
    conf.set_override("num_shell_tries", 5)
    assert configuration.local_conf.num_shell_tries == 3
    assert Configuration([], conf=conf).local_conf is conf


def test_it_can_be_copied(configuration):
    assert copy.copy(configuration).num_shell_tries == 3
