# SPDX-License-Identifier: Apache-2.0
"""Share servers, and their networks."""

import pytest

from manila_lite import exception
from manila_lite.share.driver import ShareDriver

SERVER = {"id": "srv1"}
SERVERS = [{"id": "srv1"}, {"id": "srv2"}]


class ServerDriver(ShareDriver):
    """Needs a number of addresses on each network, and remembers its share servers."""

    numbers = (2, 1)

    def get_network_allocations_number(self):
        return self.numbers[0]

    def get_admin_network_allocations_number(self):
        return self.numbers[1]

    def _setup_server(self, network_info, metadata=None):
        return {"made": network_info, "metadata": metadata}

    def _teardown_server(self, server_details, security_services=None):
        return {"removed": server_details, "services": security_services}


@pytest.fixture
def with_admin(make):
    return make(ServerDriver, driver_handles_share_servers=True, admin_network_config_group="adm")


@pytest.fixture
def without_admin(make):
    return make(ServerDriver, driver_handles_share_servers=True)


@pytest.mark.parametrize(
    ("count", "number", "asked"), [(None, 2, 2), (5, 2, 5), (0, 2, 0), (None, 0, 0), (3, 0, 3)]
)
def test_as_many_addresses_are_allocated_as_are_asked_for(with_admin, count, number, asked):
    with_admin.numbers = (number, number)
    with_admin.allocate_network(None, SERVER, {"id": "net"}, count=count, share_network_subnet="s")
    with_admin.allocate_admin_network(None, SERVER, count=count, more=1)
    wanted = {"share_network_subnet": "s", "count": asked}
    assert with_admin.network_api.calls == (
        [("allocate", "srv1", {"id": "net"}, wanted)] if asked else []
    )
    assert with_admin.admin_network_api.calls == (
        [("allocate", "srv1", None, {"more": 1, "count": asked})] if asked else []
    )


def test_addresses_on_a_missing_admin_network_are_a_configuration_error(without_admin):
    with pytest.raises(exception.NetworkBadConfigurationException) as caught:
        without_admin.allocate_admin_network(None, SERVER)
    assert "admin_network_config_group" in caught.value.msg


@pytest.mark.parametrize(("count", "numbers"), [(0, (2, 1)), (None, (2, 0))])
def test_missing_admin_network_is_fine_where_no_address_is_wanted(without_admin, count, numbers):
    without_admin.numbers = numbers
    without_admin.allocate_admin_network(None, SERVER, count=count)
    assert without_admin.network_api.calls == []


@pytest.mark.parametrize(("number", "calls"), [(1, [("deallocate", "srv1")]), (0, [])])
def test_addresses_are_given_back_where_the_driver_gets_some(with_admin, number, calls):
    with_admin.numbers = (number, 1)
    with_admin.deallocate_network(None, "srv1")
    assert with_admin.network_api.calls == calls


@pytest.mark.parametrize(("number", "calls"), [(1, [("update", "srv1")]), (0, [])])
def test_networks_learn_that_a_server_runs(with_admin, number, calls):
    with_admin.numbers = (2, number)
    with_admin.update_network_allocation(None, SERVER)
    with_admin.update_admin_network_allocation(None, SERVER)
    assert with_admin.network_api.calls == [("update", "srv1")]
    assert with_admin.admin_network_api.calls == calls


def test_missing_admin_network_learns_nothing(without_admin):
    without_admin.update_admin_network_allocation(None, SERVER)
    assert without_admin.network_api.calls == []


def test_no_address_on_the_admin_network_is_needed_by_default(driver):
    assert driver.get_admin_network_allocations_number() == 0


@pytest.mark.parametrize(
    ("servers", "share_group", "chosen"),
    [
        (SERVERS, None, "srv1"),
        ([], None, None),
        (SERVERS, {"share_server_id": "srv2"}, "srv2"),
        (SERVERS, {"share_server_id": "other"}, None),
        (SERVERS, {"id": "g"}, None),
        ([], {"share_server_id": "srv1"}, None),
    ],
)
def test_share_goes_to_the_first_server_or_to_its_groups(driver, servers, share_group, chosen):
    server = driver.choose_share_server_compatible_with_share(
        None, servers, {"id": "s"}, share_group=share_group
    )
    assert (server and server["id"]) == chosen


@pytest.mark.parametrize(("servers", "chosen"), [(SERVERS, SERVERS[0]), ([], None)])
def test_group_goes_to_the_first_server(driver, servers, chosen):
    choose = driver.choose_share_server_compatible_with_share_group
    assert choose(None, servers, {"id": "g"}) == chosen


def test_servers_are_made_and_removed_where_the_driver_handles_them(with_admin):
    made = with_admin.setup_server("net", metadata={"request_host": "h"})
    assert made == {"made": "net", "metadata": {"request_host": "h"}}
    removed = with_admin.teardown_server({"ip": "1"}, security_services=["ldap"])
    assert removed == {"removed": {"ip": "1"}, "services": ["ldap"]}


def test_servers_are_neither_made_nor_removed_where_the_driver_does_not(make):
    driver = make(ServerDriver)
    assert driver.setup_server("net") is None
    assert driver.teardown_server({"ip": "1"}) is None


def test_server_uses_no_pools_by_default(driver):
    assert driver.get_share_server_pools(SERVER) == []
