# SPDX-License-Identifier: Apache-2.0
"""From options to the engine's settings."""

import pytest

from manila_lite.conf.engine import parse_retry_policy
from manila_lite.conf.load import load
from manila_lite.engine.settings import from_conf

FILE = """
[DEFAULT]
enabled_share_backends = plain, special
[manila_lite]
operation_threads = 7
operation_retention_days = 2
retry_policy = driver initial_interval=1 backoff_coefficient=2 maximum_interval=9 maximum_attempts=3
[plain]
[special]
operation_threads = 3
interrupted_operation_policy = error
retry_policy = driver initial_interval=5 backoff_coefficient=1 maximum_interval=5 maximum_attempts=9
"""


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text(FILE)
    return load([], [str(path)])


def test_a_back_end_without_own_values_has_those_of_everybody(conf):
    settings = from_conf(conf, "plain")
    assert (settings.threads, settings.interrupted_operation_policy) == (7, "retry")
    assert settings.retention == 2 * 24 * 3600


def test_a_back_end_section_goes_before_everybody(conf):
    settings = from_conf(conf, "special")
    assert (settings.threads, settings.interrupted_operation_policy) == (3, "error")


def test_a_configured_retry_policy_waits_as_it_says(conf):
    error = ConnectionError("busy")
    everybody = from_conf(conf, "plain").retry_policies["driver"]
    special = from_conf(conf, "special").retry_policies["driver"]
    assert [everybody.delay(n, 0, error) for n in (1, 2, 3)] == [1.0, 2.0, None]
    assert [special.delay(n, 0, error) for n in (1, 8, 9)] == [5.0, 5.0, None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("driver", "initial_interval is missing"),
        ("driver initial_interval", "with a value"),
        ("driver initial_interval=fast", "must be a number"),
        ("driver initial_interval=-1", "at least 0"),
        ("driver initial_interval=nan", "at least 0"),
        ("driver initial_interval=inf", "at least 0"),
        ("driver backoff_coefficient=0.5", "at least 1"),
        ("driver maximum_attempts=1.5", "must be a number"),
    ],
)
def test_a_retry_policy_that_makes_no_sense_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_retry_policy(text)
