# SPDX-License-Identifier: Apache-2.0
"""The parts of a host."""

import pytest

from manila_lite.volume.hosts import extract_host, with_pool


@pytest.mark.parametrize(
    ("host", "level", "part"),
    [
        ("node@nfs#10.0.0.1:/srv/a", "pool", "10.0.0.1:/srv/a"),
        ("node@nfs#10.0.0.1:/srv/a", "backend", "node@nfs"),
        ("node@nfs#10.0.0.1:/srv/a", "host", "node"),
        ("node@nfs", "pool", None),
        ("node@nfs#", "pool", None),
        ("node", "host", "node"),
        ("node@nfs#a#b", "pool", "a#b"),
        (None, "pool", None),
        ("", "backend", None),
    ],
)
def test_a_level_names_a_part(host, level, part):
    assert extract_host(host, level) == part


def test_a_pool_takes_the_place_of_another_one():
    assert with_pool("node@nfs#old", "new") == with_pool("node@nfs", "new") == "node@nfs#new"
