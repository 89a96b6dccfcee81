# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.support.volumes import Site


@pytest.fixture
def site():
    return Site()
