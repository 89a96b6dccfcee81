# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from manila_lite import exception
from manila_lite.db import models, share_server_changes
from tests.support.shares import Turns

UPDATE = "update_share_server_network_allocations"
CHECK = "check_update_share_server_network_allocations"
METADATA = "update_share_network_subnet_from_metadata"


@pytest.fixture
def server(site):
    """A server with a share and a snapshot; the API has put it on one more subnet."""
    share, server = site.made()
    site.snapshot = site.add_snapshot(share, "available")
    site.share_made = share
    site.add_subnet("network", "added", network_type="flat", neutron_net_id="net")
    with site.database.writer() as connection:
        share_server_changes.map_subnet(connection, server.id, "added", site.clock.now())
        for table in (models.share_servers, models.share_networks):
            connection.execute(table.update().values(status="network_change"))
    return server.id


def update(site):
    return site.do(UPDATE, share_network_id="network", new_share_network_subnet_id="added")


def test_a_server_gets_addresses_on_the_new_subnet(site, server):
    site.driver.answers[UPDATE] = {
        "server_details": {"more": "1"},
        "share_updates": {site.share_made["instance_id"]: ["/new"]},
        "snapshot_updates": {
            site.snapshot["instance_id"]: {
                "export_locations": [{"path": "/snap", "is_admin_only": False}],
                "provider_location": "/new/provider",
            }
        },
    }

    operation = update(site)

    assert operation["state"] == "succeeded"
    assert site.server(server).status == "active"
    assert site.rows(models.share_networks)[0].status == "active"
    assert site.addresses(server) == [("user", "10.0.0.1"), ("user", "10.0.0.2")]
    assert site.details(server)["more"] == "1"
    assert site.exports(site.share_made) == ["/new"]
    table = models.share_snapshot_instance_export_locations
    assert [row.path for row in site.rows(table, deleted="False")] == ["/snap"]
    snapshot = site.snapshot_instance(site.snapshot)
    assert (snapshot.provider_location, snapshot.status) == ("/new/provider", "available")
    args, _ = site.driver.call_arguments[-1]
    _, given, current, added, services, instances, snapshots = args
    assert given["id"] == server
    assert [s["share_network_subnet_id"] for s in current["subnets"]] == ["network-subnet"]
    addresses = current["subnets"][0]["network_allocations"]
    assert [a["ip_address"] for a in addresses] == ["10.0.0.1"]
    assert (added["share_network_subnet_id"], added["neutron_net_id"]) == ("added", "net")
    assert [a["ip_address"] for a in added["network_allocations"]] == ["10.0.0.2"]
    assert (current["admin_network_allocations"], services) == ([], [])
    assert [i["id"] for i in instances] == [site.share_made["instance_id"]]
    assert [s["id"] for s in snapshots] == [site.snapshot["instance_id"]]
    assert site.driver.network_api.told == [server, server]


def test_a_server_that_fails_takes_its_shares_and_snapshots_along(site, server):
    error = exception.ShareBackendException(msg="no")
    error.detail_data = {"server_details": {"half": "done"}}
    site.driver.answers[UPDATE] = error

    operation = update(site)

    assert "no" in json.loads(operation["result"])["problems"][server]
    assert site.server(server).status == "error"
    assert site.status(site.share_made) == "error"
    assert site.snapshot_instance(site.snapshot).status == "error"
    assert site.details(server)["half"] == "done"


def test_shares_and_snapshots_that_others_work_on_are_theirs(site, server):
    """The operation that makes them comes to its own end."""
    making = site.add_networked_share(columns={"share_server_id": server})
    snapshot = site.add_snapshot(site.share_made, "creating")
    site.driver.answers[UPDATE] = exception.ShareBackendException(msg="no")

    update(site)

    assert site.server(server).status == "error"
    assert site.status(making) == "creating"
    assert site.snapshot_instance(snapshot).status == "creating"


def test_a_driver_that_wants_no_addresses_there_is_an_error(site, server):
    site.driver.allocations = 0

    operation = update(site)

    assert "got no addresses on share network subnet added" in operation["result"]
    assert site.server(server).status == "error"


def test_an_interrupted_change_takes_no_second_address(site, server):
    site.driver.answers[UPDATE] = {}
    site.crash_in(UPDATE, UPDATE, share_network_id="network", new_share_network_subnet_id="added")

    site.run()

    assert site.server(server).status == "active"
    assert len(site.addresses(server)) == 2


def test_a_subnet_that_is_gone_ends_the_change(site, server):
    operation = site.do(UPDATE, share_network_id="network", new_share_network_subnet_id="none")

    assert "none could not be found" in operation["error"]
    assert site.server(server).status == "error"


@pytest.mark.parametrize("supported", [True, False])
def test_the_answer_to_a_check_is_left_where_the_api_looks(site, supported):
    _, server = site.made()
    key = "share_server_update_allocations_network_None_hosts_check"
    row = {"entity_uuid": "network", "key": key, "value": "{}", "deleted": 0}
    with site.database.writer() as connection:
        connection.execute(models.async_operation_data.insert(), row)
    site.driver.answers[CHECK] = Turns([supported])
    new = {"share_network_id": "network", "availability_zone_id": None, "neutron_net_id": "net"}

    operation = site.do(CHECK, share_network_id="network", new_share_network_subnet=new)

    assert operation["state"] == "succeeded"
    answers = json.loads(site.rows(models.async_operation_data)[0].value)
    assert answers == {"host@backend": supported}
    args, _ = site.driver.call_arguments[-1]
    assert args[1]["id"] == server.id
    assert args[3] == {**new, "network_type": "flat"}


def test_a_subnet_that_the_network_plugin_refuses_is_an_answer_too(site):
    key = "share_server_update_allocations_network_None_hosts_check"
    row = {"entity_uuid": "network", "key": key, "value": "{}", "deleted": 0}
    with site.database.writer() as connection:
        connection.execute(models.async_operation_data.insert(), row)

    def refuse(subnet):
        raise exception.NetworkBadConfigurationException(reason="no such subnet")

    site.driver.network_api.include_network_info = refuse
    new = {"share_network_id": "network", "availability_zone_id": None, "neutron_net_id": "net"}

    operation = site.do(CHECK, share_network_id="network", new_share_network_subnet=new)

    assert operation["state"] == "failed"
    answers = json.loads(site.rows(models.async_operation_data)[0].value)
    assert answers == {"host@backend": False}


# -- metadata ----------------------------------------------------------------------------------


def tell(site, server):
    return site.do(
        METADATA, share_network_id="network", share_network_subnet_id="network-subnet",
        share_server_id=server, metadata={"k": "v"},
    )  # fmt: skip


def test_the_driver_hears_of_metadata_of_a_subnet(site):
    _, server = site.made()
    site.driver.answers[METADATA] = None

    assert tell(site, server.id)["state"] == "succeeded"

    args, _ = site.driver.call_arguments[-1]
    assert [args[1]["id"], args[2]["id"], args[3]["id"], args[4]] == [
        "network", "network-subnet", server.id, {"k": "v"},
    ]  # fmt: skip
    assert site.messages("network-subnet") == [("027", "029")]


@pytest.mark.parametrize("error", [NotImplementedError(), exception.ShareBackendException(msg="")])
def test_users_are_told_when_nothing_came_of_metadata(site, error):
    _, server = site.made()
    site.driver.answers[METADATA] = error

    assert tell(site, server.id)["state"] == "failed"

    assert site.messages("network-subnet") == [("027", "030")]
    assert site.server(server.id).status == "active"


def test_a_server_that_is_gone_hears_nothing(site):
    assert "deleted" in tell(site, "none")["result"]
