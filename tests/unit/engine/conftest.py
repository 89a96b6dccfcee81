# SPDX-License-Identifier: Apache-2.0
"""A bench for each test: the real engine parts without threads on a database in memory."""

import pytest

from tests.support.engine import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
