# SPDX-License-Identifier: Apache-2.0
"""A bench for each test: the real engine parts without threads on a database in memory."""

from collections.abc import Iterator

import pytest

from tests.support.engine import Bench, benches


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from benches()
