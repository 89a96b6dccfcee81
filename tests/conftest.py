# SPDX-License-Identifier: Apache-2.0
"""What all suites share: hypothesis profiles and the fixtures under tests/fixtures."""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

_FIXTURES = Path(__file__).parent / "fixtures"

pytest_plugins = [f"tests.fixtures.{path.stem}" for path in sorted(_FIXTURES.glob("[a-z]*.py"))]

# A slow or busy machine is no failure: the number of examples bounds the time, not a clock.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("everyday", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "everyday")
