# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.db import models
from manila_lite.share import flows


def reconcile(site):
    site.clock.advance(100)
    count = flows.reconcile(site.environment, site.worker.journal)
    site.run()
    return count


@pytest.mark.parametrize(
    ("status", "columns", "end"),
    [
        ("creating", {}, "error"),
        ("creating", {"identifier": "it is there"}, "active"),
        ("deleting", {}, "deleted"),
        ("manage_starting", {}, "manage_error"),
        ("unmanage_starting", {}, "deleted"),
        ("network_change", {}, "error"),
    ],
)
def test_servers_with_no_operation_come_to_an_end(site, status, columns, end):
    site.driver.answers["unmanage_server"] = None
    server = site.add_server(status, **columns)

    assert reconcile(site) == 1

    assert site.server(server).status == end
    assert reconcile(site) == 0


def test_an_abandoned_server_is_an_error_with_its_reason(site):
    server = site.add_server("creating")
    reconcile(site)

    [operation] = site.rows(models.lite.operations)

    assert f"Share server {server} was found in 'creating'" in operation["error"]


def test_a_server_of_whose_network_something_is_under_way_is_left_alone(site):
    server = site.add_server("network_change")
    site.add_security_service("ldap-new", network=None)
    site.cast(
        "update_share_network_security_service", share_network_id="network",
        new_security_service_id="ldap-new",
    )  # fmt: skip
    site.clock.advance(100)

    assert flows.reconcile(site.environment, site.worker.journal) == 0
    assert site.server(server).status == "network_change"


def test_a_change_that_is_cast_late_waits_for_the_reconciliation(site):
    """Else the one could write a status while the other is at work on the server."""
    server = site.add_server("network_change")
    site.add_security_service("ldap-new", network=None)
    site.driver.answers["update_share_server_security_service"] = None
    site.clock.advance(100)
    flows.reconcile(site.environment, site.worker.journal)
    uuid = site.cast(
        "update_share_network_security_service", share_network_id="network",
        new_security_service_id="ldap-new",
    )  # fmt: skip

    lanes = {row["lane"] for row in site.rows(models.lite.operations)}
    site.run()

    assert lanes == {"share_network:network"}
    assert site.operation(uuid)["state"] == "succeeded"
    assert site.server(server).status == "active"


def test_a_server_that_moved_on_is_left_alone(site):
    server = site.add_server("creating")
    site.clock.advance(100)
    flows.reconcile(site.environment, site.worker.journal)
    with site.database.writer() as connection:
        connection.execute(models.share_servers.update().values(status="active"))

    site.run()

    assert site.server(server).status == "active"


def test_the_network_of_an_abandoned_change_is_active_again(site):
    site.add_server("network_change")
    with site.database.writer() as connection:
        connection.execute(models.share_networks.update().values(status="network_change"))

    reconcile(site)

    assert site.rows(models.share_networks)[0].status == "active"
