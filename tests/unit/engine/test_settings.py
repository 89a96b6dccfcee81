# SPDX-License-Identifier: Apache-2.0
"""The engine's numbers as the configuration gives them."""

import pytest

from manila_lite.conf import load
from manila_lite.conf import opts as conf_opts
from manila_lite.engine import settings


def _settings(**default: object) -> settings.EngineSettings:
    conf = load.load([], [])
    conf_opts.register_backend(conf, "alpha")
    for name, value in default.items():
        conf.set_override(name, value)
    return settings.from_conf(conf, "alpha")


@pytest.mark.parametrize(("configured", "waits"), [(60, 55.0), (4, 2.0)])
def test_a_drain_ends_before_the_parent_process_loses_its_patience(configured, waits):
    assert _settings(graceful_shutdown_timeout=configured).drain_timeout == waits


def test_no_limit_to_a_shutdown_means_no_limit_to_the_drain():
    assert _settings(graceful_shutdown_timeout=0).drain_timeout > 30 * 24 * 3600


@pytest.mark.parametrize(("name", "value"), [("threads", 0), ("lease", -1.0)])
def test_numbers_without_meaning_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        settings.EngineSettings(**{name: value})
