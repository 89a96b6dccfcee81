# SPDX-License-Identifier: Apache-2.0
"""A site of the namespace driver, and the driver."""

import pytest

from manila_lite.share.drivers.namespace import NamespaceDriver
from tests.fixtures.namespaces import Site


@pytest.fixture
def site(namespaces: Site) -> Site:
    return namespaces


@pytest.fixture
def driver(site: Site) -> NamespaceDriver:
    return site.start()
