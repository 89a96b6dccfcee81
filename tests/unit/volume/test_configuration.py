# SPDX-License-Identifier: Apache-2.0
"""Configuration: what a volume driver reads, and what it sets itself."""

import copy

import pytest
from oslo_config import cfg

from manila_lite.conf.remotefs import nas_opts
from manila_lite.volume.configuration import Configuration


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([])
    return conf


@pytest.fixture
def configuration(conf):
    return Configuration(nas_opts, config_group="beta", conf=conf)


def test_a_value_that_the_driver_sets_is_read_as_an_attribute_and_by_safe_get(configuration):
    configuration.nas_secure_file_operations = "true"
    assert configuration.nas_secure_file_operations == "true"
    assert configuration.safe_get("nas_secure_file_operations") == "true"


def test_a_value_that_one_driver_sets_is_not_seen_by_another(conf, configuration):
    other = Configuration(nas_opts, config_group="beta", conf=conf)
    configuration.nas_secure_file_operations = "true"
    assert other.nas_secure_file_operations == "auto"
    assert conf.beta.nas_secure_file_operations == "auto"


def test_what_is_no_option_is_none_for_safe_get(configuration):
    assert configuration.safe_get("conf") is None
    assert configuration.safe_get("_section") is None


def test_the_parameters_have_the_names_that_drivers_use(conf):
    configuration = Configuration(volume_opts=nas_opts, config_group="beta", conf=conf)
    configuration.append_config_values(volume_opts=[cfg.StrOpt("vendor_url", default="x")])
    assert (configuration.nas_ssh_port, configuration.vendor_url) == (22, "x")


def test_it_can_be_copied_with_what_was_set(configuration):
    configuration.nas_secure_file_operations = "false"
    assert copy.copy(configuration).nas_secure_file_operations == "false"
