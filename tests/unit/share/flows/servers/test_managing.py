# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import Site


@pytest.fixture
def server(site):
    """A server that the API has made a row of, and that the driver can take over."""
    site.driver.answers["get_share_server_network_info"] = ["10.0.0.7"]
    site.driver.answers["manage_server"] = ("new-name", {"k": "v"})
    return site.add_server("manage_starting", identifier="old-name", is_auto_deletable=False)


def manage(site, server, **options):
    return site.do(
        "manage_share_server", share_server_id=server, identifier="old-name", driver_opts={"o": "1"}
    )


def unmanage(site, server, **options):
    return site.do("unmanage_share_server", share_server_id=server, **options)


def test_a_server_is_taken_over_with_its_addresses_and_details(site, server):
    site.add_security_service("ldap")
    site.driver.network_allocation_update_support = True

    operation = manage(site, server)

    assert operation["state"] == "succeeded"
    row = site.server(server)
    assert (row.status, row.identifier, row.network_allocation_update_support) == (
        "active", "new-name", True,
    )  # fmt: skip
    details = site.details(server)
    assert details["k"] == "v"
    assert json.loads(details["security_service_ldap"])["password"] == "secret of ldap"
    assert site.addresses(server) == [("user", "10.0.0.7")]
    assert site.driver.argument("manage_server", "identifier") == "old-name"
    assert site.driver.argument("manage_server", "driver_options") == {"o": "1"}


def test_addresses_of_the_administrators_network_are_taken_over_too(site, server):
    site.driver.answers["get_share_server_network_info"] = ["192.168.0.1", "10.0.0.7"]

    manage(site, server)

    assert site.addresses(server) == [("admin", "192.168.0.1"), ("user", "10.0.0.7")]


def test_a_driver_that_gives_no_new_name_leaves_the_servers_id(site, server):
    site.driver.answers["manage_server"] = (None, None)

    manage(site, server)

    assert (site.server(server).status, site.server(server).identifier) == ("active", server)


def test_a_driver_without_addresses_is_not_asked_for_them(site, server):
    site.driver.allocations = 0
    del site.driver.answers["get_share_server_network_info"]

    manage(site, server)

    assert site.server(server).status == "active"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"get_share_server_network_info": []}, "names none of its addresses"),
        ({"get_share_server_network_info": ["1.2.3.4"]}, "addresses 1.2.3.4 are not of"),
        ({"manage_server": exception.ManageShareServerError(reason="too old")}, "too old"),
        ({"manage_server": NotImplementedError("cannot")}, "cannot"),
    ],
)
def test_what_cannot_be_managed_is_in_manage_error(site, server, answers, reason):
    site.driver.answers |= answers

    operation = manage(site, server)

    assert reason in operation["error"]
    assert site.server(server).status == "manage_error"


def test_a_retry_takes_no_address_twice(site, server):
    site.driver.answers["manage_server"] = exception.ManageShareServerError(reason="not yet")
    operation = manage(site, server)
    site.driver.answers["manage_server"] = ("name", {})

    site.retry(operation["uuid"])

    assert site.server(server).status == "active"
    assert site.addresses(server) == [("user", "10.0.0.7")]


def test_an_interrupted_takeover_is_repeated(site, server):
    site.crash_in(
        "manage_share_server", "manage_server", share_server_id=server, identifier="old-name",
        driver_opts={},
    )  # fmt: skip
    site.run()

    assert site.server(server).status == "active"
    assert site.driver.called("manage_server") == 2
    assert site.addresses(server) == [("user", "10.0.0.7")]


def test_a_takeover_whose_end_was_not_recorded_is_known_by_its_details(site, server):
    row = {"share_server_id": server, "key": "k", "value": "v", "deleted": "False"}
    with site.database.writer() as connection:
        connection.execute(models.share_server_backend_details.insert(), row)
    site.crash_in(
        "manage_share_server", "manage_server", share_server_id=server, identifier="old-name",
        driver_opts={},
    )  # fmt: skip

    site.run()

    assert (site.server(server).status, site.server(server).identifier) == ("active", "old-name")
    assert site.driver.called("manage_server") == 1


def test_a_back_end_without_share_servers_manages_none():
    site = Site()
    with site.database.writer() as connection:
        row = {"id": "s", "host": "host@backend", "status": "manage_starting", "deleted": "False"}
        connection.execute(models.share_servers.insert(), row)

    operation = site.do("manage_share_server", share_server_id="s", identifier="i", driver_opts={})

    assert "driver_handles_share_servers = False" in operation["error"]
    assert site.rows(models.share_servers)[0].status == "manage_error"


@pytest.mark.parametrize("method", ["manage_share_server", "unmanage_share_server"])
def test_a_server_that_is_gone_or_busy_is_left_alone(site, method):
    more = {"identifier": "i"} if method == "manage_share_server" else {}
    assert "deleted" in site.do(method, share_server_id="none", **more)["result"]
    server = site.add_server("network_change")

    assert "network_change" in site.do(method, share_server_id=server, **more)["result"]
    assert site.server(server).status == "network_change"


# -- unmanage ----------------------------------------------------------------------------------


def test_a_server_is_forgotten_and_stays_on_the_storage(site):
    site.add_security_service("ldap")
    share, server = site.made()
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="x"))
    site.driver.answers["unmanage_server"] = None

    operation = unmanage(site, server.id)

    assert operation["state"] == "succeeded"
    assert site.server(server.id).deleted == server.id
    assert site.driver.network_api.unmanaged == [server.id]
    [service] = site.driver.argument("unmanage_server", "security_services")
    assert service["type"] == "ldap"
    assert site.driver.called("_teardown_server") == 0


def test_a_driver_that_cannot_unmanage_needs_force(site):
    server = site.add_server("unmanage_starting")

    operation = unmanage(site, server)

    assert "cannot be unmanaged by this driver" in operation["error"]
    assert site.server(server).status == "unmanage_error"
    assert unmanage(site, server, force=True)["state"] == "succeeded"
    assert site.server(server).status == "deleted"


def test_an_error_of_the_driver_is_not_forced_away(site):
    server = site.add_server("unmanage_starting")
    site.driver.answers["unmanage_server"] = exception.ShareBackendException(msg="no")

    operation = unmanage(site, server, force=True)

    assert (operation["state"], site.server(server).status) == ("failed", "unmanage_error")


def test_a_server_with_shares_is_not_unmanaged(site):
    _, server = site.made()

    operation = unmanage(site, server.id)

    assert operation["error"] == f"Share server {server.id} is in use."
    assert site.server(server.id).status == "unmanage_error"


def test_addresses_of_the_administrators_network_are_forgotten_too(site):
    server = site.add_server("unmanage_starting")
    site.driver.allocations, site.driver.admin_allocations = 0, 1
    site.driver.answers["unmanage_server"] = None

    unmanage(site, server)

    assert site.driver.network_api.unmanaged == []
    assert site.driver.admin_network_api.unmanaged == [server]
