# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.support.replicas import ReplicatedSite


@pytest.fixture
def site() -> ReplicatedSite:
    return ReplicatedSite()


@pytest.fixture
def active(site):
    """The active replica, on another back end."""
    return site.add_active()


@pytest.fixture
def replica(site, active):
    """One that follows it, on this back end."""
    return site.add_replica(active)
