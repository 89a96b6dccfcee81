# SPDX-License-Identifier: Apache-2.0
"""How many SQL statements the flows of share servers take: no more than they did."""

import pytest

from tests.support.statements import count_statements


def cost(site, work):
    """The statements that the operations take, without the casts and what a test looks at."""
    with count_statements(site.database) as sent:
        work()
    return len(sent)


def test_a_share_that_needs_a_new_server(site):
    share = site.add_networked_share()
    site.cast_create(share)

    assert 0 < cost(site, lambda: site.run(3)) <= 100
    assert site.status(share) == "available"


def test_a_share_on_a_server_that_is_there(site):
    site.made()
    share = site.add_networked_share()
    site.cast_create(share)

    assert 0 < cost(site, site.run) <= 40
    assert site.status(share) == "available"


def test_a_share_that_waits_asks_little(site):
    site.add_server("creating")
    share = site.add_networked_share()
    site.cast_create(share)
    site.run()

    assert 0 < cost(site, lambda: site.run(1)) <= 14
    assert site.status(share) == "creating"


@pytest.mark.parametrize(
    ("method", "status", "most"),
    [
        ("delete_share_server", "active", 27),
        ("unmanage_share_server", "unmanage_starting", 23),
        ("manage_share_server", "manage_starting", 33),
    ],
)
def test_a_server_that_comes_or_goes(site, method, status, most):
    site.driver.answers |= {
        "unmanage_server": None, "manage_server": ("name", {"k": "v"}),
        "get_share_server_network_info": ["10.0.0.7"],
    }  # fmt: skip
    server = site.add_server(status)
    more = {"identifier": "name"} if method == "manage_share_server" else {}
    uuid = site.cast(method, share_server_id=server, **more)

    assert 0 < cost(site, site.run) <= most
    assert site.operation(uuid)["state"] == "succeeded"
