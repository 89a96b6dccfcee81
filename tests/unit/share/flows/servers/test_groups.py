# SPDX-License-Identifier: Apache-2.0
"""Share groups on share servers."""

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support import groups
from tests.support.shares import EXPORT

CHOOSE = "choose_share_server_compatible_with_share_group"


@pytest.fixture
def group_id(site):
    return networked(site)


def networked(site, network="network"):
    return groups.add_group(site, "creating", columns={"share_network_id": network})


def create(site, group_id):
    return site.do("create_share_group", seconds=5, share_group_id=group_id)


def server_of(site, group_id):
    return groups.group_row(site, group_id)["share_server_id"]


def calls(site, monkeypatch, *methods):
    """Let the driver answer these methods of groups; return {method: share server}."""
    found = {}

    def recorded(name):
        def method(*args, share_server=None, **kwargs):
            found[name] = share_server and share_server["id"]
            return None, None

        return method

    for name in methods:
        monkeypatch.setattr(site.driver, name, recorded(name), raising=False)
    return found


def test_a_group_gets_a_server_of_its_network_and_keeps_it(site, group_id, monkeypatch):
    found = calls(site, monkeypatch, "create_share_group", "delete_share_group")

    assert create(site, group_id)["state"] == "succeeded"

    [server] = site.servers()
    assert groups.group_row(site, group_id)["status"] == "available"
    assert server_of(site, group_id) == server["id"] == found["create_share_group"]
    site.do("delete_share_group", share_group_id=group_id)
    assert found["delete_share_group"] == server["id"]


def test_the_driver_chooses_among_the_servers_there_are(site, group_id):
    site.made()
    second = site.add_server()
    site.driver.answers[CHOOSE] = lambda context, servers, *args, **kwargs: next(
        server for server in servers if server["id"] == second
    )

    create(site, group_id)

    assert server_of(site, group_id) == second
    assert site.driver.argument(CHOOSE, "share_group_ref")["id"] == group_id


def test_a_share_of_a_group_goes_to_the_groups_server(site, group_id):
    create(site, group_id)
    share = site.add_networked_share()
    with site.database.writer() as connection:
        table = models.shares
        connection.execute(
            table.update().where(table.c.id == share["share_id"]).values(share_group_id=group_id)
        )

    site.create(share)

    given = site.driver.argument("choose_share_server_compatible_with_share", "share_group")
    assert given["id"] == group_id
    assert site.server_of(share)["id"] == server_of(site, group_id)


def test_a_group_from_a_snapshot_is_on_the_server_of_its_source(site, group_id, monkeypatch):
    create(site, group_id)
    share, expected = groups.add_member(site, group_id), server_of(site, group_id)
    with site.database.writer() as connection:
        table = models.share_instances
        connection.execute(
            table.update()
            .where(table.c.id == share["instance_id"])
            .values(share_server_id=expected)
        )
    snapshot_id = groups.add_snapshot(site, group_id)
    found = calls(site, monkeypatch, "create_share_group_snapshot")
    site.do("create_share_group_snapshot", share_group_snapshot_id=snapshot_id)
    assert found["create_share_group_snapshot"] == expected

    copy = groups.add_copy(site, snapshot_id)
    site.driver.answers["create_share_from_snapshot"] = [EXPORT]
    assert create(site, copy)["state"] == "succeeded"

    given = site.driver.argument("create_share_from_snapshot", "share_server")
    [made] = groups.shares(site, copy)
    assert given["id"] == made["share_server_id"] == server_of(site, copy) == expected


def test_a_server_that_cannot_be_set_up_is_an_error_of_the_group(site, group_id):
    site.driver.answers["_setup_server"] = exception.ShareBackendFull(reason="full")

    operation = create(site, group_id)

    assert operation["state"] == "failed"
    assert groups.group_row(site, group_id)["status"] == "error"
    assert site.messages(group_id) == [("002", "004")]


def test_a_group_without_a_network_needs_no_server(site):
    group_id = networked(site, None)

    assert create(site, group_id)["state"] == "succeeded"
    assert site.servers() == []
