# SPDX-License-Identifier: Apache-2.0
"""What all suites share: hypothesis profiles and the fixtures under tests/fixtures."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_FIXTURES = Path(__file__).parent / "fixtures"

pytest_plugins = [f"tests.fixtures.{path.stem}" for path in sorted(_FIXTURES.glob("[a-z]*.py"))]

# A slow or busy machine is no failure: the number of examples bounds the time, not a clock.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("everyday", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "everyday")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A suite without a single file of tests is no failure; one whose tests went missing is."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        folders = [Path(argument) for argument in session.config.args if Path(argument).is_dir()]
        if folders and not any(file for folder in folders for file in folder.rglob("test_*.py")):
            session.exitstatus = pytest.ExitCode.OK
