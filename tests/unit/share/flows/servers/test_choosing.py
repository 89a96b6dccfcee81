# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import EXPORT, Site, Turns

CHOOSE = "choose_share_server_compatible_with_share"


def test_the_first_share_of_a_network_gets_a_new_server(site):
    share, server = site.made()

    assert site.status(share) == "available"
    assert (server.status, server.host) == ("active", "host@backend")
    assert site.driver.called(CHOOSE) == 0
    given = site.driver.argument("create_share", "share_server")
    assert given["id"] == server.id
    assert given["backend_details"] == {"name": "server-on-the-storage"}
    assert given["share_network_id"] == site.network
    assert given["share_network_subnet_id"] == given["share_network_subnet_ids"][0]
    assert site.driver.argument("create_share", "share")["share_server"]["id"] == server.id


def test_the_next_share_goes_where_the_driver_says(site):
    _, first = site.made()
    site.driver.answers[CHOOSE] = None
    _, second = site.made()
    assert first.id != second.id
    site.driver.answers[CHOOSE] = lambda context, servers, *args, **kwargs: servers[1]

    third, server = site.made()

    assert server.id == second.id
    offered = site.driver.argument(CHOOSE, "share_servers")
    assert [found["id"] for found in offered] == [first.id, second.id]
    assert site.driver.argument(CHOOSE, "share")["id"] == third["instance_id"]
    assert len(site.servers()) == 2


def test_shares_that_come_at_the_same_time_share_one_server(site):
    shares = [site.add_networked_share() for _ in range(5)]
    for share in shares:
        site.cast_create(share)

    site.run(5)

    assert {site.status(share) for share in shares} == {"available"}
    assert len(site.servers()) == site.driver.called("_setup_server") == 1


def test_a_server_whose_set_up_fails_fails_only_the_share_that_it_was_made_for(site):
    shares = [site.add_networked_share() for _ in range(2)]
    site.driver.answers["_setup_server"] = Turns([exception.ShareBackendFull(reason="full"), {}])
    uuids = [site.cast_create(share) for share in shares]

    site.run(10)

    assert [site.status(share) for share in shares] == ["error", "available"]
    first, second = (site.server_of(share) for share in shares)
    assert (first.status, second.status) == ("error", "active")
    error = site.operation(uuids[0])["error"]
    assert f"Share server {first.id} could not be set up" in error
    assert "full" in error
    assert site.messages(shares[0]["share_id"]) == [("002", "004")]


def test_a_retry_of_the_creation_gets_another_server(site):
    share = site.add_networked_share()
    site.driver.answers["_setup_server"] = Turns([exception.ShareBackendFull(reason="full"), {}])
    operation = site.create(share)
    lost = site.server_of(share).id

    site.retry(operation["uuid"])
    site.run(3)

    assert site.status(share) == "available"
    assert site.server_of(share).id != lost


def test_subnets_of_the_shares_zone_come_before_default_ones(site):
    zone = site.environment.zone_id()
    site.add_network("zoned")
    site.add_subnet("zoned", "here", zone)
    site.add_subnet("zoned", "also-here", zone)

    _, server = site.made(network="zoned")

    table = models.share_server_share_network_subnet_mappings
    found = site.rows(table, share_server_id=server.id)
    assert {row["share_network_subnet_id"] for row in found} == {"here", "also-here"}


def test_a_network_without_a_subnet_in_the_zone_is_an_error(site):
    site.add_network("elsewhere", zone=None)
    with site.database.writer() as connection:
        table = models.share_network_subnets
        connection.execute(table.delete().where(table.c.share_network_id == "elsewhere"))
    share = site.add_networked_share("elsewhere")

    operation = site.create(share)

    assert operation["state"] == "failed"
    assert "elsewhere has no subnet in availability zone" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "004")]


def test_a_share_without_a_share_network_is_refused(site):
    share = site.add_share()

    operation = site.create(share)

    assert "has no share network" in operation["error"]
    assert (site.status(share), site.messages(share["share_id"])) == ("error", [("002", "004")])
    assert site.driver.calls == []


def test_a_back_end_without_share_servers_refuses_a_share_network():
    site = Site()
    share = site.add_share(columns={"share_network_id": None})
    with site.database.writer() as connection:
        network = {"id": "n", "project_id": "p", "user_id": "u", "deleted": "False"}
        connection.execute(models.share_networks.insert(), network)
        table = models.share_instances
        connection.execute(table.update().values(share_network_id="n"))

    operation = site.do(
        "create_share_instance",
        share_instance_id=share["instance_id"],
        request_spec={"share_id": share["share_id"]},
        filter_properties={},
    )

    assert "works without share servers" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "003")]


def test_an_error_of_the_drivers_choice_fails_the_share(site):
    site.made()
    site.driver.answers[CHOOSE] = exception.ShareBackendException(msg="cannot say")
    share = site.add_networked_share()

    operation = site.create(share)

    assert (site.status(share), operation["state"]) == ("error", "failed")
    assert "cannot say" in operation["error"]
    assert len(site.servers()) == 1


def test_a_share_from_a_snapshot_goes_to_its_parents_server(site):
    parent, server = site.made()
    site.driver.answers[CHOOSE] = None
    site.made()
    snapshot = site.add_snapshot(parent, "available")
    site.driver.answers["create_share_from_snapshot"] = [EXPORT]
    site.driver.answers[CHOOSE] = lambda context, servers, *args, **kwargs: servers[0]
    share = site.add_networked_share(None, snapshot_id=snapshot["snapshot_id"])

    operation = site.create(share, snapshot_id=snapshot["snapshot_id"])

    assert operation["state"] == "succeeded"
    assert site.server_of(share).id == server.id
    assert [s["id"] for s in site.driver.argument(CHOOSE, "share_servers")] == [server.id]
    assert site.driver.argument(CHOOSE, "snapshot")["snapshot_id"] == snapshot["snapshot_id"]


def test_a_snapshot_on_a_server_that_is_not_active_makes_no_share(site):
    parent, server = site.made()
    snapshot = site.add_snapshot(parent, "available")
    with site.database.writer() as connection:
        connection.execute(models.share_servers.update().values(status="error"))
    share = site.add_networked_share(None, snapshot_id=snapshot["snapshot_id"])

    operation = site.create(share, snapshot_id=snapshot["snapshot_id"])

    assert f"share server {server.id}, which is 'error'" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "004")]


def test_a_worker_that_dies_while_the_driver_chooses_leaves_the_choice_to_the_next(site):
    site.made()
    share = site.add_networked_share()

    site.crash_in(
        "create_share_instance",
        CHOOSE,
        share_instance_id=share["instance_id"],
        request_spec={"share_id": share["share_id"]},
        filter_properties={},
    )
    site.run(3)

    assert site.status(share) == "available"
    assert len(site.servers()) == 1


def test_a_server_that_is_lost_meanwhile_fails_the_share(site):
    share = site.add_networked_share()
    site.cast_create(share)
    site.run()
    assert site.servers()[0].status == "active"
    with site.database.writer() as connection:
        connection.execute(models.share_servers.update().values(status="error"))
    site.run(3)

    assert site.status(share) == "error"
    assert site.messages(share["share_id"]) == [("002", "004")]


def test_a_subnet_that_is_deleted_meanwhile_gets_no_server(site):
    site.made()
    share = site.add_networked_share()

    def choose(*args, **kwargs):
        with site.database.writer() as connection:
            connection.execute(models.share_network_subnets.update().values(deleted="x"))

    site.driver.answers[CHOOSE] = choose

    operation = site.create(share)

    assert "has no subnet in availability zone" in operation["error"]
    assert len(site.servers()) == 1


@pytest.mark.parametrize(
    ("limits", "together"),
    [
        ({"max_shares_per_share_server": 1}, False),
        ({"max_shares_per_share_server": 2}, True),
        ({"max_share_server_size": 14}, False),
        ({"max_share_server_size": 15}, True),
        ({"max_shares_per_share_server": -1, "max_share_server_size": -1}, True),
    ],
)
def test_a_server_that_is_full_by_its_drivers_limits_is_not_offered(site, limits, together):
    first, server = site.made()
    site.add_snapshot(first, "available")
    for name, value in limits.items():
        setattr(site.driver, name, value)

    _, other = site.made()

    assert (other.id == server.id) is together


def test_a_driver_may_need_security_services_for_a_protocol(site):
    site.driver.dhss_mandatory_security_service_association = {"nfs": ["ldap"], "cifs": ["x"]}
    share = site.add_networked_share()

    operation = site.create(share)

    assert "network has no security service of type ldap" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "025")]
    site.add_security_service("ldap")
    site.retry(operation["uuid"])
    site.run(3)
    assert site.status(share) == "available"


def test_a_parents_server_that_will_not_do_makes_a_new_one_beside_others_on_the_subnet(site):
    parent, server = site.made()
    site.driver.answers[CHOOSE] = None
    _, other = site.made()
    snapshot = site.add_snapshot(parent, "available")
    site.driver.answers["create_share_from_snapshot"] = [EXPORT]
    share = site.add_networked_share(snapshot_id=snapshot["snapshot_id"])

    operation = site.create(share, snapshot_id=snapshot["snapshot_id"])

    assert operation["state"] == "succeeded"
    assert site.server_of(share).id not in (server.id, other.id)


def test_a_server_that_gets_full_while_the_driver_chooses_is_not_taken(site):
    _, server = site.made()
    site.driver.max_shares_per_share_server = 2
    late = site.add_networked_share()

    def choose(context, servers, *args, **kwargs):
        with site.database.writer() as connection:
            table = models.share_instances
            mine = table.c.id == late["instance_id"]
            connection.execute(table.update().where(mine).values(share_server_id=server.id))
        return servers[0]

    site.driver.answers[CHOOSE] = choose

    _, other = site.made()

    assert other.id != server.id
