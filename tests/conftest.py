# SPDX-License-Identifier: Apache-2.0
"""What all suites share: hypothesis profiles and the fixtures under tests/fixtures."""

import os
from collections.abc import Generator
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
# For a night: pytest tests/model --hypothesis-profile=soak
settings.register_profile(
    "soak",
    deadline=None,
    max_examples=5000,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("ci" if os.environ.get("CI") else "everyday")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A suite without a single file of tests is no failure; one whose tests went missing is."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        folders = [Path(argument) for argument in session.config.args if Path(argument).is_dir()]
        if folders and not any(file for folder in folders for file in folder.rglob("test_*.py")):
            session.exitstatus = pytest.ExitCode.OK


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name texts so that every terminal can show them."""
    if isinstance(val, str) and (len(val) > 80 or not val.isprintable()):
        return ascii(val[:80])[1:-1]
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """xdist cannot send what is no text; tests that log broken text are right to do so."""
    report = yield
    report.sections = [(title, _sendable(text)) for title, text in report.sections]
    return report


def _sendable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
