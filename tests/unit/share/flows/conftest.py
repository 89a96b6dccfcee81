# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.support.shares import Site


@pytest.fixture
def site() -> Site:
    return Site()
