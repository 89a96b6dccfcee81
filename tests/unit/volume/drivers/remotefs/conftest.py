# SPDX-License-Identifier: Apache-2.0
"""A driver written as those outside this project are, and commands that are only written down."""

import pytest

from manila_lite.testing import volume_models
from manila_lite.testing.clock import ManualClock
from tests.support.remotefs import Commands, FarDriver


@pytest.fixture
def commands():
    return Commands()


@pytest.fixture
def make(commands):
    """Make a driver of a class, with options in its section."""

    def build(cls=FarDriver, opts=(), **options):
        driver = volume_models.driver(
            cls, opts, keywords={"execute": commands, "clock": ManualClock()}, **options
        )
        return driver

    return build


@pytest.fixture
def driver(make):
    return make()
