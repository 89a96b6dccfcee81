# SPDX-License-Identifier: Apache-2.0
"""Which quota commands the directory driver runs, and when. No file system here obeys them."""

import pytest

from manila_lite.share.drivers.directory import quota
from manila_lite.testing import models
from tests.functional.drivers.helpers import data, metadata

FIRST = 1 << 20


@pytest.fixture
def commands():
    return []


@pytest.fixture
def limited(root, start_driver, commands):
    driver = start_driver(root)

    def execute(*command, run_as_root=False):
        assert run_as_root
        commands.append(command[3])

    mount = quota.Mount("/srv", "xfs", frozenset({"prjquota"}))
    driver._limits = quota.ProjectQuota(driver._root, driver._locks, mount, execute)
    return driver


def test_a_new_tree_gets_its_project_before_its_name(limited, root, commands):
    share = models.share(3)

    limited.create_share(None, share)

    assert commands == [
        f"project -s -p {root}/shares/.new~{share['name']} {FIRST}",
        f"limit -p bhard=3g {FIRST}",
    ]
    assert metadata(root, share)["project_id"] == FIRST
    assert limited.get_share_stats(refresh=True)["size_enforced"] is True


def test_no_two_trees_have_one_project(limited, root):
    shares = [models.share() for _ in range(3)]
    for share in shares:
        limited.create_share(None, share)

    assert [metadata(root, share)["project_id"] for share in shares] == [
        FIRST,
        FIRST + 1,
        FIRST + 2,
    ]


def test_a_limit_follows_the_size_and_goes_with_the_share(limited, commands):
    share = models.share(3)
    limited.create_share(None, share)
    del commands[:]

    limited.extend_share(share, 8)
    limited.shrink_share(share, 2)
    limited.delete_share(None, share)

    assert commands == [f"limit -p bhard={size}g {FIRST}" for size in (8, 2, 0)]


def test_both_copies_of_a_share_fit_into_its_limit_while_it_is_reverted(limited, root, commands):
    share = models.share(3)
    limited.create_share(None, share)
    snapshot = models.snapshot(share)
    limited.create_snapshot(None, snapshot)
    del commands[:]

    limited.revert_to_snapshot(None, snapshot, [], [])

    assert commands == [
        f"project -s -p {root}/shares/.new~{share['name']} {FIRST}",
        f"limit -p bhard=6g {FIRST}",
        f"limit -p bhard=3g {FIRST}",
    ]


def test_a_share_made_before_sizes_were_enforced_gets_its_project_when_it_grows(
    limited, root, commands, share
):
    limited.extend_share(share, 4)

    assert commands == [
        f"project -s -p {data(root, share)} {FIRST}",
        f"limit -p bhard=4g {FIRST}",
    ]


def test_snapshots_have_no_limit(limited, commands):
    share = models.share(3)
    limited.create_share(None, share)
    del commands[:]

    limited.create_snapshot(None, models.snapshot(share))

    assert commands == []
