# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.support.servers import ServerSite


@pytest.fixture
def site() -> ServerSite:
    return ServerSite()
