# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from manila_lite.share import flows


def delete(site, share, **options):
    return site.do("delete_share_instance", share_instance_id=share["instance_id"], **options)


def delete_server(site, server_id):
    return site.do("delete_share_server", share_server_id=server_id)


def emptied(site):
    """A server whose share is deleted."""
    share, server = site.made()
    delete(site, share)
    return server


def test_a_server_is_removed_with_its_details_and_addresses(site):
    site.add_security_service("ldap")
    server = emptied(site)

    operation = delete_server(site, server.id)

    assert operation["state"] == "succeeded"
    row = site.server(server.id)
    assert (row.status, row.deleted, row.deleted_at) == ("deleted", server.id, site.clock.now())
    details = site.driver.argument("_teardown_server", "server_details")
    assert details["name"] == "server-on-the-storage"
    [service] = site.driver.argument("_teardown_server", "security_services")
    assert (service["type"], service["password"]) == ("ldap", "secret of ldap")
    assert (site.details(server.id), site.addresses(server.id)) == ({}, [])
    table = models.share_server_share_network_subnet_mappings
    assert site.rows(table, share_server_id=server.id, deleted=0) == []


@pytest.mark.parametrize("by", ["share", "group"])
def test_a_server_in_use_stays_as_it_is(site, by):
    _, server = site.made()
    if by == "group":
        with site.database.writer() as connection:
            group = {
                "id": "g", "user_id": "u", "project_id": "p", "share_server_id": server.id,
                "deleted": "False",
            }  # fmt: skip
            connection.execute(models.share_groups.insert(), group)
            connection.execute(models.share_instances.update().values(deleted="x"))

    operation = delete_server(site, server.id)

    assert operation["error"] == f"Share server {server.id} is in use."
    assert site.server(server.id).status == "active"
    assert site.driver.called("_teardown_server") == 0


def test_a_failed_teardown_leaves_the_server_in_error_with_its_addresses(site):
    server = emptied(site)
    site.driver.answers["_teardown_server"] = exception.ShareBackendException(msg="no")

    operation = delete_server(site, server.id)

    assert (operation["state"], site.server(server.id).status) == ("failed", "error")
    assert site.addresses(server.id) == [("user", "10.0.0.1")]
    site.driver.answers["_teardown_server"] = None
    site.retry(operation["uuid"])
    assert site.server(server.id).status == "deleted"


@pytest.mark.parametrize("status", ["creating", "manage_starting", "network_change"])
def test_a_server_with_something_under_way_is_not_deleted(site, status):
    server = site.add_server(status)

    operation = delete_server(site, server)

    assert f"is '{status}' and cannot be deleted now" in operation["error"]
    assert site.server(server).status == status


def test_a_server_that_is_gone_is_deleted(site):
    assert "already deleted" in delete_server(site, "none")["result"]


def test_an_interrupted_teardown_is_repeated(site):
    server = emptied(site)

    site.crash_in("delete_share_server", "_teardown_server", share_server_id=server.id)
    site.run()

    assert site.server(server.id).status == "deleted"
    assert site.driver.called("_teardown_server") == 2


def test_a_server_that_is_being_deleted_is_not_chosen(site):
    server = emptied(site)
    site.driver.answers["_teardown_server"] = exception.ShareBackendException(msg="no")
    delete_server(site, server.id)

    _, other = site.made()

    assert other.id != server.id
    assert site.driver.called("choose_share_server_compatible_with_share") == 0


def test_the_driver_deletes_shares_on_their_server(site):
    share, server = site.made()
    site.add_rule(share)

    delete(site, share)

    assert site.driver.argument("delete_share", "share_server")["id"] == server.id
    assert site.driver.argument("update_access", "share_server")["id"] == server.id
    assert site.server(server.id).status == "active"


# -- with the last share -----------------------------------------------------------------------


def test_a_server_goes_with_its_last_share_where_that_is_asked_for(site):
    site.conf.set_override("delete_share_server_with_last_share", True)
    first, server = site.made()
    second, _ = site.made()
    delete(site, first, seconds=2)
    assert site.server(server.id).status == "active"

    delete(site, second, seconds=2)

    assert site.server(server.id).status == "deleted"


def test_a_server_stays_when_the_last_share_cannot_be_deleted(site):
    site.conf.set_override("delete_share_server_with_last_share", True)
    share, server = site.made()
    site.driver.answers["delete_share"] = exception.ShareBackendException(msg="no")

    delete(site, share, seconds=2)

    assert (site.status(share), site.server(server.id).status) == ("error_deleting", "active")


def test_a_server_that_is_to_be_kept_stays(site):
    site.conf.set_override("delete_share_server_with_last_share", True)
    share, server = site.made()
    with site.database.writer() as connection:
        connection.execute(models.share_servers.update().values(is_auto_deletable=False))

    delete(site, share, seconds=2)

    assert site.server(server.id).status == "active"


# -- that stand empty --------------------------------------------------------------------------


def clean_up(site):
    count = flows.delete_unused_servers(site.environment, site.worker.journal)
    site.run()
    return count


def test_servers_go_when_they_have_stood_empty_for_a_while(site):
    site.made()
    site.driver.answers["choose_share_server_compatible_with_share"] = None
    share, server = site.made()
    site.clock.advance(3600)
    delete(site, share)
    site.clock.advance(599)
    assert clean_up(site) == 0

    site.clock.advance(2)

    assert clean_up(site) == 1
    assert site.server(server.id).status == "deleted"
    assert len(site.servers()) == 1


def test_a_server_whose_set_up_failed_goes_too(site):
    server = site.add_server("error")
    site.clock.advance(601)

    assert clean_up(site) == 1

    assert site.server(server).status == "deleted"


@pytest.mark.parametrize(
    "columns", [{"is_auto_deletable": False}, {"status": "manage_error"}, {"host": "other@one"}]
)
def test_other_servers_are_left_alone(site, columns):
    server = site.add_server()
    with site.database.writer() as connection:
        connection.execute(models.share_servers.update().values(columns))
    site.clock.advance(601)

    assert clean_up(site) == 0
    assert site.server(server).deleted == "False"


def test_nothing_is_removed_where_that_is_switched_off(site):
    site.add_server()
    site.clock.advance(601)
    site.conf.set_override("automatic_share_server_cleanup", False, group="backend")
    try:
        assert clean_up(site) == 0
    finally:
        site.conf.clear_override("automatic_share_server_cleanup", group="backend")


def test_a_server_that_is_used_again_is_left_alone(site):
    server = site.add_server()
    site.clock.advance(601)
    flows.delete_unused_servers(site.environment, site.worker.journal)
    share = site.add_networked_share(columns={"share_server_id": server})

    site.run()

    assert site.instance(share).share_server_id == server
    assert site.server(server).status == "active"
