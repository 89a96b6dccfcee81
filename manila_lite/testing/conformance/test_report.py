# SPDX-License-Identifier: Apache-2.0
"""What the driver tells the scheduler."""

from __future__ import annotations

import math
from typing import Any

import pytest

from manila_lite.db import shares as share_rows
from manila_lite.testing.conformance import makers, servers
from manila_lite.testing.conformance.site import Site


@pytest.fixture(autouse=True)
def named(record_property: Any, request: pytest.FixtureRequest) -> None:
    title = str(request.node.originalname).removeprefix("test_").replace("_", " ")
    record_property("conformance", f"get_share_stats: {title}")


def test_there_are_statistics(site: Site) -> None:
    assert site.stats, "get_share_stats(refresh=True) returned nothing"
    assert site.stats["storage_protocol"], "storage_protocol says which protocols shares speak"


def test_the_mode_is_the_configured_one(site: Site) -> None:
    assert site.stats["driver_handles_share_servers"] == site.has_share_servers


def test_pools_have_different_names(site: Site) -> None:
    names = [pool.get("pool_name") for pool in site.stats.get("pools") or []]
    assert all(names), f"a pool has no name: {names}"
    assert len(set(names)) == len(names), f"two pools have the same name: {names}"


def test_capacities_are_numbers_or_known_words(site: Site) -> None:
    for pool in site.stats.get("pools") or [site.stats]:
        for key in ("total_capacity_gb", "free_capacity_gb"):
            assert _is_capacity(pool.get(key)), f"{key} is {pool.get(key)!r}"


def _is_capacity(value: Any) -> bool:
    if isinstance(value, str):
        return value in ("unknown", "infinite")
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def test_statistics_can_be_asked_for_again(site: Site) -> None:
    again = site.environment.report()
    assert again is not None
    assert again.keys() == site.stats.keys(), "the second report has other keys than the first"


def test_a_share_is_in_a_pool_that_is_reported(site: Site) -> None:
    share = makers.make_share(site)
    try:
        with site.database.reader() as connection:
            instance = share_rows.get_instance(connection, share["instance_id"])
        try:
            pool = site.driver.get_pool(instance)
        except NotImplementedError:
            pytest.skip("the driver does not claim get_pool")
        names = [known["pool_name"] for known in site.stats.get("pools") or []]
        assert not names or not pool or pool in names, f"pool {pool!r} is not among {names}"
    finally:
        makers.delete_share(site, share)
        servers.remove_all(site)
    assert site.statuses() == {}
