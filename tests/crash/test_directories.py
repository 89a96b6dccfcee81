# SPDX-License-Identifier: Apache-2.0
"""Kills in the midst of real storage: what the rows say is what the directories show."""

import pytest
import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import models
from tests.fixtures.daemon import poll

SHARES = 120
KILLS = 4


def instances(site, status):
    """{id: name} of the instances with that status."""
    i = models.share_instances.c
    query = sa.select(i.id).where(i.host == site.pool, i.status == status)
    found = site.database.run(lambda c: c.execute(query).scalars().all(), write=False)
    return {key: f"share-{key}" for key in found}


def names_under(root):
    """Names of the directories of shares, however deep the driver keeps them."""
    return {path.name for path in root.rglob("share-*") if path.is_dir()}


def kill_in_the_middle(site, goal):
    """Kill and restart the daemon each time that a part of the work is done."""
    for part in range(1, KILLS + 1):
        site.start()
        poll(lambda part=part: site.finished() >= goal(part), f"part {part} of the work")
        site.kill()
        assert site.open() > 0, "it was not in the middle"
    site.start()
    poll(site.settled, "the end of all operations")


@pytest.fixture(params=["directory", "btrfs"])
def driver(request):
    return request.param


@pytest.fixture
def root(request, driver, tmp_path):
    """Where the driver keeps its shares."""
    if driver == "btrfs":
        return request.getfixturevalue("btrfs_root")
    path = tmp_path / "root"
    path.mkdir()
    return path


def test_directories_and_rows_agree_after_kills_among_creations_and_deletions(
    sites, urls, driver, root
):
    site = sites(
        urls("sqlite"),
        driver=driver,
        ours={"operation_threads": 2, "claim_batch": 2},
        backend={f"{driver}_root": root},
    )
    created = site.ask(site.creations(SHARES))
    kill_in_the_middle(site, lambda part: part * SHARES // (KILLS + 2))
    available = instances(site, states.AVAILABLE)
    assert set(available) == {cast.driver_id for cast in created}
    assert names_under(root) == set(available.values())
    site.kill()
    before = site.finished()
    site.ask(
        lambda c: [
            site.delete(c, {"instance_id": cast.driver_id}) for cast in created[: SHARES // 2]
        ]
    )
    kill_in_the_middle(site, lambda part: before + part * SHARES // 2 // (KILLS + 2))
    assert names_under(root) == {f"share-{cast.driver_id}" for cast in created[SHARES // 2 :]}
    assert len(instances(site, states.AVAILABLE)) == SHARES - SHARES // 2
    assert len(instances(site, states.DELETED)) == SHARES // 2
