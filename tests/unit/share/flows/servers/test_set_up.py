# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.servers import ServerSite


def set_up(site, **options):
    server = site.add_server("creating", **options)
    share = site.add_networked_share()
    operation = site.do(
        "create_share_server", share_server_id=server, share_instance_id=share["instance_id"]
    )
    return server, operation


def test_the_driver_gets_the_network_of_each_subnet(site):
    site.add_security_service("ldap")
    site.driver.admin_allocations = 1
    with site.database.writer() as connection:
        connection.execute(
            models.share_network_subnets.update().values(
                network_type="vlan", segmentation_id=7, cidr="10.0.0.0/24", neutron_net_id="net"
            )
        )
        row = {
            "share_network_subnet_id": "network-subnet", "key": "k", "value": "v",
            "deleted": "False",
        }  # fmt: skip
        connection.execute(models.share_network_subnet_metadata.insert(), row)

    server, operation = set_up(site)

    assert operation["state"] == "succeeded"
    [info] = site.driver.argument("_setup_server", "network_info")
    assert {key: info[key] for key in ("server_id", "network_type", "segmentation_id")} == {
        "server_id": server, "network_type": "vlan", "segmentation_id": 7,
    }  # fmt: skip
    assert (info["cidr"], info["neutron_net_id"], info["neutron_subnet_id"]) == (
        "10.0.0.0/24", "net", None,
    )  # fmt: skip
    assert [a["ip_address"] for a in info["network_allocations"]] == ["10.0.0.1"]
    assert [a["ip_address"] for a in info["admin_network_allocations"]] == ["10.0.0.2"]
    assert [s["password"] for s in info["security_services"]] == ["secret of ldap"]
    assert (info["subnet_metadata"], info["backend_details"]) == ({"k": "v"}, {})
    metadata = site.driver.argument("_setup_server", "metadata")
    assert metadata == {"request_host": "host@backend#pool", "share_type_id": "type"}


def test_details_and_security_services_are_kept_for_the_teardown(site):
    site.add_security_service("ldap")
    site.driver.answers["_setup_server"] = {"identifier": "vs-1", "port": 17}

    server, _ = set_up(site)

    assert (site.server(server).status, site.server(server).identifier) == ("active", "vs-1")
    details = site.details(server)
    assert (details["identifier"], details["port"]) == ("vs-1", "17")
    assert json.loads(details["security_service_ldap"])["password"] == "secret of ldap"
    assert site.driver.network_api.told == [server]


def test_no_secret_gets_into_the_operations_row(site):
    site.add_security_service("ldap")
    site.driver.answers["_setup_server"] = {"root_password": "secret of root"}

    _, operation = set_up(site)

    assert "secret" not in json.dumps(operation, default=str)


def test_a_failed_set_up_keeps_what_it_got_for_the_teardown(site):
    error = exception.ShareBackendFull(reason="full")
    error.detail_data = {"server_details": {"half": "made", "long": "x" * 2000}}
    site.driver.answers["_setup_server"] = error

    server, operation = set_up(site)

    assert (operation["state"], site.server(server).status) == ("failed", "error")
    assert site.details(server) == {"half": "made"}
    assert site.addresses(server) == [("user", "10.0.0.1")]


@pytest.mark.parametrize("left", [None, {"server_details": "no dictionary"}, {}, "text"])
def test_a_failed_set_up_that_left_nothing_gives_its_addresses_back(site, left):
    error = exception.ShareBackendFull(reason="full")
    error.detail_data = left
    site.driver.answers["_setup_server"] = error

    server, _ = set_up(site)

    assert site.server(server).status == "error"
    assert (site.details(server), site.addresses(server)) == ({}, [])


def test_a_set_up_is_tried_again_with_new_addresses(site):
    site.driver.answers["_setup_server"] = exception.ShareBackendFull(reason="full")
    server, operation = set_up(site)
    site.driver.answers["_setup_server"] = {}

    site.retry(operation["uuid"])

    assert site.server(server).status == "active"
    assert len(site.addresses(server)) == 1


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (exception.PortLimitExceeded(), "027"),
        (exception.NetworkException(), "004"),
        (type("SecurityServiceFailedAuth", (Exception,), {})(), "023"),
        (type("IpAddressGenerationFailureClient", (Exception,), {})(), "033"),
    ],
)
def test_users_of_the_shares_are_told_why(site, error, detail):
    site.driver.network_api.error = error
    share = site.add_networked_share()

    site.create(share)

    assert site.status(share) == "error"
    assert site.messages(share["share_id"]) == [("002", detail)]


@pytest.mark.parametrize(
    ("kind", "segment", "good"),
    [
        (None, None, True), ("flat", 0, True), ("flat", 5, False), (None, 5, False),
        ("vlan", 1, True), ("vlan", 4094, True), ("vlan", 4095, False), ("vlan", None, False),
        ("vxlan", 16777215, True), ("vxlan", 16777216, False), ("gre", 4294967295, True),
        ("gre", 0, False), ("geneve", None, True),
    ],
)  # fmt: skip
def test_segments_have_to_fit_the_kind_of_network(site, kind, segment, good):
    with site.database.writer() as connection:
        connection.execute(
            models.share_network_subnets.update().values(network_type=kind, segmentation_id=segment)
        )

    server, operation = set_up(site)

    assert site.server(server).status == ("active" if good else "error")
    assert good or f"segmentation_id = {segment}" in operation["error"]


def test_a_server_that_is_there_is_not_set_up_again(site):
    server = site.add_server("active")
    share = site.add_networked_share()

    operation = site.do(
        "create_share_server", share_server_id=server, share_instance_id=share["instance_id"]
    )

    assert "the share server is active" in operation["result"]
    assert site.driver.calls == []


def test_a_server_that_is_gone_and_a_share_that_is_gone(site):
    share = site.add_networked_share()
    gone = site.do(
        "create_share_server", share_server_id="none", share_instance_id=share["instance_id"]
    )
    assert "the share server is deleted" in gone["result"]
    server = site.add_server("creating")

    operation = site.do("create_share_server", share_server_id=server, share_instance_id="none")

    assert "could not be found" in operation["error"]
    assert site.server(server).status == "error"


def test_a_detail_that_the_table_cannot_hold_is_an_error(site):
    site.driver.answers["_setup_server"] = {"name": "vs-1", "key": "x" * 1024}

    server, operation = set_up(site)

    assert "more than 1023 characters" in operation["error"]
    assert site.server(server).status == "error"
    # It was set up: its teardown needs what the table can hold, and nobody else may have its
    # addresses.
    assert site.details(server) == {"name": "vs-1"}
    assert site.addresses(server) == [("user", "10.0.0.1")]


def test_a_server_that_was_set_up_keeps_its_addresses_whatever_fails_then(site):
    def tell(context, share_server):
        raise exception.NetworkException("no such port")

    site.driver.network_api.update_network_allocation = tell

    server, operation = set_up(site)

    assert (operation["state"], site.server(server).status) == ("failed", "error")
    assert site.addresses(server) == [("user", "10.0.0.1")]
    site.driver.network_api.update_network_allocation = lambda *args: None
    site.retry(operation["uuid"])
    site.run(3)
    assert site.server(server).status == "active"
    assert site.addresses(server) == [("user", "10.0.0.1")]


class StorageTimedOut(exception.ManilaException):
    """Drivers' errors of such a name leave it open whether anything took effect."""

    message = "no answer"


def test_a_server_that_may_have_been_set_up_keeps_its_addresses(site):
    site.driver.answers["_setup_server"] = StorageTimedOut()

    server, operation = set_up(site)
    while not operation["finished"]:
        site.clock.advance(600)
        site.run()
        operation = site.operation(operation["uuid"])

    assert (operation["state"], site.server(server).status) == ("failed", "error")
    assert site.addresses(server) == [("user", "10.0.0.1")]


def test_a_set_up_that_was_interrupted_and_may_not_be_repeated_keeps_its_addresses():
    site = ServerSite(policy="error")
    server = site.add_server("creating")
    share = site.add_networked_share()

    site.crash_in(
        "create_share_server", "_setup_server", share_server_id=server,
        share_instance_id=share["instance_id"],
    )  # fmt: skip
    site.run()

    assert site.server(server).status == "error"
    assert site.addresses(server) == [("user", "10.0.0.1")]


def test_a_set_up_that_was_interrupted_is_repeated_with_the_same_addresses(site):
    server = site.add_server("creating")
    share = site.add_networked_share()

    site.crash_in(
        "create_share_server", "_setup_server", share_server_id=server,
        share_instance_id=share["instance_id"],
    )  # fmt: skip
    site.run()

    assert site.server(server).status == "active"
    assert site.driver.called("_setup_server") == 2
    assert site.addresses(server) == [("user", "10.0.0.1")]


def test_a_set_up_whose_end_was_not_recorded_is_known_by_its_identifier(site):
    server = site.add_server("creating", identifier="vs-1")
    share = site.add_networked_share()
    site.crash_in(
        "create_share_server", "_setup_server", share_server_id=server,
        share_instance_id=share["instance_id"],
    )  # fmt: skip

    site.run()

    assert site.server(server).status == "active"
    assert site.driver.called("_setup_server") == 1
