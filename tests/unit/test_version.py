# SPDX-License-Identifier: Apache-2.0
"""The package knows its version."""

import configparser
from pathlib import Path

import pytest

import manila_lite


def test_version_is_the_one_in_setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    assert manila_lite.__version__ == setup["metadata"]["version"]


def test_other_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such_name"):
        assert manila_lite.no_such_name
